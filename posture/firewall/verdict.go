package firewall

import (
	"cmp"
	"slices"
	"strings"
)

// maxJumps is the kernel's own bound for chains that call chains
// (NFT_JUMP_STACK_SIZE of nf_tables.h).
const maxJumps = 16

// walker sends one kind of packet through a ruleset.
type walker struct {
	family    string // ip or ip6
	proto     string // tcp or udp
	table     *table
	marked    bool // a rule may have set a mark
	untracked bool // a rule may have taken it out of connection tracking
	seen      tri  // connection tracking has seen it before the present chain
	refusing  bool // the present rule drops or rejects what meets it
	known     map[walkKey]walked
	steps     int
}

type walkKey struct {
	table             *table
	chain             string
	in                flow
	seen              tri
	marked, untracked bool
}

type walked struct {
	result
	marked, untracked bool
	running           bool
}

// maxSteps bounds the work on one ruleset, far above what any machine has.
const maxSteps = 1 << 20

// inbound is what becomes of the packets of one IP version, ip or ip6.
func (r *ruleset) inbound(family string) result {
	var all result
	for _, proto := range []string{"tcp", "udp"} {
		w := &walker{family: family, proto: proto, known: map[walkKey]walked{}}
		one := w.hooks(r.bases(family))
		all.may |= one.may
		all.sure |= one.sure
	}
	return all
}

// base is a base chain with its table.
type base struct {
	table *table
	chain *chain
}

// bases lists the base chains that see inbound packets of a family, in order.
func (r *ruleset) bases(family string) []base {
	var out []base
	for _, t := range r.tables {
		if t.dormant || t.id.family != family && t.id.family != "inet" {
			continue
		}
		for _, name := range t.order {
			c := t.chains[name]
			if c.kind == "filter" && (c.hook == "prerouting" || c.hook == "input") {
				out = append(out, base{t, c})
			}
		}
	}
	slices.Reverse(out) // of the same priority the newest is first; they are listed from the oldest on
	slices.SortStableFunc(out, func(a, b base) int {
		return cmp.Or(-strings.Compare(a.chain.hook, b.chain.hook), cmp.Compare(a.chain.prio, b.chain.prio))
	})
	return out
}

// hooks sends packets through all base chains.
func (w *walker) hooks(bases []base) result {
	var all result
	in := surely
	for _, b := range bases {
		one := w.base(b, in)
		all.may |= one.may &^ accepted
		all.sure |= one.sure &^ accepted
		switch {
		case one.sure&accepted != 0:
			in = surely
		case one.may&accepted != 0:
			in = perhaps
		default:
			in = none
		}
	}
	all.add(accepted, in)
	return all
}

// base runs one base chain, whose policy decides what its rules do not.
func (w *walker) base(b base, in flow) result {
	w.table = b.table
	w.seen = tracked(b.chain)
	one := w.chain(b.chain.name, in, 0)
	if b.chain.policy == "drop" {
		one.add(dropped, one.out)
	} else {
		one.add(accepted, one.out)
	}
	if b.table.doubtful && in != none { // perhaps all of it is not in force
		one.sure &= accepted
		one.may |= accepted
	}
	return one
}

// tracked tells whether connection tracking has seen packets before they come to
// a base chain: it is itself on the hook prerouting, with a priority of -200
// (nf_ip_hook_priorities).
func tracked(c *chain) tri {
	const conntrack = -200
	switch {
	case c.hook != "prerouting" || c.prio > conntrack:
		return yes
	case c.prio < conntrack:
		return no
	}
	return opaque // whichever was there first
}

// anything is the result where it cannot be told what a chain does.
func anything(in flow) result {
	return result{out: min(in, perhaps), may: accepted | rejected | dropped}
}

