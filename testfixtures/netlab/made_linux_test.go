package netlab

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// defaultRounds is how many rulesets of each kind are made up and tried.
const defaultRounds = 60

// number reads a number from the environment.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestMadeUpRules makes up rulesets, of nftables and of iptables in both its
// kinds, and wants that no fact contradicts what becomes of connections. Some
// rules cannot be told; where all can be, nothing may be unknown.
func TestMadeUpRules(t *testing.T) {
	t.Parallel()
	mine, inside := machines(t, 2)
	if !inside {
		return
	}
	h := newHost(t)
	_, err := try(t.Context(), emptyTables, "iptables-legacy-restore")
	kinds := []string{"nft", "iptables-nft", "iptables-legacy"}
	if err != nil {
		kinds = kinds[:2]
	}
	seed, unknown, seen := number(t, seeds, 1), 0, map[string]int{}
	for i := range number(t, rounds, defaultRounds) {
		for k, kind := range kinds {
			if !mine.mine(i + k) {
				continue
			}
			m := &maker{Rand: rand.New(rand.NewPCG(uint64(seed), uint64(i*len(kinds)+k)))}
			text := h.made(m, kind)
			h.reread()
			v := verdicts(h.last())
			what := fmt.Sprintf("%s=%d, round %d, %s:\n%s", seeds, seed, i, kind, text)
			h.expect(what, "")
			if strings.Contains(v, "?") {
				unknown++
				if m.sure {
					t.Errorf("nothing here is beyond telling, yet the facts are %q: %s", v, what)
				}
			}
			seen[v]++
			h.clear(kind)
		}
	}
	t.Logf("%d of these were not known in part: %v", unknown, seen)
}

// made loads a ruleset made up by m. Not all that can be written makes sense:
// those that are refused are made up anew.
func (h *host) made(m *maker, kind string) string {
	h.t.Helper()
	var text string
	var err error
	for range 50 {
		m.sure, m.halves = true, 0
		if kind == "nft" {
			text = m.ruleset()
			_, err = try(h.t.Context(), text, "nft", "-f", "-")
		} else {
			four, six := m.tables("ip"), m.tables("ip6")
			text = "IPv4:\n" + four + "IPv6:\n" + six
			if _, err = try(h.t.Context(), four, kind+"-restore"); err == nil {
				_, err = try(h.t.Context(), six, "ip6"+kind[2:]+"-restore")
			}
		}
		if err == nil {
			return text
		}
	}
	h.t.Fatal(err)
	return ""
}

func (h *host) clear(kind string) {
	h.t.Helper()
	if kind == "iptables-legacy" {
		restore(h.t, "legacy", emptyTables, emptyTables)
		return
	}
	do(h.t, "", "nft", "flush", "ruleset")
}

// maker makes up rulesets. Ports, addresses and interfaces that it names are
// never those of the attempts, unless they are all there are.
type maker struct {
	*rand.Rand
	sure   bool     // nothing that cannot be told was made up
	family string   // ip, ip6, inet
	hook   string   // that the chain is reached from
	halves int      // half of all addresses was named, which may be done once
	chains []string // that may be jumped to
}

func (m *maker) one(of ...string) string { return of[m.IntN(len(of))] }

func (m *maker) chance(percent int) bool { return m.IntN(100) < percent }

// ruleset is one of nftables.
func (m *maker) ruleset() string {
	text := "flush ruleset\n"
	for i := range 1 + m.IntN(3) {
		m.family = m.one("inet", "inet", "ip", "ip6")
		text += fmt.Sprintf("table %s t%d {\n", m.family, i)
		if m.chance(5) {
			text += "\tflags dormant;\n"
		}
		for j := range m.IntN(3) {
			m.hook = m.one("input", "input", "input", "prerouting", "forward") // output may hide an answer
			prio := m.IntN(20) - 10
			if m.chance(30) {
				prio = []int{-300, -150, 50}[m.IntN(3)] // before connection tracking, and others that have a name
			}
			m.chains = nil
			for k := range m.IntN(3) {
				name := fmt.Sprintf("c%d%d", j, k)
				text += "\tchain " + name + " {\n" + m.rules() + "\t}\n"
				m.chains = append(m.chains, name) // later ones may jump to it
			}
			text += fmt.Sprintf("\tchain b%d {\n\t\ttype filter hook %s priority %d; policy %s;\n%s\t}\n", j, m.hook, prio, m.one("accept", "drop"), m.rules())
		}
		text += "}\n"
	}
	return text
}

