package edr

import (
	"fmt"
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

const extDir = "/Library/SystemExtensions/3C8E1C2B-0000-4000-8000-000000000001/"

// database is db.plist with one extension for each line "team identifier
// version state category".
func database(lines ...string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><plist version="1.0"><dict><key>version</key><real>1</real><key>extensions</key><array>`)
	for _, line := range lines {
		f := strings.Fields(line)
		fmt.Fprintf(&b, `<dict><key>teamID</key><string>%s</string><key>identifier</key><string>%s</string><key>bundleVersion</key><dict><key>CFBundleShortVersionString</key><string>%s</string></dict>`+
			`<key>state</key><string>%s</string><key>categories</key><array><string>com.apple.system_extension.%s</string></array>`+
			`<key>stagedBundleURL</key><dict><key>relative</key><string>file://%s%s.systemextension/</string></dict></dict>`, f[0], f[1], f[2], f[3], f[4], extDir, f[1])
	}
	b.WriteString(`</array></dict></plist>`)
	return b.String()
}

func extensionProcess(id, owner string) evidence.Process {
	return evidence.Process{PID: 9, Name: "x", Executable: extDir + id + ".systemextension/Contents/MacOS/" + id, Owner: owner}
}

func TestExtensions(t *testing.T) {
	const id = "com.crowdstrike.falcon.Agent"
	active := "X9E956P446 " + id + " 7.30 activated_enabled endpoint_security"
	runs := extensionProcess(id, "0")
	idle := evidence.Process{PID: 1, Name: "launchd", Executable: "/sbin/launchd", Owner: "0"}
	const installed, notThere = "installed true", "installed -"
	tests := []struct {
		name    string
		db      []string
		list    string
		process evidence.Process
		want    []string
	}{
		{"active and running", []string{active}, "", runs, []string{installed, "running true", "version 7.30"}},
		{"active, not running", []string{active}, "", idle, []string{installed, "running false not-running", "healthy false not-running"}},
		{"a person's process", []string{active}, "", extensionProcess(id, "501"), []string{installed, "running false wrong-owner"}},
		{"whose process it is not told", []string{active}, "", extensionProcess(id, ""), []string{"running unknown needs-privilege"}},
		{"an older version on its way out", []string{"X9E956P446 " + id + " 7.16 terminated_waiting_to_uninstall_on_reboot endpoint_security", active}, "", runs, []string{installed, "running true", "version 7.30"}},
		{"on its way out", []string{"X9E956P446 " + id + " 7.16 terminated_waiting_to_uninstall_on_reboot endpoint_security"}, "", runs, []string{notThere}},
		{"waits for consent", []string{"X9E956P446 " + id + " 7.30 activated_waiting_for_user endpoint_security"}, "", runs, []string{installed, "running false not-running"}},
		{"another maker's", []string{"ZMCG7MLDV9 " + id + " 7.30 activated_enabled endpoint_security"}, "", runs, []string{"installed false identity-mismatch", "running false not-running"}},
		{"only its filter of the network", []string{"X9E956P446 " + id + " 7.30 activated_enabled network_extension"}, "", runs, []string{notThere}},
		{"listed", nil, capture(t, "macos/systemextensionsctl/crowdstrike-active.txt"), runs, []string{installed, "running true", "version 7.30"}},
		{"listed without states", nil, capture(t, "macos/systemextensionsctl/crowdstrike-header-no-state.txt"), runs, []string{installed, "running true", "version 7.29"}},
		{"listed on its way out", nil, capture(t, "macos/systemextensionsctl/crowdstrike-terminated.txt"), runs, []string{"installed unknown unreadable-output"}}, // a piece of a list
		{"listed as another maker's", nil, capture(t, "macos/systemextensionsctl/spaces-mixed.txt"), runs, []string{"installed false identity-mismatch", "running false not-running"}},
		{"listed with parentheses in its version", nil, "1 extension(s)\n*\t*\tX9E956P446\t" + id + " (7.30 nightly (19707)/202.02)\tFalcon Sensor (beta)\t[activated enabled]\r\n", runs, []string{installed, "running true"}},
		{"none listed", nil, "0 extension(s)\n", runs, []string{notThere}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := on(evidence.MacOS, func(m *evidence.Memory) {
				m.SetProcesses(tt.process)
				if tt.db != nil {
					m.SetFile(extensionDB, database(tt.db...))
				}
				if tt.list != "" {
					m.SetCommand("systemextensionsctl list", tt.list)
				}
			})
			wantFacts(t, collect(t, m, shipped(t)), "crowdstrike-falcon", tt.want...)
		})
	}
}

