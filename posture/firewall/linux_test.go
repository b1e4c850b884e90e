package firewall

import (
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

func linuxMachine() *evidence.Memory { return evidence.NewMemory(evidence.Linux, day) }

// The captures, each as what its command printed, with the reading that
// INDEX.tsv expects of it.
func TestRecordedRulesets(t *testing.T) {
	const off = "enabled=false default_inbound=accept enabled:ipv4=false enabled:ipv6=false"
	tests := map[string]map[string]string{
		"linux/nft-json": {
			"insights-1.json":                      "enabled=false enabled:ipv4=true default_inbound:ipv4=reject enabled:ipv6=false", // no table for IPv6
			"insights-2chains.json":                off,
			"insights-doc.json":                    off + " manager=?not-found",
			"insights-empty.json":                  off,
			"local-empty.json":                     off,
			"inspec-chain.json":                    "enabled=?unreadable-output", // one chain, not a list of all
			"local-input-accept-final-reject.json": "enabled=true default_inbound=reject manager=nftables",
			"local-input-drop.json":                "enabled=true default_inbound=drop enabled:ipv4=true enabled:ipv6=true manager=nftables",
			"local-ufw-active.json":                "enabled=true default_inbound=drop manager=ufw",
		},
		"linux/nft-text": {
			"local-docker-only.txt":      off,
			"local-empty.txt":            off,
			"local-input-drop.txt":       "enabled=true default_inbound=drop manager=nftables",
			"moby-docker-new-daemon.txt": off,
		},
		"linux/iptables-save": {
			"insights-rhel6.txt":         "enabled:ipv4=true default_inbound:ipv4=reject manager=iptables enabled=?tool-missing",
			"insights-rhel7-ip6.txt":     "enabled:ipv6=true default_inbound:ipv6=reject enabled=?tool-missing",
			"inspec-iptables-S.txt":      "enabled:ipv4=true default_inbound:ipv4=drop",
			"jc-centos77-filter.txt":     "enabled=?unreadable-output enabled:ipv4=?unreadable-output", // without -v, "ACCEPT all" may be for loopback
			"local-docker-only.txt":      "enabled=false enabled:ipv4=false",
			"local-empty.txt":            "enabled=false enabled:ipv4=false",
			"local-ufw-active.txt":       "enabled:ipv4=true default_inbound:ipv4=drop manager=ufw",
			"local-ufw-iptables-S.txt":   "enabled:ipv4=true default_inbound:ipv4=drop", // chains of which nothing is printed are empty
			"moby-docker-new-daemon.txt": "enabled=false enabled:ipv4=false",
		},
	}
	lines := map[string]string{
		"linux/nft-json": "nft -j list ruleset", "linux/nft-text": "nft list ruleset", "linux/iptables-save": "iptables-save",
		"insights-rhel7-ip6.txt": "ip6tables-save", "inspec-iptables-S.txt": "iptables -S", "local-ufw-iptables-S.txt": "iptables -S",
		"jc-centos77-filter.txt": "iptables -L", "moby-docker-new-daemon.txt": "iptables -L -v",
	}
	for folder, wanted := range tests {
		seen := 0
		each(t, folder, func(name, text string) {
			want, ok := wanted[name]
			if !ok {
				t.Errorf("%s/%s has no expectation", folder, name)
				return
			}
			seen++
			t.Run(name, func(t *testing.T) {
				line := lines[folder]
				if other, ok := lines[name]; ok && folder == "linux/iptables-save" {
					line = other
				}
				if strings.HasPrefix(name, "moby") { // a document; its first block is the answer
					text, _, _ = strings.Cut(text, "\n\n\n")
				}
				if line == "iptables -L -v" {
					line = "iptables -L -v -n"
				}
				m := linuxMachine()
				m.SetCommand(line, text)
				expect(t, collect(t, m), want)
			})
		})
		if seen != len(wanted) {
			t.Errorf("%s: %d of %d expectations met a capture", folder, seen, len(wanted))
		}
	}
}

// iptables' own listing says what nft cannot show of ufw's rules.
func TestExtensionsAreExplainedByIPTables(t *testing.T) {
	m := linuxMachine()
	// Under names that are not ufw's, what an accept is for is not known:
	// {"xt": "conntrack"} may be NEW.
	m.SetCommand("nft -j list ruleset", strings.ReplaceAll(capture(t, "linux/nft-json/local-ufw-active.json"), "-before-input", "-our-input"))
	m.SetCommand("iptables-nft-save", strings.ReplaceAll(capture(t, "linux/iptables-save/local-ufw-active.txt"), "-before-input", "-our-input"))
	m.SetFile("/sys/module/ipv6/parameters/disable", "1\n")
	expect(t, collect(t, m), "enabled=true default_inbound=drop manager=ufw enabled:ipv6=- active:ipv6=false")

	m.SetCommand("iptables-nft-save", "*filter\n:INPUT DROP [0:0]\nCOMMIT\n") // other tables than nft's
	expect(t, collect(t, m), "enabled=?unreadable-output")
}

func TestIPv6SwitchedOffNeedsNoFilter(t *testing.T) {
	machine := func() *evidence.Memory {
		m := linuxMachine()
		m.SetCommand("nft list ruleset", "table ip t {\n chain c {\n type filter hook input priority 0; policy drop;\n }\n}\n")
		return m
	}
	const conf = "/proc/sys/net/ipv6/conf/"
	tests := []struct {
		name  string
		setup func(*evidence.Memory)
		want  string
	}{
		{"on", func(*evidence.Memory) {}, "enabled=false enabled:ipv4=true enabled:ipv6=false"},
		{"at boot", func(m *evidence.Memory) { m.SetFile("/sys/module/ipv6/parameters/disable", "1\n") }, "enabled=true default_inbound=drop enabled:ipv6=-"},
		{"not at boot", func(m *evidence.Memory) { m.SetFile("/sys/module/ipv6/parameters/disable", "0\n") }, "enabled=false"},
		{"no IPv6 in the kernel", func(m *evidence.Memory) { m.SetFile("/proc/sys/net/ipv4/ip_forward", "0\n") }, "enabled=true"},
		{"disabled everywhere", func(m *evidence.Memory) {
			m.SetFile("/proc/sys/net/ipv4/ip_forward", "0\n")
			for _, face := range []string{"all", "default", "eth0"} {
				m.SetFile(conf+face+"/disable_ipv6", "1\n")
			}
			m.SetFile(conf+"lo/disable_ipv6", "0\n")
		}, "enabled=true"},
		{"disabled but for one", func(m *evidence.Memory) {
			m.SetFile("/proc/sys/net/ipv4/ip_forward", "0\n")
			for _, face := range []string{"all", "default"} {
				m.SetFile(conf+face+"/disable_ipv6", "1\n")
			}
			m.SetFile(conf+"wlan0/disable_ipv6", "0\n")
		}, "enabled=false"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := machine()
			tt.setup(m)
			expect(t, collect(t, m), tt.want)
		})
	}
}

