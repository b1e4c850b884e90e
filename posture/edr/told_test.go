package edr

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const captures = "../../testfixtures/captures"

func capture(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(captures, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// on is a machine with one product installed and running, as told by what.
func on(sys evidence.System, what func(*evidence.Memory)) *evidence.Memory {
	m := evidence.NewMemory(sys, day)
	what(m)
	return m
}

func runningFile(m *evidence.Memory, path, owner string) {
	m.SetFile(path, "program")
	m.SetProcesses(evidence.Process{PID: 7, Name: "x", Executable: path, Owner: owner})
}

const falconLine = "falconctl -g --aid --version --rfm-state --rfm-reason --backend"

func TestFalconOnLinux(t *testing.T) {
	const dir = "linux/edr-crowdstrike/"
	tests := []struct {
		name string
		said string
		want []string
	}{
		{"registered, reduced", capture(t, dir+"macadmins-cid-aid-rfm-true.txt"),
			[]string{"healthy false reduced-function", "mode reduced reduced-function", "registered true", "version 7.29.18202.0"}},
		{"registered, well", capture(t, dir+"macadmins-upper-rfm-false.txt"),
			[]string{"healthy true", "mode active", "registered true", "version 7.29.18202.0"}},
		{"only the mode", capture(t, dir+"nixos-bpf-rfm-reason.txt"),
			[]string{"healthy true", "mode active", "registered unknown unreadable-output", "version unknown unreadable-output"}},
		{"placeholders", capture(t, dir+"wsl2-expected-rfm-true.txt"),
			[]string{"healthy false reduced-function", "mode reduced reduced-function", "registered unknown malformed-value", "version unknown malformed-value"}},
		{"malformed", capture(t, dir+"insights-aid-invalid1.txt") + capture(t, dir+"insights-version-invalid.txt"),
			[]string{"healthy unknown unreadable-output", "registered unknown unreadable-output", "version unknown unreadable-output"}},
		{"in single lines", capture(t, dir+"insights-aid-set.txt") + capture(t, dir+"insights-version.txt") + capture(t, dir+"insights-rfm-true.txt"),
			[]string{"healthy false reduced-function", "registered true", "version 7.14.16703.0"}},
		{"not registered", capture(t, dir+"insights-aid-unset.txt") + "rfm-state=false.\n",
			[]string{"healthy false not-registered", "registered false not-registered"}},
		{"not registered, mode not told", "aid is not set, version = 7.14.16703.0\nrfm-state is not set, rfm-reason is not set.\n" + capture(t, dir+"insights-backend-unset.txt"),
			[]string{"healthy false not-registered", "mode unknown unreadable-output", "registered false not-registered", "version 7.14.16703.0"}},
		{"two answers", "rfm-state=true, rfm-state=false\naid=\"44e3b7d20b434a2bb2815d9808fa3a8b\"\nversion = 7.14.16703.0",
			[]string{"healthy unknown unreadable-output", "registered true"}},
		{"a reason with words", "cid=\"x\", aid=\"44e3b7d20b434a2bb2815d9808fa3a8b\", version = 6.47.14408.0\nrfm-state=true, rfm-reason=Unsupported kernel, code=0xC0000225.",
			[]string{"healthy false reduced-function", "registered true", "version 6.47.14408.0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := on(evidence.Linux, func(m *evidence.Memory) {
				runningFile(m, "/opt/CrowdStrike/falcon-sensor", "0")
				m.SetCommand(falconLine, tt.said)
			})
			wantFacts(t, collect(t, m, shipped(t)), "crowdstrike-falcon", append(tt.want, "installed true", "running true", "name CrowdStrike Falcon")...)
		})
	}
}

