package firewall

import "strings"

// match answers whether the packets meet a comparison.
func (w *walker) match(m match) tri {
	values, partial := m.values, false
	if m.set != "" {
		named, ok := w.table.sets[m.set]
		if !ok {
			return opaque
		}
		values, partial = nil, named.partial
		if w.steps += len(named.elems); w.steps > maxSteps {
			return opaque
		}
		for _, e := range named.elems {
			values = append(values, e.key)
		}
	}
	answer := w.member(m, values)
	if partial && answer != yes {
		answer = opaque
	}
	if m.op == "!=" || m.op == "!" {
		for _, f := range m.fields {
			if w.foreign(f) { // the rule is for another protocol, whatever it compares
				return no
			}
		}
		return not(answer)
	}
	return answer
}

// member answers whether the fields have one of the values.
func (w *walker) member(m match, values [][]string) tri {
	if len(m.fields) == 1 {
		all := make([]string, 0, len(values))
		for _, v := range values {
			if len(v) != 1 {
				return opaque
			}
			if v[0] == "*" {
				return yes
			}
			all = append(all, v[0])
		}
		return w.field(m.fields[0], m, all)
	}
	answer := no
	for _, v := range values {
		if len(v) != len(m.fields) {
			return opaque
		}
		one := yes
		for i, f := range m.fields {
			one = both(one, w.field(f, match{op: "=="}, v[i:i+1]))
		}
		answer = oneOf(answer, one)
	}
	return answer
}

// foreign is true of fields that these packets do not have, which nft(8) makes a
// condition of its own.
func (w *walker) foreign(field string) bool {
	header, _, _ := strings.Cut(field, " ")
	switch header {
	case "ct": // without an entry of connection tracking there is but a state
		return w.seen == no && field != "ct state"
	case "ip", "ip6":
		return header != w.family
	case "tcp", "udp":
		return header != w.proto
	case "icmp", "icmpv6", "igmp", "sctp", "dccp", "esp", "ah", "comp", "udplite", "gre", "arp", "vlan",
		"hbh", "frag", "rt0", "rt2", "srh", "mh", "dst", "vxlan", "geneve", "gretap":
		return true
	}
	return false
}

// field answers for one field, by what is known of the packets.
func (w *walker) field(field string, m match, values []string) tri {
	if w.foreign(field) {
		return no
	}
	switch field {
	case "iifname", "iif":
		return interfaceIs(values)
	case "iiftype":
		return oneWord(values, nil, []string{"loopback", "772"})
	case "nfproto", "protocol", "ether type":
		return word(values, familyWords(w.family))
	case "l4proto", "ip protocol", "ip6 nexthdr":
		return protocolIs(values, w.proto)
	case "pkttype":
		return oneWord(values, []string{"host", "unicast", "0"}, []string{"broadcast", "multicast", "other", "1", "2", "3"})
	case "ct state":
		return w.tracking(bits(m, values, ctStates, w.state(), true))
	case "ct status":
		return w.tracking(bits(m, values, ctStatuses, 0, false))
	case "ct direction":
		return w.tracking(oneWord(values, []string{"original", "0"}, []string{"reply", "1"}))
	case "tcp flags":
		return bits(m, values, tcpFlags, tcpSYN, false)
	case "mark", "ct mark":
		return w.mark(m, values)
	case "ip saddr":
		return sources(values, true)
	case "ip6 saddr":
		return sources(values, false)
	case "ip daddr":
		return w.destinations(values, true)
	case "ip6 daddr":
		return w.destinations(values, false)
	case "tcp dport", "udp dport", "th dport":
		return ports(values, 1, 1023)
	case "tcp sport", "udp sport", "th sport":
		return ports(values, 49152, 65535)
	}
	return otherField(field, m, values)
}

// otherField answers for fields that say something of few packets only: equal
// to a value is no, as it names them. Orders of size are not understood.
func otherField(field string, m match, values []string) tri {
	if strings.HasPrefix(field, "fib ") {
		return fib(field, values)
	}
	switch field {
	case "secpath", "ipsec", "exthdr":
		return missing(values)
	case "ip frag-off":
		if len(m.mask) == 1 && m.mask[0] != "" { // fragments; ordinary packets have no offset and no more to come
			if mask, ok := number(m.mask[0]); ok && mask&0x4000 == 0 {
				return bits(m, values, number, 0, false)
			}
		}
	case "ct helper", "ether saddr", "ip dscp", "ip6 dscp", "ip ttl", "ip6 hoplimit", "ip length", "length", "ip id",
		"tcp sequence", "tcp window", "ip6 flowlabel", "ct label":
		if len(m.mask) == 0 {
			return named(values)
		}
	case "numgen", "random", "time", "hour", "day", "cpu":
		return either
	}
	return opaque
}

// missing answers for what an ordinary packet does not have.
func missing(values []string) tri {
	for _, v := range values {
		if v == "missing" || v == "false" || v == "0" {
			return yes
		}
	}
	return no
}

// named is the answer for a field whose values pick out a few packets. 0 is
// what many packets have.
func named(values []string) tri {
	for _, v := range values {
		if n, ok := number(v); ok && n != 0 || v != "" && v != "cs0" && !strings.ContainsAny(v, "<>-&|") && !ok {
			continue
		}
		return opaque
	}
	return no
}

// state is that of packets that open a connection; before connection tracking
// has seen them they are as invalid ones to nftables and iptables.
func (w *walker) state() uint64 {
	if w.seen == no {
		return ctInvalid
	}
	return ctNew
}

// tracking makes answers of connection tracking unknown where packets may have
// been taken out of it, or may not have come to it.
func (w *walker) tracking(t tri) tri {
	if w.untracked || w.seen == opaque {
		return opaque
	}
	return t
}

// mark answers for packet and connection marks, which are 0 unless a rule has
// set them.
func (w *walker) mark(m match, values []string) tri {
	if w.marked {
		return opaque
	}
	answer := no
	for _, v := range values {
		n, ok := number(v)
		switch {
		case !ok:
			return opaque
		case n == 0:
			answer = yes
		}
	}
	return answer
}