func TestLegacyTables(t *testing.T) {
	const names, names6 = "/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"
	const dropAll = "*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n"
	empty, drop := capture(t, "linux/nft-json/local-empty.json"), capture(t, "linux/nft-json/local-input-drop.json")
	both := func(m *evidence.Memory) {
		m.SetFile(names, "filter\n")
		m.SetFile(names6, "filter\n")
	}
	tests := []struct {
		name, nft string
		setup     func(*evidence.Memory)
		want      string
	}{
		{"module loaded, no table", empty, func(m *evidence.Memory) { m.SetFile(names, "") }, "enabled=false"},
		{"tables that cannot be listed", empty, both, "enabled=?tool-missing"},
		{"tables that drop", empty, func(m *evidence.Memory) {
			both(m)
			m.SetCommand("iptables-legacy-save", dropAll)
			m.SetCommand("ip6tables-legacy-save", dropAll)
		}, "enabled=true default_inbound=drop manager=iptables"},
		{"tables that drop for IPv4", empty, func(m *evidence.Memory) {
			m.SetFile(names, "filter\n")
			m.SetCommand("iptables-legacy-save", dropAll)
		}, "enabled=false enabled:ipv4=true enabled:ipv6=false"},
		{"tables that accept beside nftables that drops", drop, func(m *evidence.Memory) {
			both(m)
			m.SetCommand("iptables-legacy-save", "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n")
			m.SetCommand("ip6tables-legacy-save", "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n")
		}, "enabled=true default_inbound=drop"},
		{"not for this user", empty, func(m *evidence.Memory) {
			m.Fail(names, fact.ReasonNeedsPrivilege)
			m.Fail(names6, fact.ReasonNeedsPrivilege)
		}, "enabled=?needs-privilege"},
		{"filtered whatever they say", drop, func(m *evidence.Memory) { m.Fail(names, fact.ReasonNeedsPrivilege) }, "enabled=true default_inbound=drop"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := linuxMachine()
			m.SetCommand("nft -j list ruleset", tt.nft)
			tt.setup(m)
			expect(t, collect(t, m), tt.want)
		})
	}
}

