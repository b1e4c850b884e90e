package screenlock

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// macos puts together whether a password is asked for (sysadminctl(8), which
// has to run as the person, or a profile) and what makes the screen dark: the
// screen saver or the display going to sleep, whichever comes first.
func macos(ctx context.Context, m evidence.Machine, who evidence.Session) state {
	ask, delay := runSysadminctl(ctx, m)
	forced, why := managedSaver(ctx, m, who)
	if why != "" {
		// A profile that cannot be read may say anything.
		s := nothingKnown(why)
		s.delay = delay
		return s
	}
	managed := yesNo(forced.ask.known(), managedSource)
	if forced.ask.known() {
		ask, delay = forced.ask.against(ask), mergedDelay(forced, delay)
	}
	saver := forced.idle
	if !saver.set && saver.why == "" {
		saver = ownSaver(ctx, m, who)
	}
	display := runPmset(ctx, m)
	out := state{enabled: ask, idle: darkAfter(saver, display), delay: delay, managed: managed}
	if ask.is(true) && !ask.other.IsSet() {
		out.enabled = goesDark(saver, display, ask.source)
	}
	return out
}

// mergedDelay is the profile's, and a conflict where the system says another.
func mergedDelay(forced saverProfile, delay answer) answer {
	if !forced.delay.known() || forced.ask.is(false) {
		return delay
	}
	return forced.delay.against(delay)
}

// dark is when something makes the screen dark.
type dark struct {
	set    bool // it is said when
	after  time.Duration
	source string
	why    fact.Reason // it could not be read
} // after 0 and set: never

// darkAfter is the earlier of two; a thing that is not known can only make it
// earlier still.
func darkAfter(all ...dark) answer {
	var best answer
	least := time.Duration(0)
	var why fact.Reason
	for _, d := range all {
		why = first(why, d.why)
		if d.set && d.after > 0 && (least == 0 || d.after < least) {
			best, least = lasting(d.after, d.source), d.after
		}
	}
	if !best.known() {
		return unknown(first(why, fact.ReasonNotFound))
	}
	return best
}

// goesDark is true when either is set to a time, or when the screen saver is
// left at what the system does by itself (20 minutes, says CIS Apple macOS
// Benchmark, "Set an inactivity interval for the screen saver").
func goesDark(saver, display dark, source string) answer {
	switch {
	case saver.set && saver.after > 0, display.set && display.after > 0, !saver.set && saver.why == "":
		return yesNo(true, source)
	case saver.why != "":
		return unknown(saver.why)
	case display.why != "":
		return unknown(display.why)
	}
	return yesNo(false, source)
}

// runSysadminctl asks for the setting; the answer comes on standard error.
func runSysadminctl(ctx context.Context, m evidence.Machine) (ask, delay answer) {
	out, err := m.Run(ctx, "sysadminctl", "-screenLock", "status")
	if err != nil {
		return failed(err), failed(err)
	}
	ask, delay = parseScreenLock(string(out.Stderr) + "\n" + string(out.Stdout))
	if !ask.known() && out.Code != 0 {
		err := evidence.Failure("sysadminctl", out)
		return failed(err), failed(err)
	}
	return ask, delay
}

// parseScreenLock reads "screenLock is off", "screenLock delay is immediate"
// and "screenLock delay is 300 seconds" behind a time stamp; a negative number
// is how some versions write off.
func parseScreenLock(text string) (ask, delay answer) {
	const source = "sysadminctl -screenLock status"
	ask = unknown(fact.ReasonUnreadable)
	delay = ask
	seen := 0
	for line := range strings.Lines(strings.ToLower(text)) {
		_, said, ok := strings.Cut(line, "screenlock ")
		if said = strings.TrimRight(strings.TrimSpace(said), "."); !ok {
			continue
		}
		n, known := lockDelay(said)
		if !known {
			continue
		}
		if seen++; seen > 1 {
			return unknown(fact.ReasonMalformed), unknown(fact.ReasonMalformed)
		}
		ask, delay = yesNo(n >= 0, source), unknown(fact.ReasonNotFound)
		if n >= 0 {
			delay = lasting(n, source)
		}
	}
	return ask, delay
}

// lockDelay is the time in what was said after "screenLock"; below 0: off.
func lockDelay(said string) (time.Duration, bool) {
	switch said {
	case "is off", "is disabled", "delay is off":
		return -1, true
	case "delay is immediate", "is immediate":
		return 0, true
	}
	words := strings.Fields(said)
	if len(words) != 4 || words[0] != "delay" || words[1] != "is" || !strings.HasPrefix(words[3], "second") {
		return 0, false
	}
	f, err := strconv.ParseFloat(words[2], 64)
	switch {
	case err != nil || !(f <= maxDelay): // NaN is no number either
		return 0, false
	case f < 0:
		return -1, true
	}
	return time.Duration(f) * time.Second, true
}

// runPmset asks when the display goes to sleep, in minutes, for every source of
// power (pmset(1)). The longest counts: the person decides what is plugged in.
func runPmset(ctx context.Context, m evidence.Machine) dark {
	out, err := evidence.Text(ctx, m, "pmset", "-g", "custom")
	if why := evidence.ReasonOf(err); err != nil {
		if why == fact.ReasonToolMissing || why == fact.ReasonUnsupported {
			why = "" // the screen saver alone then decides
		}
		return dark{why: why}
	}
	return parsePmset(string(out))
}

func parsePmset(text string) dark {
	out := dark{source: "pmset -g custom"}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "displaysleep" {
			continue
		}
		n, err := strconv.ParseInt(words[1], 10, 32)
		d, ok := seconds(n * 60)
		if err != nil || !ok {
			return dark{why: fact.ReasonMalformed}
		}
		switch {
		case !out.set:
			out.set, out.after = true, d
		case d == 0 || out.after == 0:
			out.after = 0
		default:
			out.after = max(out.after, d)
		}
	}
	if !out.set {
		out.why = fact.ReasonUnreadable
	}
	return out
}
