package firewall

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// interfaceIs answers for the name of the interface. Names, and patterns that
// end in *, pick out some; what is left is any other that is not loopback.
func interfaceIs(values []string) tri {
	for _, v := range values {
		if v == "*" || v == "+" {
			return yes
		}
		if v == "" || strings.ContainsAny(v[:1], "<>") {
			return opaque
		}
	}
	return no
}

// word is yes where one of the values is one of the words, otherwise no.
func word(values, words []string) tri {
	return oneWord(values, words, nil)
}

// oneWord answers by lists of the words that fit, and of those that do not;
// without the second list every other word does not.
func oneWord(values, fit, unfit []string) tri {
	answer := no
	for _, v := range values {
		switch {
		case contains(fit, v):
			return yes
		case unfit != nil && !contains(unfit, v), strings.ContainsAny(v, "<>-"):
			answer = opaque
		}
	}
	return answer
}

func contains(words []string, v string) bool {
	for _, w := range words {
		if strings.EqualFold(w, v) {
			return true
		}
	}
	return false
}

// familyWords are the ways to write an IP version: as nfproto, as Ethernet
// type, as number of the address family.
func familyWords(family string) []string {
	if family == "ip" {
		return []string{"ip", "ipv4", "2", "0x0800", "0x800", "2048"}
	}
	return []string{"ip6", "ipv6", "10", "0x86dd", "34525"}
}

// protocolIs answers for the transport protocol, by name, number or range of
// numbers (IANA's Protocol Numbers).
func protocolIs(values []string, proto string) tri {
	n := uint64(6)
	if proto == "udp" {
		n = 17
	}
	answer := no
	for _, v := range values {
		if lo, hi, ok := span(v, 255); ok {
			if lo <= n && n <= hi {
				return yes
			}
			continue
		}
		switch {
		case v == proto || v == "all" || v == "any":
			return yes
		case strings.ContainsAny(v, "<>"):
			answer = opaque
		}
	}
	return answer
}

// ports answers for port numbers. The packets are those to a port that no rule
// names: values meet all of them when they cover lo to hi, for destinations the
// system ports (RFC 6335), so that a range above these, as some desktops open
// for their user, still names what it opens; for sources the dynamic ports,
// which clients use.
func ports(values []string, lo, hi uint64) tri {
	ranges := make([][2]uint64, 0, len(values))
	for _, v := range values {
		from, to, ok := span(v, 65535)
		switch {
		case ok && from <= hi && to >= lo:
			ranges = append(ranges, [2]uint64{from, min(to, 65535)})
		case !ok && !service(v):
			return opaque
		}
	}
	slices.SortFunc(ranges, func(a, b [2]uint64) int { return cmp.Compare(a[0], b[0]) })
	next := lo // the lowest port that is not covered yet
	for _, r := range ranges {
		if r[0] <= next && r[1] >= next {
			next = r[1] + 1
		}
	}
	if next > hi {
		return yes
	}
	return no
}

// service is true of a name from the list of services, which stands for one port.
func service(v string) bool {
	if v == "" || strings.ContainsAny(v, "<>@|&!") {
		return false
	}
	return v[0] >= 'a' && v[0] <= 'z' || v[0] >= 'A' && v[0] <= 'Z'
}

// span reads a number, a range, or a comparison as the numbers from lo to hi.
func span(v string, most uint64) (lo, hi uint64, ok bool) {
	op := strings.TrimRight(v[:min(2, len(v))], "0123456789 x")
	if op == "<" || op == "<=" || op == ">" || op == ">=" {
		n, ok := number(strings.TrimSpace(v[len(op):]))
		switch {
		case !ok, op == "<" && n == 0:
			return 0, 0, false
		case op == "<":
			return 0, n - 1, true
		case op == "<=":
			return 0, n, true
		case op == ">":
			return n + 1, most, true
		}
		return n, most, true
	}
	from, to, ranged := strings.Cut(v, "-")
	if lo, ok = number(from); !ok {
		return 0, 0, false
	}
	if !ranged {
		return lo, lo, true
	}
	hi, ok = number(to)
	return lo, hi, ok
}

func number(s string) (uint64, bool) {
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		n, err = strconv.ParseUint(s, 10, 64) // leading zeroes
	}
	return n, err == nil
}

// fib answers for what the routing table says of an address (fib expression of
// nft(8), addrtype and rpfilter of iptables-extensions(8)): the destination is
// this machine's own, the source is somebody else's and is routed back.
func fib(field string, values []string) tri {
	switch {
	case strings.HasSuffix(field, " type") && strings.Contains(field, "daddr"):
		return word(values, []string{"local", "2"})
	case strings.HasSuffix(field, " type"):
		return word(values, []string{"unicast", "1"})
	case strings.HasSuffix(field, " oif"), strings.HasSuffix(field, " oifname"), strings.HasSuffix(field, " check"):
		if len(values) == 1 {
			switch values[0] {
			case "0", "missing", "false", "":
				return no
			case "1", "exists", "true":
				return yes
			}
		}
	}
	return opaque
}
