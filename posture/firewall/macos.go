package firewall

import (
	"context"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// alf is what one source says of macOS's application firewall: its state (0
// off, 1 on, 2 on and blocking what is not essential), and two switches.
type alf struct {
	source   string
	state    *int
	stealth  *bool
	blockAll *bool
	why      fact.Reason
}

// macos asks the application firewall through its tool, and holds what its
// settings say against it. The packet filter pf does not count: it is on or
// off by itself, and is off unless somebody wrote rules for it.
func macos(ctx context.Context, r *evidence.Reading) fact.Signal {
	tool := runSocketFilter(ctx, r)
	if tool.state == nil {
		if shown := runProfiler(ctx, r); shown.state != nil {
			tool = shown
		}
	}
	settings := readSettings(ctx, r)
	switch {
	case tool.state == nil && settings.state == nil:
		describeMac(ctx, r)
		return r.Signal(firstOf(tool.why, fact.ReasonUnreadable))
	case tool.state == nil: // up to macOS 14 the file is as good as the tool, which writes it
		tool, settings = settings, alf{}
	}
	setAlf(r, tool, settings)
	describeMac(ctx, r)
	return r.Signal(fact.ReasonUnsupported)
}

// setAlf sets the facts from a source and, where there is one, a second.
func setAlf(r *evidence.Reading, a, b alf) {
	on := *a.state != 0
	if b.state != nil && on != (*b.state != 0) {
		r.Conflict("enabled", "", fact.Bool(on), a.source, fact.Bool(!on), b.source)
		for _, field := range []string{"default_inbound", "stealth", "block_all"} {
			r.Unknown(field, "", fact.ReasonDisagree)
		}
		return
	}
	r.Observe("enabled", "", fact.Bool(on))
	if !on { // its switches have no effect
		r.Observe("default_inbound", "", fact.Str(fact.InboundAccept))
		r.Observe("stealth", "", fact.Bool(false))
		r.Observe("block_all", "", fact.Bool(false))
		return
	}
	blockAll := a.blockAll
	if *a.state == 2 {
		all := true
		if blockAll != nil && !*blockAll {
			r.Conflict("block_all", "", fact.Bool(true), a.source, fact.Bool(false), a.source)
			r.Unknown("default_inbound", "", fact.ReasonDisagree)
			setSwitch(r, "stealth", a, a.stealth, b, b.stealth)
			return
		}
		blockAll = &all
	}
	other := b.blocks()
	setSwitch(r, "block_all", a, blockAll, b, other)
	switch {
	case blockAll != nil && other != nil && *blockAll != *other:
		r.Unknown("default_inbound", "", fact.ReasonDisagree)
	case blockAll != nil && *blockAll:
		r.Observe("default_inbound", "", fact.Str(fact.InboundDrop))
	default: // each program has its own answer, so that there is no one default
		r.Unknown("default_inbound", "", fact.ReasonUnsupported)
	}
	setSwitch(r, "stealth", a, a.stealth, b, b.stealth)
}

// blocks is what a source's state says of blocking, where it has one.
func (a alf) blocks() *bool {
	if a.blockAll != nil || a.state == nil {
		return a.blockAll
	}
	all := *a.state == 2
	return &all
}

// setSwitch sets a switch that one or both sources tell.
func setSwitch(r *evidence.Reading, field string, a alf, one *bool, b alf, other *bool) {
	switch {
	case one != nil && other != nil && *one != *other:
		r.Conflict(field, "", fact.Bool(*one), a.source, fact.Bool(*other), b.source)
	case one != nil:
		r.Observe(field, "", fact.Bool(*one))
	case other != nil:
		r.Observe(field, "", fact.Bool(*other))
	case a.why != "":
		r.Unknown(field, "", a.why)
	default:
		r.Unknown(field, "", fact.ReasonNotFound)
	}
}

// runSocketFilter asks for everything in one run; recordings may hold one run
// for each question.
func runSocketFilter(ctx context.Context, r *evidence.Reading) alf {
	questions := []string{"--getglobalstate", "--getblockall", "--getstealthmode"}
	runs := [][]string{
		questions,
		{"--getglobalstate", "--getblockall", "--getallowsigned", "--getstealthmode", "--getloggingmode", "--getloggingopt"},
		{"--getglobalstate", "--getblockall", "--getallowsigned", "--getstealthmode"},
	}
	var first alf
	for i, args := range runs {
		one := askSocketFilter(ctx, r, args)
		if one.state != nil {
			return one
		}
		if i == 0 {
			first = one
		}
		if final(one.why) {
			return one
		}
	}
	all := alf{source: "socketfilterfw", why: first.why}
	for _, q := range questions {
		one := askSocketFilter(ctx, r, []string{q})
		all.state, all.stealth, all.blockAll = orPointer(all.state, one.state), orPointer(all.stealth, one.stealth), orPointer(all.blockAll, one.blockAll)
		if one.why != "" && (all.why == "" || q == questions[0]) {
			all.why = one.why
		}
	}
	return all
}

func orPointer[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

func askSocketFilter(ctx context.Context, r *evidence.Reading, args []string) alf {
	out, err := evidence.Text(ctx, r.Machine(), "socketfilterfw", args...)
	if err != nil {
		return alf{why: evidence.ReasonOf(err)}
	}
	one := parseSocketFilter(string(out))
	one.source = "socketfilterfw"
	if one.state == nil && one.stealth == nil && one.blockAll == nil {
		one.why = fact.ReasonUnreadable
		return one
	}
	r.From("socketfilterfw " + strings.Join(args, " "))
	return one
}

// describeMac says whether a configuration profile sets the firewall
// (com.apple.security.firewall: EnableFirewall, EnableStealthMode,
// BlockAllIncoming). What is in force is what the firewall itself says.
func describeMac(ctx context.Context, r *evidence.Reading) {
	const managed = "/Library/Managed Preferences/com.apple.security.firewall.plist"
	_, err := r.Machine().Stat(ctx, managed)
	switch why := evidence.ReasonOf(err); {
	case err == nil:
		r.From(managed)
		r.Observe("manager", "", fact.Str("mdm"))
	case why == fact.ReasonNotFound:
		r.Observe("manager", "", fact.Str("local"))
	default:
		r.Unknown("manager", "", why)
	}
}
