package edr

import (
	"context"
	"regexp"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// falconAsks are the ways to ask falconctl on Linux, the fullest first: older
// sensors refuse an option that they do not know.
func falconAsks() [][]string {
	return [][]string{
		{"-g", "--aid", "--version", "--rfm-state", "--rfm-reason", "--backend"},
		{"-g", "--aid", "--version", "--rfm-state", "--rfm-reason"},
		{"-g", "--aid"}, {"-g", "--rfm-state"}, {"-g", "--version"},
	}
}

// falconLinux asks falconctl (CrowdStrike, "Falcon sensor for Linux"), which
// needs root. It reads what the sensor keeps, so that it answers for a sensor
// that does not run, too.
func falconLinux(ctx context.Context, q question) (answers, fact.Reason) {
	told := falconSaid{}
	var why fact.Reason
	for i, args := range falconAsks() {
		text, reason := q.run(ctx, "falconctl", args...)
		if i == 0 || reason == "" {
			why = reason // once it answered, what is left out could not be read
		}
		told.read(text)
		if final(reason) || told.complete() {
			break
		}
	}
	return told.answers(), why
}

// falconSaid is what falconctl printed, by lower-case name. A name that is there
// with two values has none.
type falconSaid map[string]falconValue

type falconValue struct {
	text string
	set  bool // false: "is not set"
}

var (
	falconItem  = regexp.MustCompile(`^([A-Za-z][A-Za-z-]*)\s*=\s*(?:"([^"]*)"|([^"]*))$`)
	falconUnset = regexp.MustCompile(`^([A-Za-z][A-Za-z-]*) is not set$`)
	falconAID   = regexp.MustCompile(`^[0-9a-fA-F]{32}$`)
)

// read takes items of the form name="value", name=value, name = value and
// "name is not set" over, separated by commas or line ends, with or without a
// full stop. Anything else is no item.
func (f falconSaid) read(text string) {
	for line := range strings.Lines(text) {
		for item := range strings.SplitSeq(line, ",") {
			item = strings.TrimSuffix(strings.TrimSpace(item), ".")
			if m := falconUnset.FindStringSubmatch(item); m != nil {
				f.take(m[1], falconValue{})
			} else if m := falconItem.FindStringSubmatch(item); m != nil {
				f.take(m[1], falconValue{m[2] + strings.TrimSpace(m[3]), true})
			}
			if len(f) > 64 {
				return
			}
		}
	}
}

func (f falconSaid) take(name string, v falconValue) {
	name = strings.ToLower(name)
	if old, there := f[name]; there && old != v {
		v = falconValue{set: true} // two answers are none
	}
	f[name] = v
}

func (f falconSaid) complete() bool {
	for _, name := range []string{"aid", "version", "rfm-state"} {
		if _, there := f[name]; !there {
			return false
		}
	}
	return true
}

func (f falconSaid) answers() answers {
	a := answers{}
	if v, there := f["version"]; there && v.set {
		a.version(v.text)
	}
	aid, told := f["aid"]
	switch {
	case told && !aid.set:
		a.flag("registered", false, fact.ReasonNotRegistered)
	case told && agentID(aid.text):
		a.observe("registered", fact.Bool(true))
	case told:
		a.unknown("registered", fact.ReasonMalformed)
	}
	reduced, ok := word(f["rfm-state"].text, "true", "false")
	switch {
	case ok && reduced:
		a.ails(fact.ModeReduced, fact.ReasonReduced)
	case ok:
		a.protects()
	case told && !aid.set: // a sensor that knows no organisation protects nobody
		a.finding("healthy", fact.Bool(false), fact.ReasonNotRegistered)
	}
	return a.registeredToo()
}

// agentID tells whether s is an agent's identifier: 32 hex digits, with or
// without dashes, and not all the same.
func agentID(s string) bool {
	plain := strings.ReplaceAll(s, "-", "")
	return falconAID.MatchString(plain) && strings.Trim(plain, plain[:1]) != ""
}

// falconMac asks falconctl on macOS: its property list, which says whether
// functionality is reduced, or else its statistics.
func falconMac(ctx context.Context, q question) (answers, fact.Reason) {
	text, why := q.run(ctx, "falconctl", "info")
	if a := falconInfo([]byte(text)); len(a) > 0 || final(why) {
		return a, why
	}
	for _, args := range [][]string{{"stats", "agent_info"}, {"stats"}} {
		text, reason := q.run(ctx, "falconctl", args...)
		if why == "" || reason == "" {
			why = reason
		}
		if a := falconStats(text); len(a) > 0 || final(reason) {
			return a, reason
		}
	}
	return answers{}, why
}

// falconInfo reads the property list of `falconctl info`.
func falconInfo(data []byte) answers {
	a := answers{}
	root, err := evidence.ParsePlist(data)
	m, ok := root.(map[string]any)
	if err != nil || !ok {
		return a
	}
	a.version(text(m, "falcon_version"))
	if aid, there := m["aid"].(string); there {
		a.falconID(aid)
	}
	loaded, okLoaded := m["sensor_loaded"].(bool)
	rfm, okRFM := m["rfm"].(bool)
	switch {
	case okLoaded && !loaded:
		a.ails(fact.ModeOff, fact.ReasonNotRunning)
	case okRFM && rfm:
		a.ails(fact.ModeReduced, fact.ReasonReduced)
	case okLoaded && okRFM:
		a.protects()
	}
	return a.registeredToo()
}

// falconStats reads the section agent_info of `falconctl stats`.
func falconStats(text string) answers {
	a := answers{}
	if _, section, ok := strings.Cut(text, "=== agent_info ==="); ok {
		text, _, _ = strings.Cut(section, "\n===")
	}
	lines := pairs(text)
	version, _ := first(lines, "version")
	a.version(version)
	if id, there := first(lines, "agentID"); there {
		a.falconID(id)
	}
	said, there := first(lines, "Sensor operational")
	operational, ok := word(said, "true", "false")
	switch {
	case there && ok && operational:
		a.protects()
	case there && ok:
		a.ails(fact.ModeReduced, fact.ReasonReduced)
	}
	return a.registeredToo()
}

func (a answers) falconID(id string) {
	switch {
	case agentID(id):
		a.observe("registered", fact.Bool(true))
	case id == "" || strings.Trim(id, "0-") == "":
		a.flag("registered", false, fact.ReasonNotRegistered)
	default:
		a.unknown("registered", fact.ReasonMalformed)
	}
}

// registeredToo takes a good word back where the product knows no organisation.
func (a answers) registeredToo() answers {
	if r := a["registered"]; r.state == fact.Observed && r.value == fact.Bool(false) && a["healthy"].value == fact.Bool(true) {
		a.finding("healthy", fact.Bool(false), fact.ReasonNotRegistered)
	}
	return a
}
