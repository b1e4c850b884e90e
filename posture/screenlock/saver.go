package screenlock

import (
	"context"
	"strconv"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const managedSource = "/Library/Managed Preferences com.apple.screensaver"

// saverProfile is what an organisation's profile sets (Apple, "Screensaver"
// payload: askForPassword, askForPasswordDelay in seconds, idleTime in
// seconds). loginWindowIdleTime is about the login window, where nobody is.
type saverProfile struct {
	ask, delay answer
	idle       dark
}

// managedSaver reads the person's managed preferences over the machine's.
func managedSaver(ctx context.Context, m evidence.Machine, who evidence.Session) (saverProfile, fact.Reason) {
	const folder, file = "/Library/Managed Preferences/", "com.apple.screensaver.plist"
	var out saverProfile
	paths := []string{folder + file}
	if who.User != "" && !strings.ContainsAny(who.User, "/\x00") && who.User != ".." {
		paths = append(paths, folder+who.User+"/"+file)
	}
	for _, path := range paths {
		data, err := m.ReadFile(ctx, path)
		if err != nil {
			if why := evidence.ReasonOf(err); why != fact.ReasonNotFound {
				return out, why
			}
			continue
		}
		p, ok := parseSaver(data, managedSource)
		if !ok {
			return out, fact.ReasonUnreadable
		}
		if p.ask.known() {
			out.ask = p.ask
		}
		if p.delay.known() {
			out.delay = p.delay
		}
		if p.idle.set || p.idle.why != "" {
			out.idle = p.idle
		}
	}
	return out, ""
}

// ownSaver reads the idle time that the person set for this Mac, from the one
// file of that domain in the folder of settings by host.
func ownSaver(ctx context.Context, m evidence.Machine, who evidence.Session) dark {
	const prefix, suffix = "com.apple.screensaver.", ".plist"
	if !strings.HasPrefix(who.Home, "/") {
		return dark{why: fact.ReasonNotFound}
	}
	folder := strings.TrimRight(who.Home, "/") + "/Library/Preferences/ByHost"
	names, err := m.ReadDir(ctx, folder)
	if why := evidence.ReasonOf(err); err != nil {
		if why == fact.ReasonNotFound {
			why = ""
		}
		return dark{why: why}
	}
	found := dark{}
	for _, name := range names {
		if !strings.HasPrefix(name, prefix) || !strings.HasSuffix(name, suffix) {
			continue
		}
		data, err := m.ReadFile(ctx, folder+"/"+name)
		if err != nil {
			return dark{why: evidence.ReasonOf(err)}
		}
		p, ok := parseSaver(data, "ByHost com.apple.screensaver")
		switch {
		case !ok:
			return dark{why: fact.ReasonUnreadable}
		case found.set && p.idle.set && p.idle != found: // files of another host, left by a migration
			return dark{why: fact.ReasonMalformed}
		case p.idle.set || p.idle.why != "":
			found = p.idle
		}
	}
	return found
}

// parseSaver reads a property list of the domain com.apple.screensaver.
func parseSaver(data []byte, source string) (saverProfile, bool) {
	top, err := evidence.ParsePlist(data)
	values, ok := top.(map[string]any)
	if err != nil || !ok {
		return saverProfile{}, false
	}
	var out saverProfile
	switch v := values["askForPassword"].(type) {
	case bool:
		out.ask = yesNo(v, source)
	case string:
		if v != "0" && v != "1" {
			return saverProfile{}, false
		}
		out.ask = yesNo(v == "1", source)
	}
	if n, ok := wholeSeconds(values["askForPasswordDelay"]); ok {
		if d, ok := seconds(n); ok {
			out.delay = lasting(d, source)
		}
	}
	if v, there := values["idleTime"]; there {
		n, ok := wholeSeconds(v)
		d, fits := seconds(n)
		out.idle = dark{set: ok && fits, after: d, source: source}
		if !out.idle.set {
			out.idle = dark{why: fact.ReasonMalformed}
		}
	}
	return out, true
}

// wholeSeconds is a number of a property list, which may be written as a real.
func wholeSeconds(v any) (int64, bool) {
	s, _ := v.(string)
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0 && f <= maxDelay) {
		return 0, false
	}
	return int64(f), true
}
