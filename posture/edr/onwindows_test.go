package edr

import (
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

const (
	msMpEng = `C:\ProgramData\Microsoft\Windows Defender\Platform\4.18.24030.9-0\MsMpEng.exe`
	msSense = `C:\Program Files\Windows Defender Advanced Threat Protection\MsSense.exe`
	cs      = `C:\Program Files\CrowdStrike\CSFalconService.exe`
)

func mpRow(t testing.TB, name string) evidence.Row {
	t.Helper()
	rows, err := evidence.ParseRows([]byte(capture(t, "windows/mpcomputerstatus/"+name)))
	if err != nil || len(rows) != 1 {
		t.Fatalf("%s: %d rows, %v", name, len(rows), err)
	}
	return rows[0]
}

func centreRows(t testing.TB, name string) []evidence.Row {
	t.Helper()
	rows, err := evidence.ParseRows([]byte(capture(t, "windows/securitycenter/"+name)))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// defended is a client on which Defender runs.
func defended(m *evidence.Memory) {
	m.SetFile(msMpEng, "pe")
	m.SetServices(evidence.Service{Name: "WinDefend", State: "running", Start: "auto", PID: 40, Executable: msMpEng})
	m.SetProcesses(evidence.Process{PID: 40, Name: "MsMpEng.exe", Executable: msMpEng, Owner: "S-1-5-18"})
	m.SetAnswer(map[string]any{"valid": true, "signer": "CN=Microsoft Windows Publisher, O=Microsoft Corporation"}, evidence.AskSignature, msMpEng)
}

func TestDefenderAntivirus(t *testing.T) {
	normal := evidence.Row{"AMRunningMode": {"Normal"}, "AMServiceEnabled": {"True"}, "AntivirusEnabled": {"True"}, "RealTimeProtectionEnabled": {"True"}, "IsTamperProtected": {"True"}, "AMProductVersion": {"4.18.24030.9"}, "AntivirusSignatureLastUpdated": {"20260228101500.000000+060"}, "AntivirusSignatureAge": {"1"}}
	with := func(changes ...string) evidence.Row {
		row := evidence.Row{}
		for k, v := range normal {
			row[k] = v
		}
		for i := 0; i < len(changes); i += 2 {
			row[changes[i]] = []string{changes[i+1]}
			if changes[i+1] == "" {
				delete(row, changes[i])
			}
		}
		return row
	}
	passive := func(n string) string {
		return "HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Windows Advanced Threat Protection\r\n    ForceDefenderPassiveMode    REG_DWORD    " + n + "\r\n"
	}
	tests := []struct {
		name   string
		row    evidence.Row
		change func(*evidence.Memory)
		want   []string
	}{
		{"well", normal, nil, []string{"running true", "healthy true", "mode active", "tamper_protected true", "version 4.18.24030.9", "signatures_at 2026-02-28T09:15:00Z"}},
		{"old definitions are only old", mpRow(t, "normal-stale-278d.txt"), nil,
			[]string{"healthy true", "mode active", "tamper_protected true", "signatures_at 2024-05-06T01:09:46Z"}},
		{"it calls them old", with("DefenderSignaturesOutOfDate", "True"), nil, []string{"healthy false definitions-old", "mode active"}},
		{"it never had any", with("AntivirusSignatureAge", "4294967295", "AntivirusSignatureLastUpdated", ""), nil, []string{"healthy false definitions-old", "signatures_at unknown not-found"}},
		{"a time in another language", with("AntivirusSignatureLastUpdated", "06/05/2024 01:09:46"), nil, []string{"signatures_at unknown malformed-value"}},
		{"passive, all switches on", mpRow(t, "passive-fields.txt"), nil, []string{"healthy false reduced-function", "mode passive reduced-function"}},
		{"side by side", with("AMRunningMode", "SxS Passive Mode"), nil, []string{"mode passive reduced-function"}},
		{"EDR block mode alone", mpRow(t, "edr-block-mode.txt"), nil, []string{"mode passive reduced-function", "healthy false reduced-function"}},
		{"EDR block mode, active", with("AMRunningMode", "EDR Block Mode"), func(m *evidence.Memory) { m.SetRegistry(passive("0x0")) }, []string{"mode active", "healthy true"}},
		{"EDR block mode, passive", with("AMRunningMode", "EDR Block Mode"), func(m *evidence.Memory) { m.SetRegistry(passive("0x1")) }, []string{"mode passive reduced-function"}},
		{"EDR block mode, registry refused", with("AMRunningMode", "EDR Block Mode"), func(m *evidence.Memory) {
			m.Fail(`HKLM\SOFTWARE\Policies\Microsoft\Windows Advanced Threat Protection`, fact.ReasonNeedsPrivilege)
		}, []string{"mode unknown unreadable-output", "healthy unknown unreadable-output"}},
		{"real-time protection off", with("RealTimeProtectionEnabled", "False"), nil, []string{"mode reduced reduced-function", "healthy false reduced-function"}},
		{"real-time protection not told", with("RealTimeProtectionEnabled", ""), nil, []string{"mode unknown unreadable-output", "healthy unknown unreadable-output"}},
		{"a mode of tomorrow", with("AMRunningMode", "Quantum Mode"), nil, []string{"mode unknown unreadable-output", "healthy unknown unreadable-output"}},
		{"not running, and its service runs", mpRow(t, "not-running.txt"), nil, []string{"running conflict", "mode off not-running", "healthy false not-running", "version 4.18.2205.4", "tamper_protected false"}},
		{"not running", mpRow(t, "not-running.txt"), func(m *evidence.Memory) {
			m.SetServices(evidence.Service{Name: "WinDefend", State: "stopped", Executable: msMpEng})
			m.SetProcesses(evidence.Process{PID: 4, Name: "System"})
		}, []string{"running false not-running", "mode off not-running", "healthy false not-running"}},
		{"the centre agrees", normal, func(m *evidence.Memory) {
			m.SetWMI(centerSpace, centerClass, centreRows(t, "defender-on-397568.txt")...)
			m.SetAnswer(map[string]string{"health": "good"}, evidence.AskSecurityProvider, "antivirus")
		}, []string{"mode active", "healthy true"}},
		{"the centre says it is off", normal, func(m *evidence.Memory) {
			m.SetWMI(centerSpace, centerClass, centreRows(t, "bitdefender-active-defender-off.txt")...)
		}, []string{"mode conflict", "healthy conflict"}},
		{"the centre says off of a passive one", mpRow(t, "passive-fields.txt"), func(m *evidence.Memory) {
			m.SetWMI(centerSpace, centerClass, centreRows(t, "defender-off-393472-huorong.txt")...)
		}, []string{"mode passive reduced-function", "healthy false reduced-function"}},
		{"the centre says on of a passive one", mpRow(t, "passive-fields.txt"), func(m *evidence.Memory) {
			m.SetWMI(centerSpace, centerClass, centreRows(t, "defender-on-397568.txt")...)
		}, []string{"mode conflict", "healthy false reduced-function"}},
		{"the centre calls one off that has no real-time protection", with("RealTimeProtectionEnabled", "False"), func(m *evidence.Memory) {
			m.SetWMI(centerSpace, centerClass, evidence.Row{"displayName": {"Windows Defender"}, "productState": {"393472"}})
		}, []string{"mode reduced reduced-function", "healthy false reduced-function"}},
		{"the centre does not tell", normal, func(m *evidence.Memory) {
			m.SetWMI(centerSpace, centerClass, evidence.Row{"displayName": {"Windows Defender"}})
		}, []string{"mode active", "healthy true"}},
		{"the centre calls the machine at risk", normal, func(m *evidence.Memory) {
			m.SetAnswer(map[string]string{"health": "poor"}, evidence.AskSecurityProvider, "antivirus")
		}, []string{"mode active", "healthy conflict"}},
		{"no such class", nil, nil, []string{"running true", "healthy unknown not-found", "mode unknown not-found"}},
		{"refused", nil, func(m *evidence.Memory) {
			m.Fail(strings.ToLower(defenderSpace+":"+defenderClass), fact.ReasonNeedsPrivilege)
		}, []string{"healthy unknown needs-privilege"}},
		{"signed by somebody else", normal, func(m *evidence.Memory) {
			m.SetAnswer(map[string]any{"valid": true, "signer": "CN=Somebody"}, evidence.AskSignature, msMpEng)
		}, []string{"installed false identity-mismatch", "running false identity-mismatch", "healthy false identity-mismatch"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := on(evidence.Windows, defended)
			if tt.row != nil {
				m.SetWMI(defenderSpace, defenderClass, tt.row)
			}
			if tt.change != nil {
				tt.change(m)
			}
			wantFacts(t, collect(t, m, shipped(t)), "microsoft-defender-antivirus", tt.want...)
		})
	}
}

func TestDefenderForEndpointOnWindows(t *testing.T) {
	onboarding := func(n string) string {
		return "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows Advanced Threat Protection\\Status\r\n    OnboardingState    REG_DWORD    " + n + "\r\n"
	}
	stopped := evidence.Service{Name: "Sense", State: "stopped", ExitCode: 1077, Executable: msSense}
	running := evidence.Service{Name: "Sense", State: "running", PID: 50, Executable: msSense}
	sense := evidence.Process{PID: 50, Name: "MsSense.exe", Executable: msSense, Owner: "S-1-5-18"}
	idle := evidence.Process{PID: 4, Name: "System"}
	tests := []struct {
		name    string
		service evidence.Service
		process evidence.Process
		state   string
		want    []string
	}{
		{"onboarded", running, sense, "0x1", []string{"running true", "registered true", "healthy unknown unsupported-system"}},
		{"never onboarded", stopped, idle, "", []string{"running false not-running", "registered false not-registered", "healthy false not-registered"}},
		{"offboarded", evidence.Service{Name: "sense", State: "stopped", Executable: msSense}, idle, "0x0", []string{"running false not-running", "registered false not-registered"}},
		{"runs, nothing more told", running, sense, "", []string{"running true", "registered unknown not-found", "healthy unknown unsupported-system"}},
		{"a number of tomorrow", running, sense, "0x7", []string{"registered unknown malformed-value"}},
		{"its process is gone", running, idle, "0x1", []string{"running conflict", "registered true"}},
		{"runs beside its service", stopped, sense, "0x1", []string{"running conflict"}},
		{"a person runs it", evidence.Service{Name: "Sense", State: "stopped", Executable: msSense}, evidence.Process{PID: 50, Name: "MsSense.exe", Executable: msSense, Owner: "S-1-5-21-1-2-3-1001"}, "0x1", []string{"running false not-running"}},
		{"the process may not be looked at", running, evidence.Process{PID: 50, Name: "MsSense.exe"}, "0x1", []string{"running true"}},
		{"the service is another program's", evidence.Service{Name: "Sense", State: "running", PID: 50, Executable: `C:\x\MsSense.exe`}, sense, "0x1", []string{"running true"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := on(evidence.Windows, func(m *evidence.Memory) {
				m.SetFile(msSense, "pe")
				m.SetServices(tt.service)
				m.SetProcesses(tt.process)
				if tt.state != "" {
					m.SetRegistry(onboarding(tt.state))
				}
			})
			wantFacts(t, collect(t, m, shipped(t)), "microsoft-defender-endpoint", append(tt.want, "installed true unsupported-system")...)
		})
	}
}

// A product that lies elsewhere is found by its service, and must be signed.
func TestElsewhere(t *testing.T) {
	const program = `D:\CS\CSFalconService.exe`
	for signer, want := range map[string]string{"CN=CrowdStrike, Inc.": "installed true", "CN=Somebody": "installed false identity-mismatch"} {
		m := on(evidence.Windows, func(m *evidence.Memory) {
			m.SetFile(program, "pe")
			m.SetServices(evidence.Service{Name: "CSFalconService", State: "running", PID: 70, Executable: program})
			m.SetProcesses(evidence.Process{PID: 70, Executable: program, Owner: "S-1-5-18"})
			m.SetAnswer(map[string]any{"valid": true, "signer": signer}, evidence.AskSignature, program)
		})
		wantFacts(t, collect(t, m, shipped(t)), "crowdstrike-falcon", want)
	}
}

// Where a recording has no list of services, sc.exe tells, in any language.
func TestServiceControl(t *testing.T) {
	const dir = "windows/sc-query/"
	german := "\r\nSERVICE_NAME: Sense\r\n        TYP                : 10  WIN32_OWN_PROCESS\r\n        STATUS             : 4  RUNNING\r\n                                (STOPPABLE, NOT_PAUSABLE)\r\n        WIN32_EXITCODE     : 0  (0x0)\r\n"
	tests := []struct {
		name string
		out  evidence.Output
		want []string
	}{
		{"running", evidence.Output{Stdout: []byte(capture(t, dir+"sense-running.txt"))}, []string{"installed true unsupported-system", "running true"}},
		{"never started", evidence.Output{Stdout: []byte(capture(t, dir+"sense-never-started.txt"))}, []string{"running false not-running", "registered false not-registered"}},
		{"offboarded", evidence.Output{Stdout: []byte(capture(t, dir+"sense-stopped-offboarded.txt"))}, []string{"running false not-running", "registered unknown not-found"}},
		{"of PsService", evidence.Output{Stdout: []byte(capture(t, dir+"sense-xp-style-list.txt"))}, []string{"running false not-running", "registered false not-registered"}},
		{"in German", evidence.Output{Stdout: []byte(german)}, []string{"running true"}},
		{"of another service", evidence.Output{Stdout: []byte(capture(t, dir+"windefend-running.txt"))}, []string{"installed true unsupported-system", "running false not-running"}},
		{"not there", evidence.Output{Stdout: []byte("[SC] EnumQueryServicesStatus:OpenService FEHLER 1060:\r\n\r\nDer Dienst ist kein installierter Dienst.\r\n"), Code: 1060}, []string{"running false not-running"}},
		{"refused", evidence.Output{Stdout: []byte("[SC] OpenService FAILED 5:\r\n\r\nAccess is denied.\r\n"), Code: 5}, []string{"running false not-running"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := on(evidence.Windows, func(m *evidence.Memory) {
				m.SetFile(msSense, "pe")
				m.SetOutput("sc query Sense", tt.out)
			})
			wantFacts(t, collect(t, m, shipped(t)), "microsoft-defender-endpoint", tt.want...)
		})
	}
}

func TestServiceDecides(t *testing.T) {
	rows := []observe.EDRRow{{ID: "x", Name: "X", Services: []string{"XSvc"}, Publishers: []string{"X Corp"}, Origin: fact.OriginBuiltIn}}
	const program = `C:\Program Files\X\17\x.exe`
	other := evidence.Service{Name: "Dhcp", State: "running", PID: 1}
	tests := []struct {
		name  string
		setup func(*evidence.Memory)
		state fact.State
		want  string
	}{
		{"left over", func(m *evidence.Memory) {
			m.SetServices(evidence.Service{Name: "XSvc", State: "stopped", Executable: program})
		}, fact.Absent, "- -"},
		{"stopped", func(m *evidence.Memory) {
			m.SetFile(program, "pe")
			m.SetServices(evidence.Service{Name: "xsvc", State: "stopped", Executable: program})
			m.SetAnswer(map[string]any{"valid": true, "signer": "CN=X Corp"}, evidence.AskSignature, program)
		}, fact.Observed, "true false(not-running)"},
		{"pending is not running", func(m *evidence.Memory) {
			m.SetServices(evidence.Service{Name: "XSvc", State: "start-pending", PID: 9})
		}, fact.Observed, "true false(not-running)"},
		{"not signed well", func(m *evidence.Memory) {
			m.SetServices(evidence.Service{Name: "XSvc", State: "running", Executable: program})
			m.SetAnswer(map[string]any{"valid": false, "signer": "CN=X Corp", "error": "0x80096010"}, evidence.AskSignature, program)
		}, fact.Absent, "false(identity-mismatch) false(identity-mismatch)"},
		{"signature refused", func(m *evidence.Memory) {
			m.SetServices(evidence.Service{Name: "XSvc", State: "running", Executable: program})
			m.Fail("signature "+program, fact.ReasonNeedsPrivilege)
		}, fact.Unknown, "unknown(needs-privilege) unknown(needs-privilege)"},
		{"signature not told", func(m *evidence.Memory) {
			m.SetServices(evidence.Service{Name: "XSvc", State: "running", Executable: program})
			m.SetAnswer(map[string]any{}, evidence.AskSignature, program)
		}, fact.Unknown, "unknown(unreadable-output) unknown(unreadable-output)"},
		{"no way to ask for a signature", func(m *evidence.Memory) {
			m.SetServices(evidence.Service{Name: "XSvc", State: "running", Executable: program})
			m.Fail("signature "+program, fact.ReasonUnsupported)
		}, fact.Observed, "true(unsupported-system) true"},
		{"a person's process", func(m *evidence.Memory) {
			m.SetServices(evidence.Service{Name: "XSvc", State: "running", PID: 9})
			m.SetProcesses(evidence.Process{PID: 9, Owner: "S-1-5-21-1-2-3-1001"})
		}, fact.Observed, "true false(wrong-owner)"},
		{"none", func(m *evidence.Memory) { m.SetServices(other) }, fact.Absent, "- -"},
		{"refused", func(m *evidence.Memory) { m.Fail(evidence.ServiceList, fact.ReasonNeedsPrivilege) }, fact.Unknown, "unknown(needs-privilege) unknown(needs-privilege)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := on(evidence.Windows, tt.setup)
			s := collect(t, m, rows)
			if g := show(s, "x"); g != tt.want || s.State != tt.state {
				t.Errorf("%s, %s; want %s, %s", g, s.State, tt.want, tt.state)
			}
		})
	}
}

func TestSentinelOneOnWindows(t *testing.T) {
	const program = `C:\Program Files\SentinelOne\Sentinel Agent 25.1.4.434\SentinelAgent.exe`
	tests := []struct {
		name, said string
		want       []string
	}{
		{"22.2", capture(t, "windows/sentinelctl/status-22.2.txt"), []string{"healthy true", "mode active", "tamper_protected true", "version 22.2.3.402"}},
		{"25.1, told to watch only", capture(t, "windows/sentinelctl/status-25.1.txt"), []string{"healthy true", "mode passive", "version 25.1.4.434"}},
		{"disabled", "Disable State: Disabled by the user\nSentinelMonitor is loaded\nSelf-Protection status: Off\nSentinelAgent is loaded\n", []string{"healthy false reduced-function", "mode off reduced-function", "tamper_protected false"}},
		{"monitor not loaded", "Disable State: Not disabled by the user\nSentinelMonitor is not loaded\nSentinelAgent is loaded\n", []string{"healthy false reduced-function", "mode reduced reduced-function"}},
		{"half told", "SentinelAgent is loaded\n", []string{"healthy unknown unreadable-output"}},
	}
	for _, tt := range tests {
		m := on(evidence.Windows, func(m *evidence.Memory) {
			m.SetFile(program, "pe")
			m.SetServices(evidence.Service{Name: "SentinelAgent", State: "running", PID: 60, Executable: program})
			m.SetProcesses(evidence.Process{PID: 60, Name: "SentinelAgent.exe", Owner: "S-1-5-18"})
			m.SetAnswer(map[string]any{"valid": true, "signer": "Sentinel Labs, Inc."}, evidence.AskSignature, program)
			m.SetCommand("sentinelctl status", tt.said)
		})
		wantFacts(t, collect(t, m, shipped(t)), "sentinelone-singularity", append(tt.want, "installed true", "running true")...)
	}
}

func TestWazuhOnWindows(t *testing.T) {
	m := on(evidence.Windows, func(m *evidence.Memory) {
		m.SetServices(evidence.Service{Name: "WazuhSvc", State: "running", PID: 60})
		m.SetFile(wazuhWindowsState, "status='connected'\n")
	})
	wantFacts(t, collect(t, m, shipped(t)), "wazuh-agent", "running true", "healthy true", "mode active")
	m.SetFile(wazuhWindowsState, "status='pending'\n")
	wantFacts(t, collect(t, m, shipped(t)), "wazuh-agent", "healthy false reduced-function", "mode reduced reduced-function")
}

func TestProgramAlone(t *testing.T) {
	m := on(evidence.Windows, func(m *evidence.Memory) {
		m.SetFile(cs, "pe")
		m.SetServices(evidence.Service{Name: "Dhcp", State: "running", PID: 1})
		m.SetProcesses(evidence.Process{PID: 7, Name: "CSFalconService.exe", Executable: strings.ToUpper(cs), Owner: "S-1-5-18"})
	})
	wantFacts(t, collect(t, m, shipped(t)), "crowdstrike-falcon", "installed true unsupported-system", "running true", "healthy unknown unsupported-system")
	m.SetProcesses(evidence.Process{PID: 7, Name: "CSFalconService.exe", Executable: cs})
	wantFacts(t, collect(t, m, shipped(t)), "crowdstrike-falcon", "running unknown needs-privilege")
}
