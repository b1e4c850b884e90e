package firewall

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// valid runs the collector on one machine and wants a report that may travel,
// soon.
func valid(t *testing.T, m evidence.Machine, size int) {
	t.Helper()
	start := time.Now()
	s := Collect(t.Context(), m)
	s.Collector = "fuzz"
	if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
		t.Fatalf("not valid: %v", err)
	}
	if took := time.Since(start); took > 60*time.Second+time.Duration(size)*time.Microsecond {
		t.Fatalf("took %v for %d bytes", took, size)
	}
}

func seeds(f *testing.F, folders ...string) {
	f.Helper()
	for _, folder := range folders {
		each(f, folder, func(_, text string) { f.Add(text) })
	}
}

func FuzzNFTJSON(f *testing.F) {
	seeds(f, "linux/nft-json")
	rulesetFiles(f, func(_, _ string, file func(string) string) {
		f.Add(file("netlink.json"))
		f.Add(file("nft.json"))
	})
	f.Fuzz(func(t *testing.T, text string) {
		m := linuxMachine()
		m.SetCommand("nft -j list ruleset", text)
		valid(t, m, len(text))
	})
}

func FuzzNFTText(f *testing.F) {
	seeds(f, "linux/nft-text")
	rulesetFiles(f, func(_, _ string, file func(string) string) { f.Add(file("nft.txt")) })
	f.Fuzz(func(t *testing.T, text string) {
		m := linuxMachine()
		m.SetCommand("nft list ruleset", text)
		valid(t, m, len(text))
	})
}

func FuzzIPTables(f *testing.F) {
	seeds(f, "linux/iptables-save")
	rulesetFiles(f, func(_, _ string, file func(string) string) { f.Add(file("iptables-save.txt")) })
	f.Fuzz(func(t *testing.T, text string) {
		m := linuxMachine()
		m.SetCommand("iptables-save", text)
		m.SetCommand("ip6tables -nvL", text)
		valid(t, m, len(text))
	})
}

func FuzzUFWConf(f *testing.F) {
	seeds(f, "linux/ufw")
	f.Fuzz(func(t *testing.T, text string) {
		m := linuxMachine()
		m.SetCommand("nft list ruleset", "")
		m.SetFile("/etc/ufw/ufw.conf", text)
		valid(t, m, len(text))
	})
}

func FuzzNetsh(f *testing.F) {
	seeds(f, "windows/netsh-advfirewall")
	f.Fuzz(func(t *testing.T, text string) {
		m := evidence.NewMemory(evidence.Windows, day)
		m.SetCommand("netsh advfirewall show allprofiles", text)
		valid(t, m, len(text))
		if got := parseNetsh(text); len(got) > 3 {
			t.Fatalf("%d profiles", len(got))
		}
	})
}

func FuzzFirewallPolicy(f *testing.F) {
	f.Add(`{"current_profiles": 4, "domain": {"enabled": true, "default_inbound_block": true, "block_all": false}}`, `{"health": "good"}`)
	f.Fuzz(func(t *testing.T, policy, health string) {
		m := evidence.NewMemory(evidence.Windows, day)
		if json.Valid([]byte(policy)) {
			m.SetAnswer(rawJSON(policy), evidence.AskFirewallPolicy)
		}
		if json.Valid([]byte(health)) {
			m.SetAnswer(rawJSON(health), evidence.AskSecurityProvider, "firewall")
		}
		valid(t, m, len(policy))
	})
}

func FuzzSocketFilter(f *testing.F) {
	seeds(f, "macos/socketfilterfw")
	f.Fuzz(func(t *testing.T, text string) {
		m := macMachine()
		m.SetCommand("socketfilterfw --getglobalstate --getblockall --getstealthmode", text)
		m.SetCommand("socketfilterfw --getglobalstate", text)
		m.SetCommand("system_profiler -json SPFirewallDataType", text)
		m.SetFile("/Library/Preferences/com.apple.alf.plist", text)
		valid(t, m, len(text))
	})
}

// Input of the greatest size must not take more than a while.
func TestParsersAreBounded(t *testing.T) {
	const size = evidence.MaxFile
	var chains strings.Builder
	chains.WriteString("table inet t {\n chain c0 {\n type filter hook input priority 0; policy drop;\n jump c1\n jump c1\n }\n")
	for i := 1; chains.Len() < size-200; i++ {
		fmt.Fprintf(&chains, "chain c%d {\n jump c%d\n jump c%d\n}\n", i, i+1, i+1)
	}
	chains.WriteString("}\n")
	tests := map[string]string{
		"chains that call the next one twice": chains.String(),
		"one long set":                        input("drop", "ip saddr { "+strings.Repeat("10.0.0.1, ", size/10-50)+"10.0.0.2 } accept"),
		"ports":                               input("drop", "tcp dport { "+strings.Repeat("1-1023, ", size/8-50)+"22 } accept"),
		"braces":                              strings.Repeat("table t { ", size/10),
		"quotes":                              strings.Repeat(`"`, size),
		"words":                               input("drop", strings.Repeat("x ", size/2-100)),
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			m := linuxMachine()
			m.SetCommand("nft list ruleset", text)
			valid(t, m, 0)
		})
	}
	m := linuxMachine()
	m.SetCommand("nft -j list ruleset", `{"nftables": `+strings.Repeat("[", 9000)+strings.Repeat("]", 9000)+"}")
	valid(t, m, 0)
	m = linuxMachine()
	m.SetCommand("iptables-save", "*filter\n:INPUT DROP [0:0]\n"+strings.Repeat("-A INPUT -p tcp -m multiport --dports 1,2,3 -j ACCEPT\n", size/55)+"COMMIT\n")
	valid(t, m, 0)
}