func TestExtensionList(t *testing.T) {
	const dir = "macos/systemextensionsctl/"
	tests := []struct {
		file string
		want []string // team identifier version state category
	}{
		{"real-avg-malwarebytes-removed-protonvpn.txt", []string{
			"XSJ59WMJBM com.avg.Antivirus.SystemExtension 16.2.674 terminated_waiting_to_uninstall_on_reboot network_extension",
			"J6S6Q257EK ch.protonvpn.mac.WireGuard-Extension 6.5.1 activated_enabled network_extension",
			"J6S6Q257EK ch.protonvpn.mac.Transparent-Proxy 6.5.1 activated_enabled network_extension",
			"GVZRY6KDKR com.malwarebytes.mbam.engine.sys.ext 5.27.1 terminated_waiting_to_uninstall_on_reboot endpoint_security"}},
		{"real-lulu-two-versions.txt", []string{
			"VBG97UB4TA com.objective-see.lulu.extension 2.4.0 terminated_waiting_to_uninstall_on_reboot network_extension",
			"VBG97UB4TA com.objective-see.lulu.extension 2.4.2 activated_enabled network_extension"}},
		{"real-santa-migration.txt", []string{
			"EQHXZ8M8AV com.google.santa.daemon 2024.9 terminated_waiting_to_uninstall_on_reboot endpoint_security",
			"ZMCG7MLDV9 com.northpolesec.santa.daemon 2024.10 activated_enabled endpoint_security"}},
		{"spaces-mixed.txt", []string{
			"9PTGMPNXZ2 com.microsoft.wdav.netext 101.25082.0003 activated_enabled network_extension",
			"PXPZ95SK77 com.example.disabled 1.0 terminated_waiting_to_uninstall_on_reboot network_extension",
			"ZMCG7MLDV9 com.crowdstrike.falcon.Agent 7.20 activated_enabled network_extension",
			"ABCDE12345 com.example.unknown-filter 2.0 activated_enabled network_extension"}},
	}
	for _, tt := range tests {
		list, ok := parseExtensionList(capture(t, dir+tt.file))
		if !ok || len(list) != len(tt.want) {
			t.Errorf("%s: %+v", tt.file, list)
			continue
		}
		for i, e := range list {
			if g := strings.Join([]string{e.Team, e.Identifier, e.Version, e.State, strings.Join(e.Categories, ",")}, " "); g != tt.want[i] {
				t.Errorf("%s: %s, want %s", tt.file, g, tt.want[i])
			}
		}
	}
	for _, text := range []string{"", "command not found\n", "Fehler\n"} {
		if _, ok := parseExtensionList(text); ok {
			t.Errorf("%q passes for a list", text)
		}
	}
}

// The states of two real Macs, in the words of their database.
func TestDatabaseOfRealMacs(t *testing.T) {
	var lines []string
	for line := range strings.Lines(capture(t, "macos/systemextensionsctl/mql-kandji-crowdstrike-states.txt")) {
		lines = append(lines, strings.TrimSpace(line)+" endpoint_security")
	}
	lines = append(lines, "UBF8T346G9 com.microsoft.wdav.epsext 101.56.62 terminated_waiting_to_uninstall_on_reboot endpoint_security",
		"Y2CCP3S9W7 com.broadcom.mes.systemextension 9.1.100 activated_waiting_for_user endpoint_security")
	m := on(evidence.MacOS, func(m *evidence.Memory) {
		m.SetFile(extensionDB, database(lines...))
		m.SetProcesses(extensionProcess("com.crowdstrike.falcon.Agent", "0"))
	})
	s := collect(t, m, shipped(t))
	wantFacts(t, s, "crowdstrike-falcon", "installed true", "running true", "version 7.17")
	wantFacts(t, s, "iru-edr", "installed true", "running false not-running", "version 1.8.10")
	wantFacts(t, s, "microsoft-defender-endpoint", "installed -")
	wantFacts(t, s, "broadcom-symantec-endpoint", "installed true", "running false not-running", "healthy false not-running")
	wantFacts(t, s, "cisco-secure-endpoint", "installed -") // its VPN is there
}

