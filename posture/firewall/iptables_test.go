package firewall

import (
	"strings"
	"testing"
)

// rulesV4 are lines of the table filter with a policy for INPUT.
func rulesV4(policy string, lines ...string) string {
	return "*filter\n:INPUT " + policy + " [0:0]\n:more - [0:0]\n" + strings.Join(lines, "\n") + "\nCOMMIT\n"
}

// Options as iptables(8) and iptables-extensions(8) write them.
func TestIPTables(t *testing.T) {
	const drop = "-A INPUT -j DROP"
	tests := []struct{ name, text, want string }{
		{"accept for all", rulesV4("DROP", "-A INPUT -s 0.0.0.0/0 -j ACCEPT"), "false accept"},
		{"accept but from one", rulesV4("DROP", "-A INPUT ! -s 10.0.0.0/8 -j ACCEPT"), "false accept"},
		{"accept from a mask", rulesV4("DROP", "-A INPUT -s 10.0.0.0/255.0.0.0 -j ACCEPT"), "true drop"},
		{"interface", rulesV4("DROP", "-A INPUT -i eth+ -j ACCEPT"), "true drop"},
		{"every interface", rulesV4("DROP", "-A INPUT -i + -j ACCEPT"), "false accept"},
		{"not loopback", rulesV4("ACCEPT", "-A INPUT ! -i lo -j DROP"), "true drop"},
		{"counters", rulesV4("ACCEPT", "[12:345] -A INPUT -i lo -j ACCEPT", "[0:0] -A INPUT -j DROP"), "true drop"},
		{"syn", rulesV4("DROP", "-A INPUT -p tcp --syn -j ACCEPT"), "false accept"},
		{"not syn", rulesV4("DROP", "-A INPUT -p tcp ! --syn -j ACCEPT"), "true drop"},
		{"all of UDP", rulesV4("DROP", "-A INPUT -p 17 -j ACCEPT"), "false accept"},
		{"all protocols", rulesV4("DROP", "-A INPUT -p all -j ACCEPT"), "false accept"},
		{"not ICMP", rulesV4("DROP", "-A INPUT ! -p icmp -j ACCEPT"), "false accept"},
		{"all ports", rulesV4("DROP", "-A INPUT -p tcp -m tcp --dport 0:65535 -j ACCEPT"), "false accept"},
		{"open range", rulesV4("DROP", "-A INPUT -p tcp -m tcp --dport 1: -j ACCEPT"), "false accept"},
		{"high ports", rulesV4("DROP", "-A INPUT -p tcp -m tcp --dport 1024: -j ACCEPT"), "true drop"},
		{"many ports", rulesV4("DROP", "-A INPUT -p tcp -m multiport --dports 1:500,501:65535 -j ACCEPT"), "false accept"},
		{"not a port", rulesV4("DROP", "-A INPUT -p tcp -m multiport ! --dports 22,23 -j ACCEPT"), "false accept"},
		{"source ports of clients", rulesV4("DROP", "-A INPUT -p udp -m udp --sport 1024:65535 -j ACCEPT"), "false accept"},
		{"source port", rulesV4("DROP", "-A INPUT -p udp -m udp --sport 53 -j ACCEPT"), "true drop"},
		{"ipset", rulesV4("DROP", "-A INPUT -m set --match-set trusted src -j ACCEPT"), "true drop"},
		{"not of an ipset", rulesV4("ACCEPT", "-A INPUT -m set ! --match-set trusted src -j DROP"), "true drop"},
		{"recent", rulesV4("DROP", "-A INPUT -m recent --rcheck --seconds 60 --name knock --mask 255.255.255.255 --rsource -j ACCEPT"), "true drop"},
		{"recent, set", rulesV4("ACCEPT", "-A INPUT -m recent --set --name all --mask 255.255.255.255 --rsource -j DROP"), "true drop"},
		{"limit", rulesV4("DROP", "-A INPUT -m limit --limit 5/sec -j ACCEPT"), "false accept"},
		{"limited drop", rulesV4("ACCEPT", "-A INPUT -m hashlimit --hashlimit-above 5/sec --hashlimit-name x -j DROP"), "false accept"},
		{"connections", rulesV4("ACCEPT", "-A INPUT -p tcp -m connlimit --connlimit-above 10 --connlimit-mask 32 --connlimit-saddr -j REJECT", drop), "true drop"},
		{"owner of a tunnel", rulesV4("DROP", "-A INPUT -m policy --dir in --pol ipsec --proto esp -j ACCEPT"), "true drop"},
		{"no tunnel", rulesV4("DROP", "-A INPUT -m policy --dir in --pol none -j ACCEPT"), "false accept"},
		{"country", rulesV4("DROP", "-A INPUT -m geoip --source-country DE -j ACCEPT"), "unknown unknown"},
		{"country and port", rulesV4("DROP", "-A INPUT -p tcp -m geoip --source-country DE -m tcp --dport 22 -j ACCEPT"), "true drop"},
		{"string", rulesV4("ACCEPT", `-A INPUT -m string --string "a -j ACCEPT" --algo bm -j DROP`, drop), "true drop"},
		{"module that nobody knows", rulesV4("DROP", "-A INPUT -m quux --quux-value 5 -j ACCEPT"), "unknown unknown"},
		{"target that nobody knows", rulesV4("DROP", "-A INPUT -j QUUX --quux-value 5"), "unknown unknown"},
		{"queue", rulesV4("DROP", "-A INPUT -j NFQUEUE --queue-num 0"), "unknown unknown"},
		{"jump and return", rulesV4("ACCEPT", "-A INPUT -j more", drop, "-A more -p icmp -j ACCEPT", "-A more -j RETURN", "-A more -j ACCEPT"), "true drop"},
		{"goto", rulesV4("DROP", "-A INPUT -g more", "-A INPUT -j ACCEPT", "-A more -p tcp -m tcp --dport 1 -j ACCEPT"), "true drop"},
		{"chain with a target's name", strings.Replace(rulesV4("DROP", "-A INPUT -j LOG", "-A LOG -j ACCEPT"), ":more", ":LOG", 1), "false accept"},
		{"comment", rulesV4("DROP", `-A INPUT -p tcp -m tcp --dport 22 -m comment --comment "all \"of\" it -j ACCEPT" -j ACCEPT`), "true drop"},
		{"fragments", rulesV4("DROP", "-A INPUT -f -j ACCEPT"), "true drop"},
		{"broadcast", rulesV4("DROP", "-A INPUT -m addrtype --dst-type BROADCAST,MULTICAST -j ACCEPT"), "true drop"},
		{"own address", rulesV4("DROP", "-A INPUT -d 192.0.2.1/32 -j ACCEPT"), "unknown unknown"},
		{"drop for an address", rulesV4("ACCEPT", "-A INPUT -d 192.0.2.1/32 -j DROP"), "false accept"},
		{"mark that another table sets", "*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j MARK --set-xmark 0x1/0xffffffff\nCOMMIT\n" + rulesV4("DROP", "-A INPUT -m mark --mark 0x1 -j ACCEPT"), "unknown unknown"},
		{"reverse path", "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -m rpfilter --validmark --invert -j DROP\nCOMMIT\n" + rulesV4("DROP"), "true drop"},
		{"dropped before", "*raw\n:PREROUTING DROP [0:0]\n-A PREROUTING -i lo -j ACCEPT\nCOMMIT\n" + rulesV4("ACCEPT"), "true drop"},
		{"nat is no filter", "*nat\n:INPUT DROP [0:0]\nCOMMIT\n", "false accept"},
		{"later table", rulesV4("ACCEPT") + "*security\n:INPUT DROP [0:0]\nCOMMIT\n", "true drop"},
		{"cut", "*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j", "unknown unknown"},
		{"something else", "iptables: command not found\n", "unknown unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := linuxMachine()
			m.SetCommand("iptables-save", tt.text)
			got := strings.Fields(plain(verdicts(collect(t, m))))
			if len(got) != 4 || got[0]+" "+got[1] != tt.want {
				t.Errorf("%v, want %s", got, tt.want)
			}
		})
	}
}

