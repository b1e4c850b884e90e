package screenlock

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// kdeValue is one entry of KConfig, and whether the person may change it.
type kdeValue struct {
	text      string
	immutable bool
}

// kde reads kscreenlockerrc, group Daemon: the system's file, then the
// person's, unless the system's is marked immutable with [$i]. What neither
// sets has KScreenLocker's default: Autolock true, Timeout 5 minutes,
// LockGrace 5 seconds.
func kde(ctx context.Context, m evidence.Machine, who evidence.Session) state {
	values := map[string]kdeValue{}
	own := who.Home + "/.config/kscreenlockerrc"
	for _, path := range []string{"/etc/xdg/kscreenlockerrc", own} {
		data, err := m.ReadFile(ctx, path)
		switch {
		case err == nil:
			if parseKConfig(string(data), values) && path != own {
				return kdeState(values, true)
			}
		case evidence.ReasonOf(err) != fact.ReasonNotFound:
			return nothingKnown(evidence.ReasonOf(err))
		}
	}
	return kdeState(values, false)
}

func kdeState(values map[string]kdeValue, whole bool) state {
	const source = "kscreenlockerrc"
	auto, autoKnown := kdeBool(values, "Autolock", true)
	secret, secretKnown := kdeBool(values, "RequirePassword", true)
	minutes, minutesKnown := kdeNumber(values, "Timeout", 5)
	grace, graceKnown := kdeNumber(values, "LockGrace", 5)
	s := state{
		managed: yesNo(whole || values["autolock"].immutable && values["timeout"].immutable, source),
		idle:    unknown(fact.ReasonMalformed), delay: unknown(fact.ReasonMalformed), enabled: unknown(fact.ReasonMalformed),
	}
	if d, ok := seconds(minutes * int64(time.Minute/time.Second)); minutesKnown && ok && minutes > 0 {
		s.idle = lasting(d, source)
	}
	if d, ok := seconds(grace); graceKnown && ok {
		s.delay = lasting(d, source)
	}
	switch {
	case autoKnown && !auto, secretKnown && !secret, minutesKnown && minutes <= 0, graceKnown && grace < 0: // -1: never asks
		s.enabled = yesNo(false, source)
		if autoKnown && !auto || minutesKnown && minutes <= 0 {
			s.idle = unknown(fact.ReasonNotFound)
		}
		if graceKnown && grace < 0 {
			s.delay = unknown(fact.ReasonNotFound)
		}
	case autoKnown && secretKnown && minutesKnown && graceKnown:
		s.enabled = yesNo(true, source)
	}
	return s
}

func kdeBool(values map[string]kdeValue, name string, otherwise bool) (value, ok bool) {
	v, there := values[strings.ToLower(name)]
	switch strings.ToLower(v.text) {
	case "true", "1", "on", "yes":
		return true, true
	case "false", "0", "off", "no":
		return false, true
	}
	return otherwise, !there
}

func kdeNumber(values map[string]kdeValue, name string, otherwise int64) (int64, bool) {
	v, there := values[strings.ToLower(name)]
	if !there {
		return otherwise, true
	}
	n, err := strconv.ParseInt(v.text, 10, 32)
	return n, err == nil
}

// parseKConfig adds the entries of group Daemon by lower-case name, leaving
// those that are immutable already, and tells whether the whole file or the
// whole group is immutable.
func parseKConfig(text string, into map[string]kdeValue) (whole bool) {
	group, all := "", false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '[' {
			fixed := strings.HasSuffix(line, "[$i]")
			group = strings.TrimSuffix(line, "[$i]")
			if fixed && (group == "" || group == "[Daemon]") {
				all = true
			}
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || group != "[Daemon]" || len(into) >= 256 {
			continue
		}
		name = strings.TrimSpace(name)
		plain, mark, marked := strings.Cut(name, "[$")
		plain = strings.ToLower(strings.TrimSpace(plain))
		if !into[plain].immutable {
			into[plain] = kdeValue{strings.TrimSpace(value), all || marked && strings.Contains(mark, "i")}
		}
	}
	return all
}
