package firewall

import (
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

func macMachine() *evidence.Memory { return evidence.NewMemory(evidence.MacOS, day) }

// Each capture as the answer to its own question.
func TestSocketFilterCaptures(t *testing.T) {
	tests := map[string]string{
		"globalstate-off.txt":          "enabled=false default_inbound=accept stealth=false block_all=false",
		"globalstate-on1.txt":          "enabled=true default_inbound=?unsupported-system",
		"globalstate-on2-blockall.txt": "enabled=true default_inbound=drop block_all=true",
		"blockall-off-old.txt":         "enabled=true block_all=false default_inbound=?unsupported-system",
		"blockall-on-nonessential.txt": "enabled=true block_all=true default_inbound=drop",
		"blockall-on.txt":              "enabled=true block_all=true default_inbound=drop",
		"stealth-disabled-old.txt":     "enabled=true stealth=false",
		"stealth-enabled-old.txt":      "enabled=true stealth=true",
		"stealth-off.txt":              "enabled=true stealth=false",
	}
	questions := map[string]string{"globalstate": "--getglobalstate", "blockall": "--getblockall", "stealth": "--getstealthmode"}
	each(t, "macos/socketfilterfw", func(name, text string) {
		want, ok := tests[name]
		if !ok {
			t.Errorf("%s has no expectation", name)
		}
		m := macMachine()
		m.SetCommand("socketfilterfw --getglobalstate", "Firewall is enabled. (State = 1)\n")
		kind, _, _ := strings.Cut(name, "-")
		m.SetCommand("socketfilterfw "+questions[kind], text)
		t.Run(name, func(t *testing.T) { expect(t, collect(t, m), want) })
	})
}

func TestSocketFilter(t *testing.T) {
	const one = "socketfilterfw --getglobalstate --getblockall --getstealthmode"
	tests := []struct{ name, text, want string }{
		{"all in one run", "Firewall is enabled. (State = 1)\nFirewall has block all state set to disabled.\nFirewall stealth mode is on\n", "enabled=true block_all=false stealth=true manager=local"},
		{"essential only", "Firewall is blocking all non-essential incoming connections. (State = 2)\nFirewall has block all state set to enabled.\nFirewall stealth mode is off\n", "enabled=true default_inbound=drop block_all=true stealth=false"},
		{"state 2 without block all", "Firewall is enabled. (State = 2)\nBlock all DISABLED!\nStealth mode enabled\n", "enabled=true block_all=conflict default_inbound=?sources-disagree stealth=true"},
		{"stealth broken", "Firewall is enabled. (State = 1)\nBlock all DISABLED!\nALF: Error, kStealthEnableKey does not return the correct type.\n", "enabled=true block_all=false stealth=?not-found"},
		{"words only, on", "Firewall is enabled.\n", "enabled=true"},
		{"words only, off", "Firewall is disabled.\n", "enabled=false"},
		{"the number contradicts the words", "Firewall is disabled. (State = 1)\n", "enabled=?tool-missing"},
		{"a number that nobody knows", "Firewall is enabled. (State = 7)\n", "enabled=?tool-missing"},
		{"nothing", "", "enabled=?tool-missing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := macMachine()
			m.SetCommand(one, tt.text)
			expect(t, collect(t, m), tt.want)
		})
	}
	m := macMachine()
	expect(t, collect(t, m), "enabled=?tool-missing manager=local")
	m.Fail(one, fact.ReasonTimeout)
	expect(t, collect(t, m), "enabled=?timeout")
	m = macMachine()
	m.SetCommand("socketfilterfw --getglobalstate", "what\n")
	expect(t, collect(t, m), "enabled=?unreadable-output")
}

func TestMacOtherSources(t *testing.T) {
	const one, alf = "socketfilterfw --getglobalstate --getblockall --getstealthmode", "/Library/Preferences/com.apple.alf.plist"
	plist := func(body string) string {
		return `<?xml version="1.0"?><plist version="1.0"><dict>` + body + `</dict></plist>`
	}
	m := macMachine()
	m.SetFile(alf, plist("<key>globalstate</key><integer>1</integer><key>stealthenabled</key><integer>1</integer>"))
	expect(t, collect(t, m), "enabled=true stealth=true default_inbound=?unsupported-system")
	m.SetCommand(one, "Firewall is disabled. (State = 0)\n")
	expect(t, collect(t, m), "enabled=conflict default_inbound=?sources-disagree")
	m.SetFile("/System/Library/CoreServices/SystemVersion.plist", plist("<key>ProductVersion</key><string>15.2</string>"))
	expect(t, collect(t, m), "enabled=false")
	m.SetFile("/System/Library/CoreServices/SystemVersion.plist", plist("<key>ProductVersion</key><string>14.7</string>"))
	expect(t, collect(t, m), "enabled=conflict")
	m.SetCommand(one, "Firewall is enabled. (State = 1)\nFirewall has block all state set to disabled.\n")
	m.SetFile(alf, plist("<key>globalstate</key><integer>2</integer>")) // blocks all, the tool says it does not
	expect(t, collect(t, m), "enabled=true block_all=conflict default_inbound=?sources-disagree")
	m.SetCommand(one, "Firewall is disabled. (State = 0)\n")
	m.SetFile(alf, "bplist00")
	expect(t, collect(t, m), "enabled=false manager=local")
	m.SetFile("/Library/Managed Preferences/com.apple.security.firewall.plist", plist("<key>EnableFirewall</key><true/>"))
	expect(t, collect(t, m), "enabled=false manager=mdm")

	report := func(state, stealth string) string {
		return `{"SPFirewallDataType": [{"_name": "spfirewall_settings", "spfirewall_globalstate": "spfirewall_globalstate_` + state + `", "spfirewall_stealthenabled": "` + stealth + `"}]}`
	}
	for text, want := range map[string]string{
		report("limit_connections", "Yes"): "enabled=true stealth=true",
		report("block_all", "No"):          "enabled=true default_inbound=drop stealth=false",
		report("allow_all", "No"):          "enabled=false",
		report("something", "No"):          "enabled=?tool-missing",
		`{"SPFirewallDataType": []}`:       "enabled=?tool-missing",
	} {
		m := macMachine()
		m.SetCommand("system_profiler -json SPFirewallDataType", text)
		expect(t, collect(t, m), want)
	}
}
