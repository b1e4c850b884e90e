package firewall

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
)

// rulesetFiles gives each ruleset of testdata with the verdicts its first line
// wants: enabled and default_inbound for IPv4, then for IPv6. Beside the rules
// lies what the kernel answered over netlink, nft 1.0.6 and iptables 1.8.9
// listed when they were loaded into kernel 6.18.
func rulesetFiles(t testing.TB, f func(name, want string, file func(name string) string)) {
	t.Helper()
	list, err := filepath.Glob("testdata/rulesets/*/rules.*")
	if err != nil || len(list) < 30 {
		t.Fatalf("%d rulesets, %v", len(list), err)
	}
	for _, path := range list {
		dir := filepath.Dir(path)
		file := func(name string) string {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				return ""
			}
			return string(data)
		}
		first, _, _ := strings.Cut(file(filepath.Base(path)), "\n")
		f(filepath.Base(dir), strings.TrimPrefix(first, "# want "), file)
	}
}

// plain replaces reasons by the word unknown.
func plain(verdicts string) string {
	words := strings.Fields(verdicts)
	for i, w := range words {
		if strings.HasPrefix(w, "?") {
			words[i] = "unknown"
		}
	}
	return strings.Join(words, " ")
}

func TestRulesetsMeanTheSameFromEverySource(t *testing.T) {
	rulesetFiles(t, func(name, want string, file func(string) string) {
		t.Run(name, func(t *testing.T) {
			check := func(source string, m *evidence.Memory, want string) {
				t.Helper()
				if save := file("iptables-save.txt"); save != "" {
					m.SetCommand("iptables-nft-save", save)
					m.SetCommand("ip6tables-nft-save", file("ip6tables-save.txt"))
				}
				if got := plain(verdicts(collect(t, m))); got != want {
					t.Errorf("%s: %s, want %s", source, got, want)
				}
			}
			m := linuxMachine()
			m.SetAnswer(rawJSON(file("netlink.json")), evidence.AskNFTables)
			check("netlink", m, want)
			m = linuxMachine()
			m.SetCommand("nft list ruleset", file("nft.txt"))
			check("nft", m, want)
			m = linuxMachine()
			m.SetCommand("nft -j list ruleset", file("nft.json"))
			if name == "dormant" { // this nft writes the flag as "t"
				want = "unknown unknown unknown unknown"
			}
			check("nft -j", m, want)
		})
	})
}

// The kernel's own answer needs no second source for rules of iptables.
func TestNetlinkAloneExplainsIPTables(t *testing.T) {
	rulesetFiles(t, func(name, want string, file func(string) string) {
		if file("rules.v4") == "" {
			return
		}
		m := linuxMachine()
		m.SetAnswer(rawJSON(file("netlink.json")), evidence.AskNFTables)
		if got := plain(verdicts(collect(t, m))); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		m = linuxMachine()
		m.SetCommand("iptables-save", file("iptables-save.txt"))
		m.SetCommand("ip6tables-save", file("ip6tables-save.txt"))
		if got := plain(verdicts(collect(t, m))); got != want {
			t.Errorf("%s by iptables-save: %s, want %s", name, got, want)
		}
	})
}

// input is a ruleset of one chain on the input hook.
func input(policy string, rules ...string) string {
	return "table inet t {\n\tchain in {\n\t\ttype filter hook input priority filter; policy " + policy + ";\n\t\t" +
		strings.Join(rules, "\n\t\t") + "\n\t}\n}\n"
}

