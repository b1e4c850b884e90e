package firewall

import "strings"

// Bits of connection tracking's state and of TCP's flags, as nft(8) numbers
// and names them.
const (
	ctInvalid = 1
	ctNew     = 8
	tcpSYN    = 2
)

func ctStates(word string) (uint64, bool) {
	return bitOf(word, map[string]uint64{"invalid": ctInvalid, "established": 2, "related": 4, "new": ctNew, "untracked": 64, "snat": 0, "dnat": 0})
}

func ctStatuses(word string) (uint64, bool) {
	return bitOf(word, map[string]uint64{
		"expected": 1, "seen-reply": 2, "assured": 4, "confirmed": 8, "snat": 16, "dnat": 32, "seq-adjust": 64,
		"snat-done": 128, "dnat-done": 256, "dying": 512, "fixed-timeout": 1024, "template": 2048, "helper": 8192, "offload": 16384,
	})
}

func tcpFlags(word string) (uint64, bool) {
	return bitOf(word, map[string]uint64{
		"fin": 1, "syn": tcpSYN, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ecn": 64, "cwr": 128, "none": 0, "all": 63,
	})
}

func bitOf(word string, names map[string]uint64) (uint64, bool) {
	if n, ok := names[strings.ToLower(word)]; ok {
		return n, true
	}
	return number(word)
}

// sum is the bits of words joined by |.
func sum(value string, names func(string) (uint64, bool)) (uint64, bool) {
	var all uint64
	for _, word := range strings.Split(value, "|") {
		n, ok := names(word)
		if !ok {
			return 0, false
		}
		all |= n
	}
	return all, true
}

// bits compares a field of flags whose value is known. With a mask the value is
// cut down to it first. Otherwise "in" asks for any of the flags, as do all
// comparisons where flags exclude each other, and == for exactly these.
func bits(m match, values []string, names func(string) (uint64, bool), have uint64, exclusive bool) tri {
	mask, ok := ^uint64(0), true
	if len(m.mask) > 0 {
		if mask, ok = sum(strings.Join(m.mask, "|"), names); !ok {
			return opaque
		}
	}
	anyOf := len(m.mask) == 0 && (m.op == "in" || m.op == "!" || exclusive)
	for _, v := range values {
		want, ok := sum(v, names)
		switch {
		case !ok:
			return opaque
		case anyOf && have&want != 0, have&mask == want && (!anyOf || want == 0):
			return yes
		}
	}
	return no
}
