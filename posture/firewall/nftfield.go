package firewall

import "strings"

// readFields reads what a comparison looks at, several of a concatenation, or
// nil before a word that begins no known expression. Nothing is read then.
func readFields(r *reader) []string {
	start := r.at
	var fields []string
	for {
		f := readField(r)
		if f == "" {
			r.at = start
			return nil
		}
		fields = append(fields, f)
		if !r.take(".") {
			return fields
		}
	}
}

// readField reads one field as jsonField names it.
func readField(r *reader) string {
	if r.ended() || r.peek().quoted {
		return ""
	}
	word := r.next().text
	switch word {
	case "iifname", "iif", "iiftype", "iifgroup", "oifname", "oif", "oiftype", "oifgroup", "pkttype", "mark", "skuid", "skgid",
		"cpu", "length", "time", "hour", "day", "random", "priority", "rtclassid", "cgroup":
		return word
	case "meta":
		return r.next().text
	case "ct":
		return ctField(r)
	case "fib":
		return fibField(r)
	case "ip", "ip6", "tcp", "udp", "th", "ether", "icmp", "icmpv6", "igmp", "sctp", "dccp", "esp", "ah", "comp", "udplite",
		"vlan", "arp", "gre", "vxlan", "geneve", "gretap":
		if word == "tcp" && r.take("option") {
			r.at += 2
			return "option"
		}
		return word + " " + r.next().text
	case "ipsec":
		skipWords(r, "in", "out", "spnum", "reqid", "spi", "ip", "ip6", "saddr", "daddr")
		return word
	case "exthdr", "frag", "hbh", "rt0", "rt2", "srh", "mh", "dst":
		if !r.is("exists", "missing") {
			r.at++
		}
		if word == "exthdr" {
			return word
		}
		return word + " header"
	case "rt", "osf":
		r.at++
		return word
	case "numgen":
		skipWords(r, "inc", "random")
		if r.take("mod") {
			r.at++
			if r.take("offset") {
				r.at++
			}
		}
		return word
	}
	if raw, ok := strings.CutPrefix(word, "@"); ok && r.take(",") { // @th,16,16
		offset := r.next().text
		r.take(",")
		return rawField(raw, offset, r.next().text)
	}
	return ""
}

// ctField reads what follows ct: a key, perhaps of one direction.
func ctField(r *reader) string {
	key := r.next().text
	if key != "original" && key != "reply" {
		return "ct " + key
	}
	skipWords(r, "ip", "ip6")
	return "ct " + key + " " + r.next().text
}

// fibField reads "fib saddr . iif oif" or "fib daddr type".
func fibField(r *reader) string {
	words := []string{"fib", r.next().text}
	for r.take(".") {
		words = append(words, ".", r.next().text)
	}
	return strings.Join(append(words, r.next().text), " ")
}