// What the kernel of these captures has not: flow tables, queues, and forms of
// other versions of nft.
func TestNFTText(t *testing.T) {
	const more = "table inet t {\n chain more {\n tcp dport 22 accept\n reject\n }\n}\n"
	tests := []struct{ name, text, want string }{
		{"flow table", "table inet f {\n flowtable ft {\n hook ingress priority 0\n devices = { lo, eth0 }\n }\n chain fwd {\n type filter hook forward priority 0; policy drop;\n flow add @ft\n }\n}\n" + input("drop", "flow add @ft"), "true drop"},
		{"flow table in one line of rules", input("accept", "ip protocol { tcp, udp } flow add @ft", "counter drop"), "true drop"},
		{"queue", input("accept", "queue flags bypass to 0"), "unknown unknown"},
		{"queue of a port", input("drop", "tcp dport 25 queue to 1-3"), "true drop"},
		{"queue, later chain drops", input("accept", "queue to 0") + strings.Replace(strings.Replace(input("drop"), "inet t", "inet u", 1), "priority filter", "priority 10", 1), "true drop"},
		{"old priority", strings.Replace(input("drop"), "priority filter", "priority 0", 1), "true drop"},
		{"priority with an offset", strings.Replace(input("drop"), "priority filter", "priority filter - 10", 1), "true drop"},
		{"no policy", "table ip6 x {\n}\ntable inet t {\n chain in {\n type filter hook input priority 0;\n }\n}\n", "false accept"},
		{"handles", "table inet t { # handle 1\n chain in { # handle 1\n type filter hook input priority 0; policy accept;\n drop # handle 2\n }\n}\n", "true drop"},
		{"comments", input("accept", `iif lo accept comment "lo; } drop"`, `drop comment "the rest"`), "true drop"},
		{"log with flags", input("accept", `log prefix "x y " level debug flags all reject with icmp type host-prohibited`), "true reject"},
		{"jump to another chain", strings.Replace(input("accept", "jump more"), "table inet t {\n", more[:len(more)-2], 1), "true reject"},
		{"jump to nowhere", input("drop", "jump nowhere"), "unknown unknown"},
		{"circle", input("drop", "jump in"), "unknown unknown"},
		{"xt match", input("drop", `xt match "conntrack" counter accept`), "unknown unknown"},
		{"xt target that only logs", input("drop", `limit rate 3/minute xt target "LOG"`), "true drop"},
		{"xt target that rejects", input("accept", `counter xt target "REJECT"`), "true reject"},
		{"what is not understood, before a drop", input("accept", "quux 17 drop", "drop"), "unknown unknown"},
		{"what is not understood, for a port", input("drop", "tcp dport 22 quux accept"), "true drop"},
		{"what is not understood", input("drop", "quux accept"), "unknown unknown"},
		{"opaque drop before a drop", input("accept", "ip ttl < 5 drop", "drop"), "true drop"},
		{"opaque drop alone", input("accept", "ip ttl < 5 drop"), "unknown unknown"},
		{"meta set", input("drop", "meta mark set 0x1 ct mark set meta mark accept"), "false accept"},
		{"dscp set", input("drop", "ip dscp set cs1 accept"), "false accept"},
		{"set of interfaces", input("drop", `iifname != { "lo", "docker0" } accept`), "false accept"},
		{"named set that is not listed", input("drop", "ip saddr @gone accept"), "unknown unknown"},
		{"concatenation", input("drop", "ip saddr . tcp dport { 10.0.0.1 . 22, 0.0.0.0/0 . 80 } accept"), "true drop"},
		{"concatenation of everything", input("drop", "ip saddr . tcp dport { 0.0.0.0/0 . 0-65535 } accept", "meta nfproto ipv6 accept"), "false accept"},
		{"state with a set", input("drop", "ct state { established, new } accept"), "false accept"},
		{"not of a state", input("drop", "ct state != new accept"), "true drop"},
		{"not established", input("drop", "ct state ! established,related accept"), "false accept"},
		{"flags of a SYN", input("accept", "tcp flags & (fin|syn|rst|ack) == syn reject", "udp sport 0-65535 reject"), "true reject"},
		{"meter", input("accept", "tcp dport 22 meter m { ip saddr limit rate 3/minute } accept", "drop"), "true drop"},
		{"connection count", input("accept", "ct count over 5 reject", "drop"), "true drop"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := linuxMachine()
			m.SetCommand("nft list ruleset", tt.text)
			got := strings.Fields(plain(verdicts(collect(t, m))))
			if len(got) != 4 || got[0]+" "+got[1] != tt.want {
				t.Errorf("%v, want %s", got, tt.want)
			}
		})
	}
}

func TestNFTJSON(t *testing.T) {
	ruleset := func(flags string, rules ...string) string {
		s := `{"nftables": [{"metainfo": {"json_schema_version": 1}}, {"table": {"family": "inet", "name": "t"` + flags + `}}, ` +
			`{"chain": {"family": "inet", "table": "t", "name": "in", "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}}`
		for _, r := range rules {
			s += `, {"rule": {"family": "inet", "table": "t", "chain": "in", "expr": [` + r + `]}}`
		}
		return s + "]}"
	}
	const drop = `{"drop": null}`
	tests := []struct{ name, text, want string }{
		{"drop", ruleset("", drop), "true drop"},
		{"dormant", ruleset(`, "flags": ["owner", "dormant"]`, drop), "false accept"},
		{"flag that nobody knows", ruleset(`, "flags": "x"`, drop), "unknown unknown"},
		{"owner", ruleset(`, "flags": "owner"`, drop), "true drop"},
		{"xt of an old nft, a match", ruleset("", `{"xt": null}, {"counter": null}, {"accept": null}`, drop), "unknown unknown"},
		{"xt of an old nft, the end of a rule", ruleset("", `{"xt": null}`), "unknown unknown"},
		{"xt before a drop, then a drop", ruleset("", `{"xt": null}, {"drop": null}`, drop), "true drop"},
		{"unknown expression", ruleset("", `{"unknown": "tunnel"}, {"accept": null}`, drop), "unknown unknown"},
		{"unknown expression for a port", ruleset("", `{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 22}}, {"unknown": "tunnel"}, {"accept": null}`, drop), "true drop"},
		{"a set that was not listed whole", strings.Replace(ruleset("", `{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@s"}}, {"accept": null}`, drop),
			`, {"rule"`, `, {"set": {"family": "inet", "table": "t", "name": "s", "partial": true, "elem": ["10.0.0.1"]}}, {"rule"`, 1), "unknown unknown"},
		{"names that are missing", ruleset("", `{"match": {}}, {"accept": null}`, drop), "unknown unknown"},
		{"no object", `{"nftables": []}`, "unknown unknown"},
		{"rule of no chain", `{"nftables": [{"metainfo": {}}, {"rule": {"family": "inet", "table": "t", "chain": "c", "expr": []}}]}`, "unknown unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := linuxMachine()
			m.SetCommand("nft -j list ruleset", tt.text)
			got := strings.Fields(plain(verdicts(collect(t, m))))
			if len(got) != 4 || got[0]+" "+got[1] != tt.want {
				t.Errorf("%v, want %s", got, tt.want)
			}
		})
	}
}