func (m *maker) rules() string {
	text := ""
	for range m.IntN(5) {
		rule := ""
		for range m.IntN(3) {
			rule += m.condition() + " "
		}
		text += "\t\t" + rule + m.outcome(rule) + "\n"
	}
	return text
}

// ip is the IP version that a rule may be about.
func (m *maker) ip() string {
	if m.family == "inet" {
		return m.one("ip", "ip6")
	}
	return m.family
}

func (m *maker) condition() string {
	ip := m.ip()
	few := map[string]string{"ip": m.one("10.0.0.0/8", "192.0.2.7", "{ 203.0.113.0/24, 192.0.2.1-192.0.2.9 }"), "ip6": m.one("2001:db8::/32", "fe80::/10", "{ 2001:db8::7, fc00::/8 }")}[ip]
	switch m.IntN(16) {
	case 0, 1:
		return "ct state " + m.one("new", "established,related", "invalid", "!= new", "{ new, established }", "!= { established, related }", "untracked", "new,untracked")
	case 2, 3:
		return m.one(`iifname "lo"`, `iifname != "lo"`, `iifname "eth7"`, `iifname "wg*"`, `iifname != "eth7"`, `iifname { "lo", "eth7" }`, `iifname != { "lo", "eth7" }`, `iif "lo"`, `iif != "lo"`, "iiftype loopback", "iiftype != loopback")
	case 4:
		return ip + " saddr " + m.one("", "!= ") + few
	case 5:
		all := map[string]string{"ip": "0.0.0.0/0", "ip6": "::/0"}[ip]
		return ip + " saddr " + m.one(all, "{ "+map[string]string{"ip": "0.0.0.0-127.255.255.255, 128.0.0.0-255.255.255.255", "ip6": "::-7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff, 8000::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}[ip]+" }")
	case 6, 7:
		proto := m.one("tcp", "udp")
		return proto + m.one(" dport 22", " dport { 22, 80, 443 }", " dport 1-65535", " dport 0-65535", " dport != 22", " dport != { 22, 100-200 }", " dport 1024-65535", " dport >= 1024", " dport > 0", " sport 1024-65535", " sport != 53", " sport < 1024")
	case 8:
		return m.one("meta l4proto tcp", "meta l4proto udp", "meta l4proto { tcp, udp }", "meta l4proto { tcp, icmp }", "meta l4proto != tcp", "meta l4proto != { icmp, ipv6-icmp }", "meta l4proto icmp", "meta l4proto { tcp, udp } th dport 22", "meta l4proto . th dport { tcp . 22, udp . 53 }")
	case 9:
		return m.one("meta nfproto ipv4", "meta nfproto ipv6", "meta nfproto != ipv4", "meta protocol ip", "meta protocol ip6")
	case 10:
		return m.one("tcp flags syn", "tcp flags & (fin|syn|rst|ack) == syn", "tcp flags & (fin|syn|rst|ack) != syn", "tcp flags ack", "tcp flags != syn", "tcp flags & (syn|ack) == syn|ack")
	case 11:
		return m.one("meta pkttype host", "meta pkttype broadcast", "meta pkttype != host", "meta pkttype { broadcast, multicast }", "ct direction original", "ct direction reply", "ct status dnat", "fib daddr type local", "fib daddr type != local", "fib daddr type { broadcast, multicast }", "fib saddr . iif oif missing", "fib saddr . iif oif exists")
	case 12:
		return m.one("meta mark 0", "meta mark 0x1", "meta mark != 0x1", "ct mark 0x10", "meta mark & 0xff == 0x10", "meta mark & 0xff != 0x10")
	case 13:
		if m.halves++; m.halves == 1 {
			return ip + " saddr " + map[string]string{"ip": m.one("0.0.0.0/1", "128.0.0.0/1", "!= 128.0.0.0/1"), "ip6": m.one("2400::/6", "2a00::/7", "!= 2a00::/7")}[ip]
		}
	case 14:
		switch ip {
		case "ip":
			return m.one("ip protocol tcp", "ip protocol udp", "ip protocol != tcp", "icmp type echo-request", "ip daddr 224.0.0.0/4", "ip daddr != 224.0.0.0/4", "ip protocol { tcp, udp }")
		case "ip6":
			return m.one("ip6 nexthdr tcp", "ip6 nexthdr udp", "ip6 nexthdr != tcp", "icmpv6 type echo-request", "ip6 daddr ff00::/8", "ip6 daddr != ff00::/8")
		}
	case 15:
		if m.chance(40) {
			m.sure = false
			self := map[string]string{"ip": self4, "ip6": self6}[ip]
			return m.one("meta length 0-1500", ip+" dscp cs0", ip+" daddr "+self, ip+" daddr != "+self, "@th,16,16 22", "meta mark set 0x1", "meta iifgroup default", "ct mark set 0x1", "notrack", "tcp option maxseg size 1-65535")
		}
	}
	return "counter"
}

// outcome is what becomes of packets that meet the conditions before it.
func (m *maker) outcome(conditions string) string {
	switch m.IntN(14) {
	case 0, 1, 2:
		return m.one("", "counter ") + "accept"
	case 3, 4, 5:
		return m.one("", "counter ") + "drop"
	case 6, 7:
		switch {
		case m.hook != "input":
			return "drop"
		case strings.Contains(conditions, "tcp flags"), strings.Contains(conditions, "tcp dport"), strings.Contains(conditions, "tcp sport"):
			return m.one("reject with tcp reset", "reject")
		case m.family == "inet":
			return m.one("reject", "reject with icmpx admin-prohibited", "reject with icmpx host-unreachable", "reject with icmpx port-unreachable")
		case m.family == "ip":
			return m.one("reject", "reject with icmp host-prohibited", "reject with icmp net-unreachable")
		}
		return m.one("reject", "reject with icmpv6 admin-prohibited", "reject with icmpv6 no-route")
	case 8:
		return "return"
	case 9, 10:
		if len(m.chains) > 0 {
			return m.one("jump ", "jump ", "goto ") + m.one(m.chains...)
		}
	case 11, 12:
		return m.vmap()
	case 13:
		// A limit under which these attempts stay.
		return m.one("limit rate 100000/second accept", "limit rate over 100000/second drop", "ct count over 100000 drop", `log prefix "made up"`)
	}
	return "counter"
}

func (m *maker) vmap() string {
	to := func() string {
		if len(m.chains) > 0 && m.chance(50) {
			return m.one("jump ", "goto ") + m.one(m.chains...)
		}
		return m.one("accept", "drop", "return", "continue")
	}
	switch m.IntN(6) {
	case 0:
		return fmt.Sprintf("ct state vmap { established : %s, new : %s, invalid : %s }", to(), to(), to())
	case 1:
		return fmt.Sprintf(`iifname vmap { "lo" : %s, "eth7" : %s }`, to(), to())
	case 2:
		return fmt.Sprintf(`iifname vmap { "lo" : %s, * : %s }`, to(), to())
	case 3:
		return fmt.Sprintf("meta l4proto vmap { tcp : %s, icmp : %s, ipv6-icmp : %s }", to(), to(), to())
	case 4:
		return fmt.Sprintf("%s dport vmap { 22 : %s, 80-90 : %s, 1024-65535 : %s }", m.one("tcp", "udp"), to(), to(), to())
	}
	return fmt.Sprintf("meta l4proto . th dport vmap { tcp . 22 : %s, udp . 53 : %s, tcp . 100-200 : %s }", to(), to(), to())
}