func TestSourcesOfNFTables(t *testing.T) {
	drop, empty := capture(t, "linux/nft-json/local-input-drop.json"), capture(t, "linux/nft-json/local-empty.json")
	const ask, js, text = "nftables", "nft -j list ruleset", "nft list ruleset"
	tests := []struct {
		name  string
		setup func(*evidence.Memory)
		want  string
	}{
		{"nothing answers", func(*evidence.Memory) {}, "enabled=?tool-missing default_inbound=?tool-missing stealth=?tool-missing"},
		{"the kernel answers", func(m *evidence.Memory) {
			m.SetAnswer(rawJSON(drop), evidence.AskNFTables)
			m.Fail(js, fact.ReasonTimeout)
		}, "enabled=true stealth=?unsupported-system block_all=?unsupported-system"},
		{"the kernel refuses", func(m *evidence.Memory) {
			m.Fail(ask, fact.ReasonNeedsPrivilege)
			m.SetCommand(js, empty)
		}, "enabled=?needs-privilege"},
		{"the kernel is slow", func(m *evidence.Memory) { m.Fail(ask, fact.ReasonTimeout) }, "enabled=?timeout"},
		{"nft refuses", func(m *evidence.Memory) {
			m.SetOutput(js, evidence.Output{Stderr: []byte("Operation not permitted (you must be root)\n"), Code: 1})
		}, "enabled=?needs-privilege"},
		{"nft complains and prints nothing", func(m *evidence.Memory) {
			m.SetOutput(text, evidence.Output{Stderr: []byte("netlink: Error: cache initialization failed: Operation not permitted\n")})
		}, "enabled=?needs-privilege"},
		{"text after JSON that is cut", func(m *evidence.Memory) {
			m.SetCommand(js, drop[:len(drop)/2])
			m.SetCommand(text, capture(t, "linux/nft-text/local-input-drop.txt"))
		}, "enabled=true"},
		{"only JSON that is cut", func(m *evidence.Memory) { m.SetCommand(js, drop[:len(drop)/2]) }, "enabled=?unreadable-output"},
		{"text that is cut", func(m *evidence.Memory) { m.SetCommand(text, "table inet t {\n chain c {\n type filter hook input") }, "enabled=?unreadable-output"},
		{"something else", func(m *evidence.Memory) { m.SetCommand(text, "nftables is great\n") }, "enabled=?unreadable-output"},
		{"iptables refuses", func(m *evidence.Memory) {
			m.SetOutput("iptables-save", evidence.Output{Stderr: []byte("iptables-save v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)\n"), Code: 4})
		}, "enabled=?needs-privilege"},
		{"iptables hides a table of nftables", func(m *evidence.Memory) {
			m.SetCommand("iptables-save", "# Table `filter' is incompatible, use 'nft' tool.\n")
		}, "enabled:ipv4=?unreadable-output"},
		{"iptables hides legacy tables", func(m *evidence.Memory) {
			m.SetCommand("iptables-save", "# Generated by iptables-save v1.8.9 (nf_tables)\n*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n# Warning: iptables-legacy tables present, use iptables-legacy-save to see them\n")
		}, "enabled:ipv4=?tool-missing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := linuxMachine()
			tt.setup(m)
			expect(t, collect(t, m), tt.want)
		})
	}
}

func TestKernelWithoutNFTables(t *testing.T) {
	const kernel, builtin = "/proc/sys/kernel/osrelease", "/lib/modules/6.1/modules.builtin"
	tests := []struct {
		name  string
		setup func(*evidence.Memory)
		want  string
	}{
		{"neither nf_tables nor a legacy table", func(*evidence.Memory) {}, "enabled=false"},
		{"a legacy table", func(m *evidence.Memory) { m.SetFile("/proc/net/ip_tables_names", "filter\n") }, "enabled:ipv4=?tool-missing enabled:ipv6=false"},
		{"nf_tables is loaded", func(m *evidence.Memory) { m.SetFile("/proc/modules", "nf_tables 300000 1 - Live 0x0\n") }, "enabled=?tool-missing"},
		{"nf_tables is built in", func(m *evidence.Memory) { m.SetFile(builtin, "kernel/net/netfilter/nf_tables.ko\n") }, "enabled=?tool-missing"},
		{"what is built in is not known", func(m *evidence.Memory) { m.Remove(builtin) }, "enabled=?tool-missing"},
		{"a kernel without modules", func(m *evidence.Memory) { m.Remove("/proc/modules") }, "enabled=?tool-missing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := linuxMachine()
			m.SetFile("/proc/modules", "ext4 1 2 - Live 0x0\n")
			m.SetFile(kernel, "6.1\n")
			m.SetFile(builtin, "kernel/fs/ext4/ext4.ko\n")
			tt.setup(m)
			expect(t, collect(t, m), tt.want)
		})
	}
}

func TestManagerOnlyDescribes(t *testing.T) {
	m := linuxMachine()
	m.SetCommand("nft list ruleset", "")
	m.SetFile("/etc/ufw/ufw.conf", capture(t, "linux/ufw/local-ufw.conf-enabled"))
	expect(t, collect(t, m), "enabled=false manager=ufw")
	m.SetFile("/etc/ufw/ufw.conf", capture(t, "linux/ufw/local-ufw.conf-disabled"))
	expect(t, collect(t, m), "enabled=false manager=?not-found")
	m.SetFile("/run/firewalld/state", "")
	expect(t, collect(t, m), "enabled=false manager=firewalld")
}
