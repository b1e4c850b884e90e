package edr

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/fact"
)

func mdatpFields() []string {
	return []string{"mode", "registered", "tamper_protected", "version", "signatures_at"}
}

// mdatp asks Microsoft Defender for Endpoint on Linux and macOS (Microsoft
// Learn, "Investigate agent health issues"), in JSON or else in words.
func mdatp(ctx context.Context, q question) (answers, fact.Reason) {
	text, why := q.run(ctx, "mdatp", "health", "--output", "json")
	if said, ok := parseMdatpJSON(text); ok {
		return said.answers(q.now().Location()), ""
	}
	if final(why) {
		return answers{}, why
	}
	text, reason := q.run(ctx, "mdatp", "health")
	if said := parseMdatpText(text); len(said) > 0 {
		return said.answers(q.now().Location()), ""
	}
	if why != "" && reason != "" {
		return answers{}, why
	}
	return answers{}, fact.ReasonUnreadable
}

// mdatpSaid is what `mdatp health` says, by name without underscores in lower
// case: real_time_protection_enabled and realTimeProtectionEnabled are one.
type mdatpSaid map[string]string

func mdatpName(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }

// parseMdatpJSON reads the object that --output json prints, perhaps below
// lines of warning. A value that somebody may set is inside another object.
func parseMdatpJSON(text string) (mdatpSaid, bool) {
	start := strings.IndexByte(text, '{')
	if start < 0 {
		return nil, false
	}
	var raw map[string]json.RawMessage
	if err := json.NewDecoder(strings.NewReader(text[start:])).Decode(&raw); err != nil {
		return nil, false
	}
	said := mdatpSaid{}
	for name, v := range raw {
		var wrapped struct {
			Value json.RawMessage `json:"value"`
			Type  *string         `json:"$type"`
		}
		if len(v) > 0 && v[0] == '{' && json.Unmarshal(v, &wrapped) == nil {
			if v = wrapped.Value; v == nil && wrapped.Type != nil {
				said[mdatpName(name)] = *wrapped.Type
				continue
			}
		}
		var s string
		switch {
		case json.Unmarshal(v, &s) == nil:
			said[mdatpName(name)] = s
		case len(v) > 0 && v[0] != '[' && v[0] != '{' && string(v) != "null":
			said[mdatpName(name)] = string(v)
		}
	}
	_, there := said["healthy"]
	return said, there
}

// parseMdatpText reads the lines "name : value" with strings in quotes and a
// mark behind what the organisation set.
func parseMdatpText(text string) mdatpSaid {
	said := mdatpSaid{}
	for _, p := range pairs(text) {
		value, _, _ := strings.Cut(p.value, " [managed]")
		if value = strings.TrimSpace(value); len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
			value = value[1 : len(value)-1]
		}
		if !strings.ContainsAny(p.name, " \t") && value != "..." {
			said[mdatpName(p.name)] = value
		}
	}
	for _, name := range []string{"healthy", "realtimeprotectionenabled", "appversion"} {
		if _, there := said[name]; there {
			return said
		}
	}
	return nil
}

func (m mdatpSaid) flag(name string) (value, ok bool) { return word(m[name], "true", "false") }

func (m mdatpSaid) answers(zone *time.Location) answers {
	a := answers{}
	a.version(m["appversion"])
	m.protection(a)
	if level, there := m["tamperprotection"]; there {
		switch strings.ToLower(level) {
		case "block":
			a.observe("tamper_protected", fact.Bool(true))
		case "audit", "disabled":
			a.observe("tamper_protected", fact.Bool(false))
		}
	}
	org, there := m["orgid"]
	licensed, told := m.flag("licensed")
	switch {
	case told && !licensed, there && (org == "" || strings.EqualFold(org, "unavailable")):
		a.flag("registered", false, fact.ReasonNotRegistered)
	case there:
		a.observe("registered", fact.Bool(true))
	}
	if at, ok := mdatpTime(m["definitionsupdated"], zone); ok {
		a.observe("signatures_at", fact.Time(at))
	}
	return a
}

// protection judges healthy and mode: the product calls itself healthy in
// passive mode, too, in which it blocks nothing.
func (m mdatpSaid) protection(a answers) {
	healthy, toldHealthy := m.flag("healthy")
	realTime, toldReal := m.flag("realtimeprotectionenabled")
	available, toldAvailable := m.flag("realtimeprotectionavailable")
	passive, toldPassive := m.flag("passivemodeenabled")
	old := strings.ToLower(strings.ReplaceAll(m["definitionsstatus"], "_", ""))
	switch {
	case toldPassive && passive:
		a.ails(fact.ModePassive, fact.ReasonReduced)
	case toldReal && !realTime, toldAvailable && !available:
		a.ails(fact.ModeReduced, fact.ReasonReduced)
	case toldReal && toldHealthy && !healthy:
		a.ails(fact.ModeReduced, fact.ReasonReduced)
	case toldHealthy && !healthy:
		a.flag("healthy", false, fact.ReasonReduced)
	case toldReal:
		a.observe("mode", fact.Str(fact.ModeActive))
		if toldHealthy {
			a.observe("healthy", fact.Bool(true))
		}
	}
	if a["healthy"].value == fact.Bool(true) && (old == "outofdate" || old == "notuptodate" || old == "neverupdated") {
		a.finding("healthy", fact.Bool(false), fact.ReasonOldDefinitions)
	}
}

// mdatpTime reads milliseconds since 1970, as in JSON, or the machine's local
// time in words.
func mdatpTime(s string, zone *time.Location) (time.Time, bool) {
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil {
		at := time.UnixMilli(ms).UTC()
		return at, ms > 0 && at.Year() < 9999
	}
	at, err := time.ParseInLocation("Jan 02, 2006 at 03:04:05 PM", s, zone)
	return at, err == nil
}
