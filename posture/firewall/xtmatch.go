package firewall

import "strings"

// module reads "-m NAME". Options follow as words of their own, and most say
// by themselves what they mean; some modules are a condition as they stand.
func (a *args) module(name string) {
	switch name {
	case "rpfilter":
		a.rpfilter()
	case "recent":
		a.recent()
	case "limit", "hashlimit", "statistic", "quota", "quota2", "nth", "random", "time":
		a.skip(fixedStmt(either))
	case "string", "u32", "bpf", "socket", "owner", "physdev", "geoip", "cluster", "cgroup", "cpu", "connbytes", "conntrack2",
		"nfacct", "osf", "realm", "tcpmss", "condition", "account", "layer7", "ndpi", "ipp2p", "psd", "lscan", "devgroup",
		"dccp", "sctp", "ipv6header", "ipvs", "length2", "l2tp", "asn":
		a.skip(fixedStmt(opaque))
	case "frag", "hbh", "dst", "rt", "mh", "esp", "ah", "eui64": // a header that ordinary packets do not have
		a.skip(fixedStmt(no))
	}
}

// skip passes over a module's options, up to the next module or target.
func (a *args) skip(s stmt) {
	for a.at < len(a.words) {
		switch a.words[a.at] {
		case "-m", "--match", "-j", "--jump", "-g", "--goto":
			a.add(s)
			return
		case "!": // inverts a module whose answer is not for everyone
			if s.when == no && a.at+1 < len(a.words) && strings.HasPrefix(a.words[a.at+1], "--") {
				s.when = opaque
			}
		}
		a.at++
	}
	a.add(s)
}

// rpfilter: packets of strangers come the way that answers go.
func (a *args) rpfilter() {
	answer := yes
	for a.at < len(a.words) && strings.HasPrefix(a.words[a.at], "--") {
		if a.next() == "--invert" {
			answer = no
		}
	}
	a.add(fixedStmt(answer))
}

// recent: a list of addresses that were seen. --set always holds; a stranger
// is on no list.
func (a *args) recent() {
	answer, inverted := opaque, false
	for a.at < len(a.words) {
		word := a.words[a.at]
		if word == "!" {
			inverted = true
			a.at++
			continue
		}
		switch word {
		case "--set":
			answer = yes
		case "--rcheck", "--update", "--remove":
			answer = no
			if inverted {
				answer = yes
			}
		case "--seconds", "--hitcount", "--name", "--mask":
			a.at++
		case "--rsource", "--rdest", "--rttl", "--reap":
		default:
			a.add(fixedStmt(answer))
			return
		}
		inverted = false
		a.at++
	}
	a.add(fixedStmt(answer))
}

// extension reads an option of the modules of iptables-extensions(8).
func (a *args) extension(word, op string) {
	switch word {
	case "--state", "--ctstate":
		a.add(ctWords("ct state", op, a.next()))
	case "--ctstatus":
		a.add(ctWords("ct status", op, a.next()))
	case "--ctdir":
		a.add(is("ct direction", op, strings.ToLower(a.next())))
	case "--ctproto":
		a.add(is("l4proto", op, protocolName(a.next())))
	case "--ports", "--port": // of source or destination
		a.next()
		a.add(fixedStmt(invert(no, op)))
	case "--icmp-type", "--icmpv6-type", "--mac-source", "--helper", "--espspi", "--ahspi", "--dccp-types", "--chunk-types":
		a.next()
		a.add(fixedStmt(invert(no, op)))
	case "--ttl-eq", "--hl-eq", "--tos", "--dscp", "--dscp-class", "--tcp-option":
		value, _, _ := strings.Cut(a.next(), "/") // --tos 0x10/0x3f
		a.add(is("length", op, value))            // a field that few packets have of that value
	case "--src-range":
		a.add(is(a.family+" saddr", op, a.next()))
	case "--dst-range":
		a.add(is(a.family+" daddr", op, a.next()))
	case "--src-type":
		a.add(is("fib saddr type", op, strings.Split(strings.ToLower(a.next()), ",")...))
	case "--dst-type":
		a.add(is("fib daddr type", op, strings.Split(strings.ToLower(a.next()), ",")...))
	case "--pkt-type":
		a.add(is("pkttype", op, strings.ToLower(a.next())))
	case "--match-set": // a list of addresses or ports names what it holds
		a.at += 2
		a.add(fixedStmt(invert(no, op)))
	case "--mark":
		a.mark(op)
	case "--comment":
		a.next()
	case "--connlimit-above": // an ordinary machine has not reached the number
		a.next()
		a.add(fixedStmt(invert(no, op)))
	case "--connlimit-upto":
		a.next()
		a.add(fixedStmt(invert(yes, op)))
	case "--connlimit-mask":
		a.next()
	case "--connlimit-saddr", "--connlimit-daddr", "--return-nomatch", "--ctexpire", "--limit-iface-in":
	case "--dir":
		a.next()
	case "--pol": // ipsec: it came through a tunnel
		if a.next() == "none" {
			a.add(fixedStmt(invert(yes, op)))
		} else {
			a.add(fixedStmt(invert(no, op)))
		}
	default:
		a.add(fixedStmt(opaque))
		if !strings.HasPrefix(word, "-") {
			return
		}
		for a.at < len(a.words) && !strings.HasPrefix(a.words[a.at], "-") && a.words[a.at] != "!" {
			a.at++
		}
	}
}

// ctWords compares a list of states, of which any will do.
func ctWords(field, op, list string) stmt {
	s := is(field, op, strings.Split(strings.ReplaceAll(strings.ToLower(list), "_", "-"), ",")...)
	if op == "==" {
		s.match.op = "in"
	}
	return s
}

// mark reads "0x1/0xff" of mark and connmark.
func (a *args) mark(op string) {
	value, mask, masked := strings.Cut(a.next(), "/")
	s := is("mark", op, value)
	if masked {
		s.match.mask = []string{mask}
	}
	a.add(s)
}
