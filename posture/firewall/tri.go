package firewall

import "github.com/postern-zt/postern/posture/fact"

// What is asked of a ruleset: what becomes of a packet that opens a connection
// (TCP with SYN, or UDP; connection tracking says "new") to this machine,
// arrives on an interface other than loopback, and that no rule names. It goes
// through the base chains of type filter on the hooks prerouting and input, in
// the order of their priority; each has to let it pass, one that refuses it is
// enough. Netdev and bridge tables are left out, since they belong to single
// devices, and so are chains of type nat, which are not made to filter.
//
// Each condition of a rule has one of four answers for such packets (tri):
//
//	yes     all of them meet it: ct state new, iifname != "lo", 0.0.0.0/0, everything
//	        but a named few (saddr != 10.0.0.0/8)
//	no      none does: established, loopback, ICMP, and whatever names a few: a port,
//	        an address or network, an interface. Such a rule opens or closes what it
//	        names, which is not the default
//	either  some do and some do not: a limit of rate, half of all addresses. Both ways
//	        are followed and the one that lets more through counts
//	opaque  cannot be told: an expression that is not understood. Both ways are
//	        followed too, but only what both agree on is said
//
// The default is the weakest of what happens to TCP and to UDP, since "all of
// TCP is accepted" leaves nothing of a filter.
type tri uint8

const (
	opaque tri = iota
	no
	either
	yes
)

// both is the answer of two conditions that have to hold together.
func both(a, b tri) tri {
	switch {
	case a == no || b == no:
		return no
	case a == opaque || b == opaque:
		return opaque
	case a == either || b == either:
		return either
	}
	return yes
}

// oneOf is the answer of two conditions of which one has to hold.
func oneOf(a, b tri) tri {
	switch {
	case a == yes || b == yes:
		return yes
	case a == opaque || b == opaque:
		return opaque
	case a == either || b == either:
		return either
	}
	return no
}

func not(a tri) tri {
	switch a {
	case yes:
		return no
	case no:
		return yes
	}
	return a
}

// flow says whether packets get to a place in the rules.
type flow uint8

const (
	none flow = iota
	perhaps
	surely
)

// outcomes is a set of what may become of packets.
type outcomes uint8

const (
	accepted outcomes = 1 << iota
	rejected
	dropped
)

// result is what a chain does to the packets that enter it.
type result struct {
	out  flow     // they leave it undecided
	may  outcomes // what may become of them
	sure outcomes // what becomes of some of them for certain
}

func (r *result) add(o outcomes, f flow) {
	if f != none {
		r.may |= o
	}
	if f == surely {
		r.sure |= o
	}
}

// word is the default that stands for the outcomes, the weakest, and whether
// it is certain.
func (r result) word() (string, bool) {
	names := []struct {
		o    outcomes
		word string
	}{{accepted, fact.InboundAccept}, {rejected, fact.InboundReject}, {dropped, fact.InboundDrop}}
	for _, n := range names {
		if r.may&n.o != 0 {
			return n.word, r.sure&n.o != 0 || r.may == n.o
		}
	}
	return fact.InboundDrop, true
}

// filtered tells whether packets are refused by default, and whether that is
// certain.
func (r result) filtered() (filtered, certain bool) {
	if r.may&accepted == 0 {
		return true, true
	}
	return false, r.sure&accepted != 0 || r.may == accepted
}