func TestFalconctlRefuses(t *testing.T) {
	sensor := func(m *evidence.Memory) { runningFile(m, "/opt/CrowdStrike/falcon-sensor", "0") }
	m := on(evidence.Linux, sensor)
	wantFacts(t, collect(t, m, shipped(t)), "crowdstrike-falcon", "running true", "healthy unknown tool-missing")
	m.SetOutput(falconLine, evidence.Output{Stderr: []byte("ERROR: this command must be run as root\n"), Code: 255})
	wantFacts(t, collect(t, m, shipped(t)), "crowdstrike-falcon", "running true", "healthy unknown needs-privilege")
	// An older sensor refuses options that it does not know.
	m.SetOutput(falconLine, evidence.Output{Stderr: []byte("ERROR: unknown option\n"), Code: 1})
	m.SetCommand("falconctl -g --aid", capture(t, "linux/edr-crowdstrike/insights-aid-set.txt"))
	m.SetCommand("falconctl -g --rfm-state", "rfm-state=false.")
	wantFacts(t, collect(t, m, shipped(t)), "crowdstrike-falcon", "healthy true", "registered true", "version unknown unreadable-output")
	// What the sensor keeps is told of one that does not run, too.
	m.SetProcesses(evidence.Process{PID: 1, Executable: "/sbin/init", Owner: "0"})
	wantFacts(t, collect(t, m, shipped(t)), "crowdstrike-falcon", "running false not-running", "healthy false not-running", "mode off not-running", "registered true")
}

func TestWazuh(t *testing.T) {
	const dir = "linux/edr-wazuh/"
	agent := func(m *evidence.Memory) {
		runningFile(m, "/var/ossec/bin/wazuh-agentd", "998")
		m.SetCommand("wazuh-control status", capture(t, dir+"status-running.txt"))
		m.SetCommand("wazuh-control info", capture(t, dir+"info.txt"))
		m.SetFile("/var/ossec/etc/client.keys", "001 host any 0000")
	}
	tests := []struct {
		name   string
		change func(*evidence.Memory)
		want   []string
	}{
		{"well", func(*evidence.Memory) {},
			[]string{"running true", "healthy true", "mode active", "registered true", "version 4.14.5"}},
		{"no key", func(m *evidence.Memory) { m.SetFile("/var/ossec/etc/client.keys", "") },
			[]string{"registered false not-registered", "healthy true"}},
		{"the key's folder may not be looked into", func(m *evidence.Memory) { m.Fail("/var/ossec/etc/client.keys", fact.ReasonNeedsPrivilege) },
			[]string{"registered unknown needs-privilege"}},
		{"connected", func(m *evidence.Memory) {
			m.SetFile("/var/ossec/var/run/wazuh-agentd.state", "# - pending: waiting\nstatus='connected'\nlast_ack='2026-03-01 11:59:58'\n")
		}, []string{"healthy true"}},
		{"no connection", func(m *evidence.Memory) {
			m.SetFile("/var/ossec/var/run/wazuh-agentd.state", "# State file for wazuh-agentd\nstatus='disconnected'\n")
		}, []string{"running true", "healthy false reduced-function", "mode reduced reduced-function"}},
		{"one program is down", func(m *evidence.Memory) {
			m.SetOutput("wazuh-control status", evidence.Output{Code: 1, Stdout: []byte("wazuh-modulesd not running...\nwazuh-agentd is running...\n")})
		}, []string{"healthy false reduced-function"}},
		{"it says it is down, and runs", func(m *evidence.Memory) {
			m.SetOutput("wazuh-control status", evidence.Output{Code: 1, Stdout: []byte(capture(t, dir+"status-stopped.txt"))})
		}, []string{"running conflict", "healthy false not-running", "mode off not-running"}},
		{"it says it is well, and does not run", func(m *evidence.Memory) {
			m.SetProcesses(evidence.Process{PID: 1, Executable: "/sbin/init", Owner: "0"})
		},
			[]string{"running false not-running", "healthy conflict", "mode conflict"}},
		{"a person runs it", func(m *evidence.Memory) {
			m.SetProcesses(evidence.Process{PID: 7, Executable: "/var/ossec/bin/wazuh-agentd", Owner: "1000"})
		}, []string{"running false wrong-owner"}},
		{"not a word that is known", func(m *evidence.Memory) { m.SetCommand("wazuh-control status", "wazuh-agentd läuft\n") },
			[]string{"healthy unknown unreadable-output", "mode unknown unreadable-output"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := on(evidence.Linux, agent)
			tt.change(m)
			wantFacts(t, collect(t, m, shipped(t)), "wazuh-agent", append(tt.want, "installed true")...)
		})
	}
}

