package firewall

import "testing"

// pre is a ruleset of one chain on the prerouting hook.
func pre(priority, policy string, rules string) string {
	return "table inet p {\n chain pre {\n type filter hook prerouting priority " + priority + "; policy " + policy + ";\n" + rules + "\n }\n}\n"
}

// What stands before connection tracking sees every packet as invalid, and no
// other of its fields at all (seen of kernel 6.18 with real connections, and as
// nft_ct_get_eval and xt_conntrack have it).
func TestBeforeConnectionTracking(t *testing.T) {
	tests := []struct{ name, rules, want string }{
		{"new ones dropped too early", pre("raw", "accept", "ct state new drop"), "false accept"},
		{"new ones dropped after", pre("mangle", "accept", "ct state new drop"), "true drop"},
		{"all but new ones dropped too early", pre("-300", "accept", "ct state != new drop"), "true drop"},
		{"invalid ones dropped too early", pre("-300", "accept", "ct state invalid drop"), "true drop"},
		{"new ones accepted too early", pre("-300", "drop", "ct state { established, new } accept"), "true drop"},
		{"by a map", pre("-300", "accept", "ct state vmap { new : drop, established : accept }"), "false accept"},
		{"no direction yet", pre("-300", "accept", "ct direction original drop"), "false accept"},
		{"nor another", pre("-300", "accept", "ct direction != reply drop"), "false accept"},
		{"nor a mark", pre("-300", "accept", "ct mark 0 drop\n ct mark != 5 drop"), "false accept"},
		{"at the same time", pre("-200", "accept", "ct state new drop"), "unknown unknown"},
		{"whatever the state", pre("-300", "accept", "iifname \"lo\" accept\n drop"), "true drop"},
		{"one chain, before and after", "table inet t {\n chain own {\n ct state new drop\n }\n" +
			" chain pre {\n type filter hook prerouting priority -300; policy accept;\n jump own\n }\n" +
			" chain in {\n type filter hook input priority 0; policy accept;\n jump own\n }\n}\n", "true drop"},
	}
	for _, tt := range tests {
		m := linuxMachine()
		m.SetCommand("nft list ruleset", tt.rules)
		if got := plain(verdicts(collect(t, m))); got != tt.want+" "+tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestRawTableOfIPTables(t *testing.T) {
	tests := []struct{ name, rules, want string }{
		{"new ones dropped", "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -m conntrack --ctstate NEW -j DROP\nCOMMIT\n", "enabled:ipv4=false"},
		{"all but new ones dropped", "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -m conntrack ! --ctstate NEW -j DROP\nCOMMIT\n", "enabled:ipv4=true manager=iptables"},
		{"strangers dropped", "*raw\n:PREROUTING DROP [0:0]\n-A PREROUTING -i lo -j ACCEPT\nCOMMIT\n", "enabled:ipv4=true default_inbound:ipv4=drop manager=iptables"},
		{"an address of containers", "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP\nCOMMIT\n", "enabled:ipv4=false manager=?not-found"},
	}
	for _, tt := range tests {
		m := linuxMachine()
		m.SetCommand("iptables-save", tt.rules)
		t.Log(tt.name)
		expect(t, collect(t, m), tt.want)
	}
}

// Of base chains with the same priority the kernel asks the newest first
// (nf_hook_entries_grow); nft lists the oldest first.
func TestSamePriority(t *testing.T) {
	const older = "table inet a {\n chain c {\n type filter hook input priority 0; policy accept;\n reject\n }\n}\n"
	const newer = "table inet b {\n chain c {\n type filter hook input priority 0; policy drop;\n }\n}\n"
	for rules, want := range map[string]string{older + newer: "drop", newer + older: "reject"} {
		m := linuxMachine()
		m.SetCommand("nft list ruleset", rules)
		expect(t, collect(t, m), "enabled=true default_inbound="+want)
	}
}

// A value that most packets have names nobody, however it is written.
func TestTypeOfServiceZero(t *testing.T) {
	for option, want := range map[string]string{
		"-m tos --tos 0x00/0xff": "?unreadable-output", "-m tos --tos 0x10/0xff": "true",
		"-m dscp --dscp 0x00": "?unreadable-output", "-m dscp --dscp 0x2e": "true",
	} {
		m := linuxMachine()
		m.SetCommand("iptables-save", "*filter\n:INPUT DROP [0:0]\n-A INPUT "+option+" -j ACCEPT\nCOMMIT\n")
		t.Log(option)
		expect(t, collect(t, m), "enabled:ipv4="+want)
	}
}
