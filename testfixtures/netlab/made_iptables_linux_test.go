package netlab

import "strings"

// tables are those of iptables for one IP version.
func (m *maker) tables(family string) string {
	m.family = family
	text := ""
	for _, t := range []string{"raw", "mangle", "filter"} {
		hooks := map[string][]string{"raw": {"PREROUTING"}, "mangle": {"PREROUTING", "INPUT"}, "filter": {"INPUT", "FORWARD"}}[t]
		quiet := t != "filter" && m.chance(80)
		text += "*" + t + "\n"
		for _, h := range hooks {
			policy := "ACCEPT"
			if !quiet {
				policy = m.one("ACCEPT", "DROP")
			}
			text += ":" + h + " " + policy + " [0:0]\n"
		}
		text += ":own0 - [0:0]\n:own1 - [0:0]\n"
		for i, chain := range append([]string{"own0", "own1"}, hooks...) {
			m.chains = []string{"own0", "own1"}[:min(i, 2)]
			for range m.IntN(5) {
				if !quiet {
					text += m.appended(t, chain)
				}
			}
		}
		text += "COMMIT\n"
	}
	return text
}

// appended is one rule.
func (m *maker) appended(table, chain string) string {
	rule := "-A " + chain + m.protocol()
	for range m.IntN(3) {
		if more := m.option(table); !strings.Contains(rule, more[:min(len(more), 9)]) {
			rule += more
		}
	}
	tcp := strings.Contains(rule, " -p tcp") && !strings.Contains(rule, "! -p tcp")
	switch n := m.IntN(12); {
	case n < 3:
		rule += " -j ACCEPT"
	case n < 6:
		rule += " -j DROP"
	case n < 7 && table == "filter" && chain == "INPUT":
		rule += " -j REJECT --reject-with " + m.refusal(tcp)
	case n < 8 && strings.HasPrefix(chain, "own"):
		rule += " -j RETURN"
	case n < 11 && len(m.chains) > 0:
		rule += m.one(" -j ", " -j ", " -g ") + m.one(m.chains...)
	case n < 12 && m.chance(50):
		// Limits under which these attempts stay.
		rule += m.one(" -j LOG --log-prefix made", " -m limit --limit 10000/sec --limit-burst 10000 -j ACCEPT", " -m hashlimit --hashlimit-above 10000/sec --hashlimit-name made -j DROP")
	}
	return rule + "\n"
}

// protocol asks for a protocol, perhaps with what only that one has.
func (m *maker) protocol() string {
	proto := m.one("", "", "tcp", "udp")
	switch {
	case proto == "":
		return ""
	case m.chance(25):
		return " ! -p " + proto
	}
	rule := " -p " + proto
	switch m.IntN(5) {
	case 0:
		rule += " -m " + proto + m.one(" --dport 22", " ! --dport 22", " --dport 0:65535", " --dport 1024:65535", " --sport 1024:65535", " ! --sport 53")
	case 1:
		rule += " -m multiport" + m.one(" --dports 22,80,100:200", " ! --dports 22,80", " --sports 53,67")
	case 2:
		if proto == "tcp" {
			rule += " -m tcp" + m.one(" --syn", " ! --syn", " --tcp-flags FIN,SYN,RST,ACK SYN", " --tcp-flags SYN,ACK SYN,ACK", " ! --tcp-flags ALL NONE")
		}
	}
	return rule
}

// option is one more condition.
func (m *maker) option(table string) string {
	few, all := m.one("10.0.0.0/8", "192.0.2.7/32"), "0.0.0.0/0"
	if m.family == "ip6" {
		few, all = m.one("2001:db8::/32", "fe80::/10"), "::/0"
	}
	switch m.IntN(10) {
	case 0, 1:
		return " -m conntrack" + m.one("", " !") + m.one(" --ctstate NEW", " --ctstate ESTABLISHED,RELATED", " --ctstate INVALID", " --ctstate NEW,ESTABLISHED", " --ctstate UNTRACKED", " --ctstate DNAT")
	case 2:
		return m.one(" -i lo", " ! -i lo", " -i eth7", " ! -i eth7", " -i wg+", " -i +")
	case 3:
		return m.one(" -s "+few, " ! -s "+few, " -s "+all)
	case 4:
		if table != "raw" && m.chance(40) { // which is before connection tracking
			return m.one(" -m connmark --mark 0x1", " -m connmark ! --mark 0x1/0x1")
		}
		return m.one(" -m mark --mark 0x0", " -m mark --mark 0x1", " -m mark ! --mark 0x1", " -m mark --mark 0x0/0xff")
	case 5:
		return m.one(" -m addrtype --dst-type LOCAL", " -m addrtype ! --dst-type LOCAL", " -m addrtype --dst-type LOCAL --limit-iface-in", " -m addrtype --src-type UNICAST")
	case 6:
		return m.one(" -m pkttype --pkt-type unicast", " -m pkttype --pkt-type broadcast", " -m pkttype ! --pkt-type unicast")
	case 7:
		return ` -m comment --comment "made -j ACCEPT \"up"`
	case 8:
		if m.family == "ip" {
			return m.one(" -d 224.0.0.0/4", " ! -d 224.0.0.0/4")
		}
	case 9:
		if m.chance(30) {
			m.sure = false
			return m.one(" -m length --length 0:1500", " -m tos --tos 0x00", " -m string --string x --algo bm", " -m conntrack --ctdir ORIGINAL", " -m conntrack --ctstate NEW --ctproto 6",
				" -m helper --helper ftp", " -m recent --name made --rcheck", " -m u32 --u32 0=0", " -m dscp --dscp 0")
		}
	}
	return " -m mark --mark 0x0"
}

func (m *maker) refusal(tcp bool) string {
	switch {
	case tcp:
		return "tcp-reset"
	case m.family == "ip6":
		return m.one("icmp6-port-unreachable", "icmp6-adm-prohibited", "icmp6-no-route")
	}
	return m.one("icmp-port-unreachable", "icmp-host-prohibited", "icmp-admin-prohibited")
}
