package firewall

import (
	"context"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// profile is what one of the three profiles of Windows Defender Firewall does,
// as one source tells it.
type profile struct {
	enabled  *bool
	block    *bool // inbound traffic that no rule names is blocked
	blockAll *bool // exceptions do not count
	stealth  *bool
	manager  string // who set enabled: group-policy, mdm; empty: nobody but this machine
}

// profileNames are the profiles' names in facts.
func profileNames() []string { return []string{"domain", "private", "public"} }

// told is one source with what it tells of each profile.
type told struct {
	source   string
	live     bool // the firewall's service itself answered
	profiles map[string]profile
	current  *uint32 // bits of NET_FW_PROFILE_TYPE2, those in use
	why      fact.Reason
}

func (t told) usable() bool { return t.why == "" && len(t.profiles) > 0 }

// windows reads the three profiles of Windows Defender Firewall from its
// interface INetFwPolicy2 and from the registry; which of them is in use
// changes with the network, so that all have to be on. A profile that is on
// does nothing while one of the two services that carry it out is stopped.
func windows(ctx context.Context, r *evidence.Reading) fact.Signal {
	m := r.Machine()
	com, reg := askPolicy(ctx, r), readRegistry(ctx, r)
	if !com.usable() && !reg.usable() {
		if shown := runNetsh(ctx, r); shown.usable() {
			reg = shown
		}
	}
	if !com.usable() && !reg.usable() {
		return r.Conclude(fact.Unknown, firstOf(reg.why, com.why))
	}
	running, why := services(ctx, m)
	switch {
	case why == "":
		r.From("services mpssvc, BFE")
	case refused(why): // the list could have said that one of them is stopped
	case com.usable() || reg.live: // answered by mpssvc, which BFE has to run for
		running, why = true, ""
	}
	w := windowsReading{r: r, first: com, second: reg, running: running, why: why}
	if !com.usable() {
		w.first, w.second = reg, told{}
	}
	w.profiles()
	w.thirdParty(ctx)
	return r.Signal(firstOf(why, fact.ReasonUnsupported))
}

// services tells whether the services run that filtering depends on: Windows
// Defender Firewall and the Base Filtering Engine.
func services(ctx context.Context, m evidence.Machine) (bool, fact.Reason) {
	list, err := m.Services(ctx)
	if err != nil {
		return false, evidence.ReasonOf(err)
	}
	known, running := 0, 0
	for _, s := range list {
		if !strings.EqualFold(s.Name, "mpssvc") && !strings.EqualFold(s.Name, "BFE") {
			continue
		}
		known++
		switch s.State {
		case "running":
			running++
		case "stopped", "paused", "start-pending", "stop-pending", "pause-pending", "continue-pending":
		default:
			return false, fact.ReasonUnreadable
		}
	}
	if known < 2 && running == known { // one is not listed, the other runs
		return false, fact.ReasonNotFound
	}
	return running == known, ""
}

// windowsReading sets the facts from one or two sources.
type windowsReading struct {
	r             *evidence.Reading
	first, second told
	running       bool
	why           fact.Reason // why it is not known whether the services run
}

// answer is what both sources say together of one question.
type answer struct {
	value    bool
	state    fact.State
	why      fact.Reason
	a, b     fact.Value
	conflict bool
}

// ask compares both sources for one profile.
func (w windowsReading) ask(name string, pick func(profile) *bool) answer {
	one := pick(w.first.profiles[name])
	other := pick(w.second.profiles[name])
	switch {
	case one == nil && other == nil:
		return answer{state: fact.Unknown, why: fact.ReasonNotFound}
	case one != nil && other != nil && *one != *other:
		return answer{state: fact.Conflict, conflict: true, a: fact.Bool(*one), b: fact.Bool(*other)}
	case one == nil:
		one = other
	}
	return answer{state: fact.Observed, value: *one}
}

// enabled is whether one profile filters, services considered.
func (w windowsReading) enabled(name string) answer {
	on := w.ask(name, func(p profile) *bool { return p.enabled })
	if on.state != fact.Observed || !on.value {
		return on
	}
	switch {
	case w.why != "":
		return answer{state: fact.Unknown, why: w.why}
	case !w.running:
		return answer{state: fact.Observed, why: fact.ReasonNotRunning}
	}
	return on
}

// inbound is what one profile does to traffic that no rule names.
func (w windowsReading) inbound(name string, on answer) answer {
	if on.state != fact.Observed || !on.value {
		return on
	}
	if all := w.ask(name, func(p profile) *bool { return p.blockAll }); all.state == fact.Observed && all.value {
		return all
	}
	return w.ask(name, func(p profile) *bool { return p.block })
}

// profiles sets the facts of each profile and those of all together.
func (w windowsReading) profiles() {
	words := func(v fact.Value) fact.Value { return inboundWord(v.String() == "true") }
	var on, in, all, quiet []answer
	for _, name := range profileNames() {
		enabled := w.enabled(name)
		w.set("enabled", name, enabled, func(v fact.Value) fact.Value { return v })
		inbound := w.inbound(name, enabled)
		inbound.why = reasonUnlessSeen(inbound)
		w.set("default_inbound", name, inbound, words)
		on, in = append(on, enabled), append(in, inbound)
		all = append(all, w.whereOn(name, enabled, func(p profile) *bool { return p.blockAll }))
		quiet = append(quiet, w.whereOn(name, enabled, func(p profile) *bool { return p.stealth }))
		w.active(name)
	}
	w.set("enabled", "", together(on), func(v fact.Value) fact.Value { return v })
	inbound := together(in)
	inbound.why = reasonUnlessSeen(inbound)
	w.set("default_inbound", "", inbound, words)
	w.set("block_all", "", together(all), func(v fact.Value) fact.Value { return v })
	w.set("stealth", "", together(quiet), func(v fact.Value) fact.Value { return v })
	w.manager()
}

// whereOn answers a question that only a profile that is on can answer with yes.
func (w windowsReading) whereOn(name string, on answer, pick func(profile) *bool) answer {
	if on.state != fact.Observed || !on.value {
		return on
	}
	return w.ask(name, pick)
}

// reasonUnlessSeen leaves a reason only on what is not known: "not running"
// explains enabled, not what follows from it.
func reasonUnlessSeen(a answer) fact.Reason {
	if a.state == fact.Observed {
		return ""
	}
	return a.why
}

func inboundWord(block bool) fact.Value {
	if block {
		return fact.Str(fact.InboundDrop)
	}
	return fact.Str(fact.InboundAccept)
}

// together is the answer for all profiles: no as soon as one says no.
func together(list []answer) answer {
	out := answer{state: fact.Observed, value: true}
	for _, a := range list {
		switch {
		case a.state == fact.Observed && !a.value:
			return a
		case a.conflict && !out.conflict, a.state == fact.Unknown && out.state == fact.Observed:
			out = a
		}
	}
	return out
}

// set puts one answer into the report.
func (w windowsReading) set(field, key string, a answer, show func(fact.Value) fact.Value) {
	switch {
	case a.conflict:
		w.r.Conflict(field, key, show(a.a), w.first.source, show(a.b), w.second.source)
	case a.state == fact.Unknown:
		w.r.Unknown(field, key, a.why)
	case a.why != "":
		w.r.Finding(field, key, show(fact.Bool(a.value)), a.why)
	default:
		w.r.Observe(field, key, show(fact.Bool(a.value)))
	}
}

// active says whether a network of the profile is connected.
func (w windowsReading) active(name string) {
	bit := map[string]uint32{"domain": 1, "private": 2, "public": 4}[name] // NET_FW_PROFILE_TYPE2
	if w.first.current != nil {
		w.r.Observe("active", name, fact.Bool(*w.first.current&bit != 0))
	}
}

// manager says whether a group policy sets the profiles.
func (w windowsReading) manager() {
	who := "local"
	for _, name := range profileNames() {
		who = firstOf(w.first.profiles[name].manager, firstOf(w.second.profiles[name].manager, who))
	}
	w.r.Observe("manager", "", fact.Str(who))
}