func TestIPTablesList(t *testing.T) {
	const head = "Chain INPUT (policy %s 10 packets, 20 bytes)\n pkts bytes target     prot opt in     out     source               destination         \n"
	verbose := func(policy string, rows ...string) string {
		return strings.Replace(head, "%s", policy, 1) + strings.Join(rows, "\n") + "\n\nChain more (1 references)\n pkts bytes target     prot opt in     out     source               destination\n    0     0 REJECT     all  --  *      *       0.0.0.0/0            0.0.0.0/0            reject-with icmp-port-unreachable\n"
	}
	plainHead := "Chain INPUT (policy %s)\ntarget     prot opt source               destination\n"
	tests := []struct{ name, line, text, want string }{
		{"policy", "iptables -nvL", verbose("DROP",
			" 769  197K ACCEPT     all  --  lo     *       0.0.0.0/0            0.0.0.0/0           ",
			"    5   300 ACCEPT     tcp  --  *      *       0.0.0.0/0            0.0.0.0/0            tcp dpt:22 /* ssh for all */",
			"    5   300 ACCEPT     all  --  *      *       0.0.0.0/0            0.0.0.0/0            ctstate RELATED,ESTABLISHED",
			"    5   300 ACCEPT     tcp  --  *      *       0.0.0.0/0            0.0.0.0/0            multiport dports 80,443",
			"    1    60            all  --  *      *       10.0.0.0/8           0.0.0.0/0"), "true drop"},
		{"accept", "iptables -L -n -v", verbose("DROP", "    5   300 ACCEPT     0    --  *      *       0.0.0.0/0            0.0.0.0/0"), "false accept"},
		{"not from", "iptables -nvL", verbose("DROP", "    5   300 ACCEPT     all  --  !lo    *      !10.0.0.0/8           0.0.0.0/0"), "false accept"},
		{"jump", "iptables -nvL", verbose("ACCEPT", "    5   300 more       all  --  *      *       0.0.0.0/0            0.0.0.0/0"), "true reject"},
		{"goto", "iptables -nvL", verbose("ACCEPT", "    5   300 more       all  --  *      *       0.0.0.0/0            0.0.0.0/0           [goto] "), "true reject"},
		{"a limit", "iptables -nvL", verbose("DROP", "    5   300 ACCEPT     all  --  *      *       0.0.0.0/0            0.0.0.0/0            limit: avg 5/sec burst 5"), "false accept"},
		{"what is not understood", "iptables -nvL", verbose("DROP", "    5   300 ACCEPT     all  --  *      *       0.0.0.0/0            0.0.0.0/0            quux 5"), "unknown unknown"},
		{"without interfaces, ports only", "iptables -L", strings.Replace(plainHead, "%s", "DROP", 1) + "ACCEPT     tcp  --  anywhere             anywhere             tcp dpt:ssh\n", "true drop"},
		{"without interfaces, all", "iptables -L", strings.Replace(plainHead, "%s", "DROP", 1) + "ACCEPT     all  --  anywhere             anywhere\n", "unknown unknown"},
		{"cut", "iptables -L", "Chain INPUT (policy DROP)\n", "unknown unknown"},
		{"junk", "iptables -L", "Chain INPUT (policy DROP)\ntarget prot opt source destination\nACCEPT\n", "unknown unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := linuxMachine()
			m.SetCommand(tt.line, tt.text)
			got := strings.Fields(plain(verdicts(collect(t, m))))
			if len(got) != 4 || got[0]+" "+got[1] != tt.want {
				t.Errorf("%v, want %s", got, tt.want)
			}
		})
	}
	// ip6tables leaves the column opt empty.
	m := linuxMachine()
	m.SetCommand("ip6tables -nvL", "Chain INPUT (policy ACCEPT 0 packets, 0 bytes)\n pkts bytes target     prot opt in     out     source               destination\n"+
		"    0     0 ACCEPT     all      lo     *       ::/0                 ::/0\n    0     0 DROP       all      *      *       ::/0                 ::/0\n")
	expect(t, collect(t, m), "enabled:ipv6=true default_inbound:ipv6=drop")
}
