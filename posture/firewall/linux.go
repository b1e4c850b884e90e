package firewall

import (
	"context"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// ipVersion is one of the two address families with the names it has: of
// nftables, in facts, and of what belongs to it in iptables.
type ipVersion struct {
	family, key, names, save, legacySave string
}

func ipVersions() []ipVersion {
	return []ipVersion{
		{"ip", "ipv4", "/proc/net/ip_tables_names", "iptables", "iptables-legacy-save"},
		{"ip6", "ipv6", "/proc/net/ip6_tables_names", "ip6tables", "ip6tables-legacy-save"},
	}
}

// finding is what is known of one IP version.
type finding struct {
	result
	why fact.Reason // why it is not certain
}

// linux evaluates what the kernel's packet filter does, whoever set it. Rules
// of nftables and of the legacy interface of iptables are in force side by
// side, and a packet that one of them refuses is refused.
func linux(ctx context.Context, r *evidence.Reading) fact.Signal {
	f := newFilter(ctx, r)
	found := map[string]finding{}
	var six ipv6State
	for _, v := range ipVersions() {
		one := f.evaluate(v)
		if v.family == "ip6" {
			if filtered, certain := one.filtered(); !filtered || !certain || one.why != "" {
				six = ipv6Switched(ctx, r)
			}
		}
		found[v.key] = one
	}
	if six == ipv6Off {
		r.Observe("active", "ipv6", fact.Bool(false))
		delete(found, "ipv6")
	}
	why := state(r, found)
	nobody := why
	if why == fact.ReasonUnsupported { // all rules were read
		nobody = fact.ReasonNotFound
	}
	describe(ctx, r, f.rules, nobody)
	return r.Signal(why)
}

// state sets the facts of each IP version and of both together, and gives the
// reason why something is not known.
func state(r *evidence.Reading, found map[string]finding) fact.Reason {
	why := fact.ReasonUnsupported // stealth and block_all have no source here
	open, sure, words, weakest := false, true, true, fact.InboundDrop
	var unsure fact.Reason
	for _, v := range ipVersions() {
		one, ok := found[v.key]
		if !ok {
			continue
		}
		filtered, certain := one.known()
		word, exact := one.word()
		exact = exact && certain && (filtered || word == fact.InboundAccept)
		if certain {
			r.Observe("enabled", v.key, fact.Bool(filtered))
			open = open || !filtered
		} else {
			r.Unknown("enabled", v.key, one.reason())
			sure = false
		}
		if exact {
			r.Observe("default_inbound", v.key, fact.Str(word))
			weakest = weaker(weakest, word)
		} else {
			r.Unknown("default_inbound", v.key, one.reason())
			words = false
		}
		if !certain || !exact {
			unsure = firstOf(unsure, one.reason())
		}
	}
	switch {
	case open:
		r.Observe("enabled", "", fact.Bool(false))
		r.Observe("default_inbound", "", fact.Str(fact.InboundAccept))
		return why
	case sure:
		r.Observe("enabled", "", fact.Bool(true))
	default:
		r.Unknown("enabled", "", unsure)
		why = unsure
	}
	if words {
		r.Observe("default_inbound", "", fact.Str(weakest))
	} else {
		r.Unknown("default_inbound", "", unsure)
	}
	return why
}

// firstOf is the first of two words that is not empty.
func firstOf[T ~string](a, b T) T {
	if a != "" {
		return a
	}
	return b
}

// known tells whether this IP version is filtered, and whether that is
// certain. Where a source is missing, what the others refuse is refused still.
func (f finding) known() (filtered, certain bool) {
	filtered, certain = f.filtered()
	if f.why != "" && !filtered {
		return false, false
	}
	return filtered, certain
}

func (f finding) reason() fact.Reason { return firstOf(f.why, fact.ReasonUnreadable) }

// weaker is the one of two defaults that lets more through.
func weaker(a, b string) string {
	for _, w := range []string{fact.InboundAccept, fact.InboundReject} {
		if a == w || b == w {
			return w
		}
	}
	return fact.InboundDrop
}

type ipv6State bool

// ipv6Off: no packet of IPv6 is taken in.
const ipv6Off ipv6State = true

// ipv6Switched tells whether IPv6 is off: it was switched off when the system
// started (Documentation/networking/ipv6: disable=1), the kernel has none, or
// every interface but loopback, those to come included, has it disabled
// (ip-sysctl: disable_ipv6).
func ipv6Switched(ctx context.Context, r *evidence.Reading) ipv6State {
	m := r.Machine()
	const module = "/sys/module/ipv6/parameters/disable"
	if oneIn(ctx, m, module) {
		r.From(module)
		return ipv6Off
	}
	names, err := m.ReadDir(ctx, "/proc/sys/net")
	if err != nil || !contains(names, "ipv4") {
		return false
	}
	if !contains(names, "ipv6") {
		r.From("/proc/sys/net")
		return ipv6Off
	}
	const conf = "/proc/sys/net/ipv6/conf"
	faces, err := m.ReadDir(ctx, conf)
	if err != nil || !contains(faces, "default") || len(faces) > 64 {
		return false
	}
	for _, face := range faces {
		if face != "lo" && !oneIn(ctx, m, conf+"/"+face+"/disable_ipv6") {
			return false
		}
	}
	r.From(conf + "/*/disable_ipv6")
	return ipv6Off
}

func oneIn(ctx context.Context, m evidence.Machine, path string) bool {
	data, err := m.ReadFile(ctx, path)
	return err == nil && strings.TrimSpace(string(data)) == "1"
}