func TestMdatp(t *testing.T) {
	const dir = "macos/edr-mdatp/"
	// The form of `mdatp health --output json` as of 101.23: settings are
	// objects, identifiers and times are text.
	json := func(change ...string) string {
		return strings.NewReplacer(change...).Replace(`{"$type":"getHealthAllResult","appVersion":"101.23062.0010","definitionsStatus":{"$type":"upToDate"},` +
			`"definitionsUpdated":"1691587153787","healthIssues":[],"healthy":true,"licensed":true,"orgId":"0f0f","passiveModeEnabled":{"displayValue":true,"isManaged":false,"value":false},` +
			`"realTimeProtectionAvailable":true,"realTimeProtectionEnabled":{"displayValue":true,"isManaged":true,"value":true},"tamperProtection":{"isManaged":false,"value":"block"}}`)
	}
	tests := []struct {
		name string
		json string
		text string
		want []string
	}{
		{"well", json(), "", []string{"healthy true", "mode active", "registered true", "tamper_protected true", "version 101.23062.0010", "signatures_at 2023-08-09T13:19:13Z"}},
		{"below a warning", "WARNING: deprecated\n" + json(), "", []string{"healthy true"}},
		{"passive", json(`"isManaged":false,"value":false}`, `"isManaged":false,"value":true}`), "", []string{"healthy false reduced-function", "mode passive reduced-function"}},
		{"definitions too old", json(`"upToDate"`, `"outOfDate"`), "", []string{"healthy false definitions-old", "mode active"}},
		{"no licence", json(`"licensed":true`, `"licensed":false`), "", []string{"registered false not-registered"}},
		{"nobody's", json(`"0f0f"`, `""`), "", []string{"registered false not-registered"}},
		{"cut off", json()[:200], "", []string{"healthy unknown unreadable-output"}},
		{"the service does not answer", "", "ATTENTION: No connection to the daemon.\n", []string{"healthy unknown unreadable-output", "version unknown unreadable-output"}},
		{"in words", "", capture(t, dir+"health-101.70.19.txt"), []string{"healthy true", "mode active", "tamper_protected false", "version 101.70.19", "signatures_at 2022-07-06T13:57:03Z"}},
		{"unwell", "", capture(t, dir+"health-unhealthy-2026.txt"), []string{"healthy false reduced-function", "mode reduced reduced-function", "version unknown unreadable-output"}},
		{"not approved", "", capture(t, dir+"health-kext-not-approved.txt"), []string{"healthy false reduced-function", "mode reduced reduced-function"}},
		{"set by the organisation", "", "healthy : true\nreal_time_protection_enabled : true [managed]\npassive_mode_enabled : true [managed]\n", []string{"healthy false reduced-function", "mode passive reduced-function"}},
		{"half told", "", "healthy : true\n", []string{"healthy unknown unreadable-output"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := on(evidence.Linux, func(m *evidence.Memory) {
				runningFile(m, "/opt/microsoft/mdatp/sbin/wdavdaemon", "0")
				if tt.json != "" {
					m.SetCommand("mdatp health --output json", tt.json)
				}
				if tt.text != "" {
					m.SetCommand("mdatp health", tt.text)
				}
			})
			wantFacts(t, collect(t, m, shipped(t)), "microsoft-defender-endpoint", append(tt.want, "installed true", "running true")...)
		})
	}
}

func TestClamAV(t *testing.T) {
	m := on(evidence.Linux, func(m *evidence.Memory) {
		runningFile(m, "/usr/sbin/clamd", "111")
		m.SetFile("/var/lib/clamav/main.cvd", "ClamAV-VDB:16 Sep 2021 08-32 -0400:62:6647427:90:")
	})
	wantFacts(t, collect(t, m, shipped(t)), "clamav", "running true", "healthy unknown unsupported-system", "signatures_at 2021-09-16T12:32:00Z", "mode -")
	m.SetFile("/var/lib/clamav/daily.cvd", "ClamAV-VDB:07 Feb 2026 08-22 +0000:27545:300000:90:"+strings.Repeat(" ", 600))
	m.SetFile("/var/lib/clamav/daily.cld", "ClamAV-VDB:08 Feb 2026 08-22 +0000:27546:300000:90:")
	wantFacts(t, collect(t, m, shipped(t)), "clamav", "signatures_at 2026-02-08T08:22:00Z")
	for _, name := range []string{"main.cvd", "daily.cvd", "daily.cld"} {
		m.SetFile("/var/lib/clamav/"+name, "not definitions")
	}
	wantFacts(t, collect(t, m, shipped(t)), "clamav", "signatures_at unknown unreadable-output")
}