func TestExtensionsNotKnown(t *testing.T) {
	tests := []struct {
		name  string
		setup func(*evidence.Memory)
		state fact.State
		why   fact.Reason
	}{
		{"no such list on this system", func(*evidence.Memory) {}, fact.Absent, fact.ReasonNotFound},
		{"refused", func(m *evidence.Memory) { m.Fail(extensionDB, fact.ReasonNeedsPrivilege) }, fact.Unknown, fact.ReasonNeedsPrivilege},
		{"nonsense", func(m *evidence.Memory) { m.SetFile(extensionDB, capture(t, "macos/malformed/plaso-truncated.plist")) }, fact.Unknown, fact.ReasonUnreadable},
		{"both refuse", func(m *evidence.Memory) {
			m.SetOutput("systemextensionsctl list", evidence.Output{Code: 1, Stderr: []byte("Operation not permitted")})
		}, fact.Unknown, fact.ReasonNeedsPrivilege},
		{"empty answer", func(m *evidence.Memory) { m.SetCommand("systemextensionsctl list", "") }, fact.Unknown, fact.ReasonUnreadable},
	}
	for _, tt := range tests {
		s := collect(t, on(evidence.MacOS, tt.setup), shipped(t))
		if s.State != tt.state || s.Reason != tt.why {
			t.Errorf("%s: %s (%s), want %s (%s)", tt.name, s.State, s.Reason, tt.state, tt.why)
		}
	}
}

func TestLaunchd(t *testing.T) {
	const label = "X9E956P446.com.crowdstrike.falcon.Agent"
	running := "system/" + label + " = {\n\tactive count = 4\n\tpath = (submitted by x)\n\tstate = running\n\n\tspawn role = {\n\t\tstate = idle\n\t}\n\tpid = 318\n}\n"
	tests := []struct {
		name, print, list string
		want              []string
	}{
		{"runs", running, "", []string{"running true"}},
		{"spawn failed", "system/" + label + " = {\n\tstate = spawn scheduled\n\truns = 324\n}\n", "", []string{"running false not-running"}},
		{"in the table", "", "PID\tStatus\tLabel\n318\t0\t" + label + "\n", []string{"running true"}},
		{"in the table, not running", "", "PID\tStatus\tLabel\n-\t-9\t" + label + "\n", []string{"running false not-running"}},
		{"not in the table", "", capture(t, "macos/launchctl/inspec-launchctl-list.txt"), []string{"running unknown not-recorded"}},
		{"no launchd", "", "", []string{"running unknown not-recorded"}},
	}
	for _, tt := range tests {
		m := on(evidence.MacOS, func(m *evidence.Memory) {
			m.SetFile(extensionDB, database("X9E956P446 com.crowdstrike.falcon.Agent 7.30 activated_enabled endpoint_security"))
			m.Fail(evidence.ProcessList, fact.ReasonNotRecorded)
			if tt.print != "" {
				m.SetCommand("launchctl print system/"+label, tt.print)
			}
			if tt.list != "" {
				m.SetCommand("launchctl list", tt.list)
			}
		})
		s := collect(t, m, shipped(t))
		wantFacts(t, s, "crowdstrike-falcon", append(tt.want, "installed true")...)
		if s.State != fact.Observed {
			t.Errorf("%s: state %s", tt.name, s.State)
		}
	}
}

func TestFalconOnMacOS(t *testing.T) {
	const dir = "macos/edr-crowdstrike/"
	tests := []struct {
		name, command, said string
		want                []string
	}{
		{"property list, reduced", "info", capture(t, dir+"macadmins-falconctl-info.plist"), []string{"healthy false reduced-function", "mode reduced reduced-function", "registered true", "version 7.26.19707.0"}},
		{"property list, well", "info", strings.Replace(capture(t, dir+"macadmins-falconctl-info.plist"), "<key>rfm</key>\n        <true/>", "<key>rfm</key><false/>", 1), []string{"healthy true", "mode active"}},
		{"6.36", "stats agent_info", capture(t, dir+"fleet-agent_info-6.36.txt"), []string{"healthy true", "registered true", "version 6.36.14903.0"}},
		{"7.39", "stats", capture(t, dir+"meridian-stats-7.39.txt"), []string{"healthy true", "mode active", "version 7.39.21104.0", "registered unknown unreadable-output"}},
		{"not operational", "stats", "=== agent_info ===\nversion: 7.39.21104.0\nSensor operational: false\n", []string{"healthy false reduced-function", "version 7.39.21104.0"}},
		{"nothing that is known", "stats", "=== Communications ===\nversion: 1.2\n", []string{"healthy unknown unreadable-output"}},
	}
	for _, tt := range tests {
		m := on(evidence.MacOS, func(m *evidence.Memory) {
			m.SetFile(extensionDB, database("X9E956P446 com.crowdstrike.falcon.Agent 7.30 activated_enabled endpoint_security"))
			m.SetProcesses(extensionProcess("com.crowdstrike.falcon.Agent", "0"))
			m.SetCommand("falconctl "+tt.command, tt.said)
		})
		t.Run(tt.name, func(t *testing.T) {
			wantFacts(t, collect(t, m, shipped(t)), "crowdstrike-falcon", append(tt.want, "installed true", "running true")...)
		})
	}
}