// chain runs one chain, once for each state in which packets may enter it.
func (w *walker) chain(name string, in flow, depth int) result {
	if in == none {
		return result{}
	}
	c, ok := w.table.chains[name]
	if !ok || !c.known || depth > maxJumps {
		return anything(in)
	}
	key := walkKey{w.table, name, in, w.seen, w.marked, w.untracked}
	if done, ok := w.known[key]; ok {
		if done.running { // a circle, which the kernel refuses
			return anything(in)
		}
		w.marked, w.untracked = done.marked, done.untracked
		return done.result
	}
	w.known[key] = walked{running: true}
	var res result
	live := in
	for _, rule := range c.rules {
		if live == none {
			break
		}
		if w.steps++; w.steps > maxSteps {
			return anything(in)
		}
		live = w.rule(rule, live, depth, &res)
	}
	res.out = max(res.out, live)
	w.known[key] = walked{result: res, marked: w.marked, untracked: w.untracked}
	return res
}

// rule runs one rule and tells which packets go on to the next.
func (w *walker) rule(rule []stmt, live flow, depth int, res *result) flow {
	when := yes
	w.refusing = refuses(rule)
	passed := none // packets that went through an earlier decision of this rule
	for _, s := range rule {
		switch s.kind {
		case fixed:
			when = both(when, s.when)
		case condition:
			when = both(when, w.match(*s.match))
		case setsMark:
			w.marked = w.marked || when != no
		case setsNoTrack:
			w.untracked = w.untracked || when != no
		case decision:
			return max(passed, w.take(s.verdict, when, live, depth, res))
		case lookup:
			live = w.lookup(*s.match, when, live, depth, res)
			if live == none {
				return passed
			}
			return max(passed, live) // a key that is not there ends the rule
		case unknownStmt:
			if when != no {
				part := anything(live)
				res.may |= part.may
				live, when = part.out, opaque
				passed = max(passed, live)
			}
		}
		if when == no {
			return max(passed, live)
		}
	}
	return max(passed, live)
}

// refuses is true of a rule that drops or rejects.
func refuses(rule []stmt) bool {
	return slices.ContainsFunc(rule, func(s stmt) bool {
		return s.kind == decision && (s.verdict.action == "drop" || s.verdict.action == "reject")
	})
}

// take carries out a verdict for those packets that meet the conditions and
// tells which packets go on.
func (w *walker) take(v verdict, when tri, live flow, depth int, res *result) flow {
	taken, rest := live, none
	switch when {
	case no:
		return live
	case either:
		rest = live
	case opaque:
		taken, rest = min(live, perhaps), min(live, perhaps)
	}
	switch v.action {
	case "accept":
		res.add(accepted, taken)
	case "drop":
		res.add(dropped, taken)
	case "reject":
		res.add(rejected, taken)
	case "return":
		res.out = max(res.out, taken)
	case "continue":
		return live
	case "jump", "goto":
		sub := w.chain(v.target, taken, depth+1)
		res.may |= sub.may
		res.sure |= sub.sure
		if v.action == "goto" {
			res.out = max(res.out, sub.out)
			return rest
		}
		if sub.may == 0 { // a chain that decides nothing, such as one that only logs
			return live
		}
		return max(rest, sub.out)
	case "queue": // a program decides
		res.add(accepted|dropped, min(taken, perhaps))
	default: // it is not known what does
		res.add(accepted|rejected|dropped, min(taken, perhaps))
	}
	return rest
}

// lookup runs a verdict map: at most one of its keys meets a packet.
func (w *walker) lookup(m match, when tri, live flow, depth int, res *result) flow {
	elems, partial := m.elems, false
	if m.set != "" {
		named, ok := w.table.sets[m.set]
		if !ok {
			res.add(accepted|rejected|dropped, perhaps)
			return min(live, perhaps)
		}
		elems, partial = named.elems, named.partial
		if w.steps += len(elems); w.steps > maxSteps {
			res.add(accepted|rejected|dropped, perhaps)
			return min(live, perhaps)
		}
	}
	rest := live
	for _, e := range elems {
		w.refusing = e.verdict.action == "drop"
		one := match{fields: m.fields, mask: m.mask, op: "==", values: [][]string{e.key}}
		if len(e.key) == 1 && e.key[0] == "*" {
			rest = w.take(e.verdict, when, rest, depth, res)
			continue
		}
		if rest = w.take(e.verdict, both(when, w.match(one)), rest, depth, res); rest == none {
			break
		}
	}
	if partial && rest != none {
		res.may |= accepted | rejected | dropped
		rest = perhaps
	}
	return rest
}