// The forms that the products' own tools print, as public inventories of them
// have it; the values are made up.
func TestOthersOnLinux(t *testing.T) {
	tests := []struct {
		id, program, command, said string
		want                       []string
	}{
		{"sentinelone-singularity", "/opt/sentinelone/bin/sentinelone-agent", "sentinelctl control status",
			"Agent state      Enabled\n\nProcess Name     PID\norchestrator     901\n", []string{"healthy true", "mode active", "version unknown unreadable-output"}},
		{"sentinelone-singularity", "/opt/sentinelone/bin/sentinelone-agent", "sentinelctl control status",
			"Agent version: 30.1.1.10\nAgent state      Disabled\nAnti Tamper                      On\n", []string{"healthy false reduced-function", "mode off reduced-function", "tamper_protected true", "version 30.1.1.10"}},
		{"carbon-black-cloud", "/opt/carbonblack/psc/bin/cbagentd", "repcli status",
			"General Info:\n\tSensor Version: 2.14.0.1234321\nSensor Status:\n\tState: Enabled\nCloud Status:\n\tRegistered: Yes\n", []string{"healthy true", "mode active", "registered true", "version 2.14.0.1234321"}},
		{"carbon-black-cloud", "/opt/carbonblack/psc/bin/cbagentd", "repcli status",
			"Sensor Status:\n\tState: Bypass (User Initiated)\nCloud Status:\n\tRegistered: No\n", []string{"healthy false reduced-function", "mode off reduced-function", "registered false not-registered"}},
		{"cortex-xdr", "/opt/traps/bin/pmd", "cytool runtime query",
			"  Name  PID  User  Status  Command\n  pmd  1092  root  Running  /opt/traps/bin/pmd\n", []string{"healthy true", "mode active"}},
		{"cortex-xdr", "/opt/traps/bin/pmd", "cytool runtime query",
			"  Name  PID  User  Status  Command\n  pmd  N/A  N/A  Stopped\n", []string{"running conflict", "healthy false not-running"}},
		{"bitdefender-gravityzone", "/opt/bitdefender-security-tools/bin/bdsecd", "bduitool get ps",
			"Product version: 7.0.3.2239\nLast security content update: 2023-08-24 at 11:44:37 GMT+2\nFeatures:\n  - Antimalware status: On\n", []string{"healthy true", "version 7.0.3.2239", "signatures_at 2023-08-24T09:44:37Z"}},
		{"elastic-defend", "/opt/Elastic/Endpoint/elastic-endpoint", "elastic-agent status --output json",
			`{"info":{"id":"x","version":"8.17.0"},"state":3,"components":[{"id":"log-default","name":"log","state":3},{"id":"endpoint-default","name":"endpoint","state":2}],"FleetState":2}`, []string{"healthy true", "mode active", "version 8.17.0"}},
		{"elastic-defend", "/opt/Elastic/Endpoint/elastic-endpoint", "elastic-agent status --output json",
			`{"info":{"version":"8.17.0"},"state":2,"components":[{"id":"log-default","name":"log","state":2}]}`, []string{"healthy unknown unreadable-output", "version 8.17.0"}},
		{"osquery", "/opt/osquery/bin/osqueryd", "true", "", []string{"healthy unknown unsupported-system", "mode -"}},
	}
	for _, tt := range tests {
		m := on(evidence.Linux, func(m *evidence.Memory) {
			runningFile(m, tt.program, "0")
			m.SetCommand(tt.command, tt.said)
		})
		wantFacts(t, collect(t, m, shipped(t)), tt.id, append(tt.want, "installed true")...)
	}
}

// Looking for every shipped product where none is, is quick enough to be done
// whenever a process ends.
func TestQuick(t *testing.T) {
	m := evidence.NewMemory(evidence.Linux, day)
	m.SetProcesses(evidence.Process{PID: 1, Executable: "/sbin/init", Owner: "0"})
	rows := shipped(t)
	best := time.Hour
	for range 20 {
		began := time.Now()
		Collect(t.Context(), m, rows)
		best = min(best, time.Since(began))
	}
	if best > 20*time.Millisecond {
		t.Errorf("took %s", best)
	}
	t.Logf("%d rows: %s", len(rows), best)
}