func TestSentinelOneOnMacOS(t *testing.T) {
	const daemon = "/Library/Sentinel/sentinel-agent.bundle/Contents/MacOS/sentineld"
	// The form of `sentinelctl status` as of 23.4; the values are made up.
	said := func(change ...string) string {
		return strings.NewReplacer(change...).Replace("Agent\n   Version:                 23.4.1.7125\n   ID:                      0f0f-0f\n   Missing Authorizations:  \n   ES Framework:            started\n" +
			"   Agent Operational State: enabled\n   Ready:                   yes\n   Protection:              enabled\n   Infected:                no\n   Network Quarantine:      no\nManagement\n   Server:                  https://x.example.com\n")
	}
	tests := []struct {
		name, said string
		want       []string
	}{
		{"well", said(), []string{"healthy true", "mode active", "registered true", "version 23.4.1.7125"}},
		{"framework stopped", said("started", "stopped"), []string{"healthy false reduced-function", "mode reduced reduced-function"}},
		{"no access to the disk", said("Authorizations:  ", "Authorizations:  Full Disk Access"), []string{"healthy false reduced-function"}},
		{"off", said("Protection:              enabled", "Protection: disabled"), []string{"healthy false reduced-function", "mode off reduced-function"}},
		{"nobody's", said("https://x.example.com", ""), []string{"registered false not-registered"}},
		{"cut off", "Agent\n   Version:   23.4.1.7125\n", []string{"healthy unknown unreadable-output", "version 23.4.1.7125"}},
	}
	for _, tt := range tests {
		m := on(evidence.MacOS, func(m *evidence.Memory) {
			runningFile(m, daemon, "0")
			m.SetAnswer(map[string]any{"valid": true, "team_id": "4AYE5J54KN"}, evidence.AskSignature, daemon)
			m.SetCommand("sentinelctl status", tt.said)
		})
		wantFacts(t, collect(t, m, shipped(t)), "sentinelone-singularity", append(tt.want, "installed true", "running true")...)
	}
}

func TestApplications(t *testing.T) {
	const app = "/Applications/Falcon.app"
	m := on(evidence.MacOS, func(m *evidence.Memory) {
		m.SetDir(app)
		m.SetProcesses(evidence.Process{PID: 1, Executable: "/sbin/launchd", Owner: "0"})
	})
	wantFacts(t, collect(t, m, shipped(t)), "crowdstrike-falcon", "installed true unsupported-system", "running false not-running", "healthy false not-running")
	m.SetAnswer(map[string]any{"valid": true, "team_id": "X9E956P446"}, evidence.AskSignature, app)
	wantFacts(t, collect(t, m, shipped(t)), "crowdstrike-falcon", "installed true")
	m.SetAnswer(map[string]any{"valid": true, "team_id": "ABCDE12345"}, evidence.AskSignature, app)
	wantFacts(t, collect(t, m, shipped(t)), "crowdstrike-falcon", "installed false identity-mismatch")
}

// A folder with the product's name does not make up for a program that anybody
// may change.
func TestApplicationAroundOddProgram(t *testing.T) {
	const app = "/Applications/Microsoft Defender.app"
	const program = app + "/Contents/MacOS/wdavdaemon"
	m := on(evidence.MacOS, func(m *evidence.Memory) {
		runningFile(m, program, "0")
		m.SetOwner(program, "501")
		m.SetDir(app)
		m.SetAnswer(map[string]any{"valid": true, "team_id": "UBF8T346G9"}, evidence.AskSignature, app)
	})
	wantFacts(t, collect(t, m, shipped(t)), "microsoft-defender-endpoint", "installed false wrong-owner", "running false wrong-owner")
}

// A row from outside finds a product by its extension, too.
func TestDeclaredExtension(t *testing.T) {
	rows, err := observe.Parse([]byte("- {id: org/watch, name: Watch, team_ids: [ABCDE12345], extensions: [com.example.watch.*]}"), fact.OriginManaged)
	if err != nil {
		t.Fatal(err)
	}
	m := on(evidence.MacOS, func(m *evidence.Memory) {
		m.SetFile(extensionDB, database("ABCDE12345 com.example.watch.Extension 2.1 activated_enabled network_extension"))
		m.SetProcesses(extensionProcess("com.example.watch.Extension", "0"))
	})
	wantFacts(t, collect(t, m, rows), "org/watch", "installed true", "running true", "version 2.1", "origin managed", "healthy unknown unsupported-system")
	m.Remove(extensionDB)
	wantFacts(t, collect(t, m, rows), "org/watch", "installed false not-found", "running false not-running", "healthy false not-found")
}
