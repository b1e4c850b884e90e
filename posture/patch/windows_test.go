package patch

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	releases "github.com/postern-zt/postern/posture/release"
)

// systemNow is the wall clock of the machines of these tests.
var systemNow = time.Date(2026, 8, 21, 12, 0, 0, 0, time.FixedZone("", 2*60*60))

// systemFacts shows the facts as their value or as "state: reason", and checks
// that the report is one.
func systemFacts(t *testing.T, m evidence.Machine) map[string]string {
	t.Helper()
	s := Collect(t.Context(), m)
	s.Collector = "test"
	if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
		t.Errorf("not valid: %v", err)
	}
	out := map[string]string{}
	for _, f := range s.Facts {
		out[f.Field] = f.Value.String()
		if s.StateOf(f) != fact.Observed {
			out[f.Field] = string(s.StateOf(f)) + ": " + string(f.Reason)
		}
	}
	for _, d := range fact.Defs() {
		if _, there := out[d.Field]; d.Signal == fact.SignalPatch && !there {
			t.Errorf("%s is left out", d.Field)
		}
	}
	return out
}

func systemExpect(t *testing.T, m evidence.Machine, want map[string]string) {
	t.Helper()
	got := systemFacts(t, m)
	for field, w := range want {
		if got[field] != w {
			t.Errorf("%s is %q, want %q", field, got[field], w)
		}
	}
}

func systemCapture(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile("../../testfixtures/captures/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// regKey is what reg.exe prints of one key.
func regKey(key string, values ...string) string {
	text := "\r\n" + strings.Replace(key, "HKLM", "HKEY_LOCAL_MACHINE", 1) + "\r\n"
	for _, v := range values {
		text += "    " + v + "\r\n"
	}
	return text
}

func windows11(build, ubr string) string {
	return regKey(windowsVersionKey, "CurrentBuild    REG_SZ    "+build, "UBR    REG_DWORD    "+ubr, "EditionID    REG_SZ    Professional", "InstallationType    REG_SZ    Client")
}

func windowsMachine(keys ...string) *evidence.Memory {
	m := evidence.NewMemory(evidence.Windows, systemNow)
	for _, k := range keys {
		m.SetRegistry(k)
	}
	return m
}

func TestWindowsBuild(t *testing.T) {
	const noRelease, missing = "unknown: release-not-in-table", "unknown: not-found"
	server := func(build, ubr string) string {
		return regKey(windowsVersionKey, "CurrentBuild    REG_SZ    "+build, "UBR    REG_DWORD    "+ubr, "InstallationType    REG_SZ    Server")
	}
	tests := map[string]struct {
		key                       string
		current, newest, released string
	}{
		"a year behind":              {windows11("26100", "0xfdd"), "false", "26100.8894", "2025-05-13T00:00:00Z"},  // 4061
		"the newest":                 {windows11("26100", "0x22be"), "true", "26100.8894", "2026-07-18T00:00:00Z"},  // 8894
		"a preview after it":         {windows11("26200", "0x230d"), "true", "26200.8894", "2026-07-28T00:00:00Z"},  // 8973
		"newer than the table":       {windows11("26200", "0x23d0"), "true", "26200.8894", noRelease},               // 9168
		"a build of no known day":    {windows11("26100", "0x1fb4"), "false", "26100.8894", noRelease},              // 8116
		"a hotpatch of a past month": {windows11("26100", "0x1e65"), "false", "26100.8894", "2026-02-10T00:00:00Z"}, // 7781
		"a release nobody knows":     {windows11("31234", "0x1"), noRelease, noRelease, noRelease},
		"a client's build, a server": {server("26100", "0x22be"), "false", "26100.33158", noRelease},
		"a server":                   {server("26100", "0x8186"), "true", "26100.33158", "2026-07-14T00:00:00Z"},
		"Server 2019":                {server("17763", "0x233c"), "true", "17763.9020", "2026-07-14T00:00:00Z"},
		"no revision":                {regKey(windowsVersionKey, "CurrentBuild    REG_SZ    26200"), missing, "26200.8894", missing},
		"a revision that is none":    {systemCapture(t, "windows/currentversion/reg-malformed-ubr.txt"), "unknown: malformed-value", "26200.8894", "unknown: malformed-value"},
		"recorded":                   {systemCapture(t, "windows/currentversion/reg-11-25h2-pro-says-10.txt"), "false", "26200.8894", "2026-07-14T00:00:00Z"},
		"client or server is open":   {systemCapture(t, "windows/currentversion/reg-no-ubr.txt"), missing, missing, missing},
		"two builds":                 {regKey(windowsVersionKey, "CurrentBuild    REG_SZ    26200", "CurrentBuildNumber    REG_SZ    19045", "EditionID    REG_SZ    Core"), "unknown: sources-disagree", "unknown: sources-disagree", "unknown: sources-disagree"},
		"nothing":                    {"", missing, missing, missing},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			systemExpect(t, windowsMachine(tt.key), map[string]string{"current": tt.current, "newest_known": tt.newest, "build_released_at": tt.released,
				"kernel_current": "unknown: unsupported-system", "livepatch": "unknown: unsupported-system"})
		})
	}
	m := windowsMachine(windows11("26200", "0x22be"))
	m.SetAnswer(map[string]any{"build": 19045}, evidence.AskPlatform)
	systemExpect(t, m, map[string]string{"current": "unknown: sources-disagree"})
	m.Fail(windowsVersionKey, fact.ReasonNeedsPrivilege)
	systemExpect(t, m, map[string]string{"current": "unknown: needs-privilege", "newest_known": "unknown: needs-privilege"})
}

// The kernel knows its build, too, and could contradict the registry.
func TestWindowsBuildAndTheKernel(t *testing.T) {
	m := windowsMachine(windows11("26100", "0x22be"))
	m.SetAnswer(map[string]any{"build": 26100, "product_type": 1}, evidence.AskPlatform)
	systemExpect(t, m, map[string]string{"current": "true"})
	m.SetAnswer(map[string]any{"build": 19045, "product_type": 1}, evidence.AskPlatform)
	systemExpect(t, m, map[string]string{"current": "unknown: sources-disagree"})
	m.SetAnswer([]int{1}, evidence.AskPlatform)
	systemExpect(t, m, map[string]string{"current": "unknown: unreadable-output", "newest_known": "26100.8894"})
	for _, why := range []fact.Reason{fact.ReasonNeedsPrivilege, fact.ReasonTimeout} {
		m.Fail("platform", why)
		systemExpect(t, m, map[string]string{"current": "unknown: " + string(why), "build_released_at": "unknown: " + string(why)})
	}
	m.Fail("platform", fact.ReasonUnsupported) // no such source
	systemExpect(t, m, map[string]string{"current": "true"})
}

func wuDone(title, date string, categories ...string) map[string]any {
	return map[string]any{"title": title, "date": date, "result": 2, "operation": 1, "categories": categories}
}

// Titles are those of Microsoft's update catalogue in several languages, and the
// shorter ones that it gives updates since October 2025.
func TestWindowsHistory(t *testing.T) {
	old := wuDone("2025-05 Cumulative Update for Windows 11 Version 24H2 for x64-based Systems (KB5058411) (26100.4061)", "2026-05-14T03:12:45Z", "Windows 11")
	const before, after = "2026-05-14T03:12:45Z", "2026-08-15T03:00:00Z"
	refresh := []string{
		"2026-08 Cumulative Update for Windows 11 Version 24H2 for x64-based Systems (KB5999001)",
		"2026-08 Kumulatives Update für Windows 11 Version 24H2 für x64-basierte Systeme (KB5999001)",
		"2026-08 Mise à jour cumulative pour Windows 10 Version 22H2 pour les systèmes x64 (KB5999001)",
		"2026-08 Security Update (KB5999001) (26200.9168)",
		"2026-08 Sicherheitsupdate (KB5999001) (26200.9168)",
		"2026-08 Cumulative Update for Microsoft server operating system version 21H2 for x64-based Systems (KB5999001)",
		"Windows 用更新プログラム (KB5101650)", // the table knows the number
		"Windows 11, version 25H2", "Funktionsupdate für Windows 10, Version 22H2", "Actualización de características a Windows 11, versión 24H2",
		"Aggiornamento delle funzionalità a Windows 10, versione 22H2", "Windows 11, バージョン 25H2 の機能更新プログラム",
	}
	keep := []string{
		"Security Intelligence Update for Microsoft Defender Antivirus - KB2267602 (Version 1.435.1.0) - Current Channel (Broad)",
		"Sicherheitsinformationsupdate für Microsoft Defender Antivirus – KB2267602 (Version 1.435.1.0)",
		"Update for Microsoft Defender Antivirus antimalware platform - KB4052623 (Version 4.18.26070.5)",
		"2026-08 Cumulative Update for .NET Framework 3.5 and 4.8.1 for Windows 11, version 24H2 for x64 (KB5999002)",
		"2026-08 .NET 8.0.19 Security Update for x64 Client (KB5999003)",
		"Windows Malicious Software Removal Tool x64 - v5.134 (KB890830)",
		"Update for Windows Security platform - KB5007651 (Version 10.0.27840.1000)",
		"2026-08 Update for Windows 11 Version 24H2 (KB4023057)",
		"2026-08 Setup Dynamic Update for Windows 11 Version 24H2 for x64-based Systems (KB5999004)",
		"2026-08 Servicing Stack Update for Windows 10 Version 1607 for x64-based Systems (KB5999005)",
		"Intel Corporation - Display - 32.0.101.6987", "Intel - Net - 1.2 for Windows 11, version 24H2.7 driver", "Lenovo - Firmware - 1.0.0.42", "Realtek - MEDIA - 6.0.9.1 for Windows 11",
		"9WZDNCRFJ3PZ-Microsoft.CompanyPortal", "9NBLGGH4NNS1-Microsoft.DesktopAppInstaller", "Microsoft Office 2024 (KB5002000)", "",
	}
	wuHistory := func(newer map[string]any) *evidence.Memory {
		m := windowsMachine(windows11("26100", "0xfdd"))
		m.SetAnswer(map[string]any{"history": []any{newer, old}}, evidence.AskUpdates)
		return m
	}
	for _, title := range refresh {
		systemExpect(t, wuHistory(wuDone(title, after)), map[string]string{"last_update_at": after})
	}
	for _, title := range keep {
		if got := systemFacts(t, wuHistory(wuDone(title, after)))["last_update_at"]; got != before {
			t.Errorf("%q moved the last update to %s", title, got)
		}
	}
	lcu := refresh[0]
	for name, entry := range map[string]map[string]any{
		"failed":      {"title": lcu, "date": after, "result": 4, "operation": 1},
		"with errors": {"title": lcu, "date": after, "result": 3, "operation": 1},
		"uninstalled": {"title": lcu, "date": after, "result": 2, "operation": 2},
		"in words":    {"title": lcu, "date": after, "result": "failed", "operation": "install"},
		"the future":  {"title": lcu, "date": "2031-01-01T00:00:00Z", "result": 2, "operation": 1},
		"no date":     {"title": lcu, "result": 2, "operation": 1},
		"a driver":    wuDone(lcu, after, "Drivers"),
		"by class id": wuDone(lcu, after, "{e0789628-ce08-4437-be74-2495b842f43b}"),
	} {
		if got := systemFacts(t, wuHistory(entry))["last_update_at"]; got != before {
			t.Errorf("%s: the last update is %s", name, got)
		}
	}
	systemExpect(t, wuHistory(map[string]any{"title": lcu, "date": after, "result": "succeeded", "operation": "install"}), map[string]string{"last_update_at": after})
}

func TestWindowsQuickFixes(t *testing.T) {
	rows := func(code, on string) evidence.Row {
		return evidence.Row{"HotFixID": {code}, "InstalledOn": {on}, "Description": {"Security Update"}}
	}
	m := windowsMachine(windows11("26100", "0xfdd"))
	m.SetWMI(`root\cimv2`, "Win32_QuickFixEngineering", rows("KB5101650", "7/15/2026"), rows("KB5054156", "8/1/2026"), rows("KB5058411", "5/14/2025"), rows("KB5094126", "?"))
	systemExpect(t, m, map[string]string{"last_update_at": "2026-07-14T22:00:00Z"}) // local midnight; KB5054156 brings no build
	m.SetAnswer(map[string]any{"history": []any{}}, evidence.AskUpdates)
	systemExpect(t, m, map[string]string{"last_update_at": "2026-07-14T22:00:00Z"})
	m.SetWMI(`root\cimv2`, "Win32_QuickFixEngineering", rows("KB4019215", "6/5/2017"))
	systemExpect(t, m, map[string]string{"last_update_at": "unknown: not-found"})

	recorded := systemCapture(t, "windows/hotfix/inspec-get-hotfix-kb4019215.txt")
	at := strings.Index(recorded, "6/5/2017")
	for text, want := range map[string]string{
		strings.TrimSpace(recorded[at:]): "2017-06-05", "5/14/2025": "2025-05-14", "20250514": "2025-05-14", "01dbc3d6b4aa0000": "2025-05-13",
		"14/5/2025": "", "14.05.2025": "", "": "", "zzzzzzzzzzzzzzzz": "", "ffffffffffffffff": "", "0": "",
	} {
		got := ""
		if on := parseInstalledOn(text, time.UTC); !on.IsZero() {
			got = on.Format("2006-01-02")
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestWindowsPending(t *testing.T) {
	update := func(title, severity string, categories ...string) map[string]any {
		return map[string]any{"title": title, "severity": severity, "categories": categories}
	}
	const fresh, missing = "2026-08-20T10:00:00Z", "unknown: not-found"
	tests := map[string]struct {
		answer                     map[string]any
		pending, security, checked string
	}{
		"none, lately asked":          {map[string]any{"pending": []any{}, "last_search_at": fresh}, "false", "false", fresh},
		"none, long ago":              {map[string]any{"pending": []any{}, "last_search_at": "2026-06-01T00:00:00Z"}, "unknown: stale", "unknown: stale", "2026-06-01T00:00:00Z"},
		"none, never asked":           {map[string]any{"pending": []any{}}, missing, missing, missing},
		"none, asked in 1899":         {map[string]any{"pending": []any{}, "last_search_at": "1899-12-30T00:00:00Z"}, missing, missing, missing},
		"none, asked in days to come": {map[string]any{"pending": []any{}, "last_search_at": "2027-01-01T00:00:00Z"}, missing, missing, missing},
		"not told":                    {map[string]any{"last_search_at": fresh}, missing, missing, fresh},
		"security":                    {map[string]any{"pending": []any{update("a", "", "Drivers"), update("b", "", "Security Updates")}}, "true", "true", missing},
		"security by its id":          {map[string]any{"pending": []any{update("b", "", "{0FA1201D-4330-4FA8-8AE9-B877473B6441}")}}, "true", "true", missing},
		"by severity":                 {map[string]any{"pending": []any{update("b", "Critical", "Sicherheitsupdates")}}, "true", "true", missing},
		"a driver":                    {map[string]any{"pending": []any{update("b", "", "Drivers")}}, "true", "false", missing},
		"in another language":         {map[string]any{"pending": []any{update("b", "", "Sicherheitsupdates")}}, "true", "unknown: unreadable-output", missing},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := windowsMachine(windows11("26100", "0xfdd"))
			m.SetAnswer(tt.answer, evidence.AskUpdates)
			systemExpect(t, m, map[string]string{"pending": tt.pending, "security_pending": tt.security, "checked_at": tt.checked})
		})
	}
	m := windowsMachine(windows11("26100", "0xfdd"))
	m.Fail(string(evidence.AskUpdates), fact.ReasonNeedsPrivilege)
	const denied = "unknown: needs-privilege"
	systemExpect(t, m, map[string]string{"pending": denied, "security_pending": denied, "checked_at": denied, "last_update_at": denied})
	m.SetRegistry(regKey(windowsAgentKey+`\Results\Detect`, "LastSuccessTime    REG_SZ    2026-08-20 09:00:00"))
	systemExpect(t, m, map[string]string{"checked_at": "2026-08-20T09:00:00Z"})
	m.Fail(string(evidence.AskUpdates), "")
	m.SetAnswer(json.RawMessage(`[1]`), evidence.AskUpdates)
	systemExpect(t, m, map[string]string{"pending": "unknown: unreadable-output", "last_update_at": "unknown: unreadable-output"})
}

func TestWindowsReboot(t *testing.T) {
	yes, no := map[string]any{"reboot_required": true}, map[string]any{"reboot_required": false}
	servicing, agent := regKey(windowsServicingKey), regKey(windowsAgentKey)
	tests := map[string]struct {
		keys   []string
		answer map[string]any
		want   string
	}{
		"none":                 {[]string{servicing, agent}, nil, "false"},
		"servicing":            {[]string{regKey(windowsServicingKey + `\RebootPending`), agent}, no, "true"},
		"agent's key":          {[]string{servicing, regKey(windowsAgentKey + `\RebootRequired`)}, nil, "true"},
		"agent":                {[]string{servicing, agent}, yes, "true"},
		"agent alone":          {nil, yes, "true"},
		"agent alone says no":  {nil, no, "unknown: not-found"},
		"no key of the agent":  {[]string{servicing}, nil, "false"},
		"a file to be renamed": {[]string{servicing, agent, regKey(`HKLM\SYSTEM\CurrentControlSet\Control\Session Manager`, `PendingFileRenameOperations    REG_MULTI_SZ    \??\C:\a\0`)}, nil, "false"},
		"nothing":              {nil, nil, "unknown: not-found"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := windowsMachine(tt.keys...)
			if tt.answer != nil {
				m.SetAnswer(tt.answer, evidence.AskUpdates)
			}
			systemExpect(t, m, map[string]string{"reboot_pending": tt.want})
		})
	}
	m := windowsMachine(servicing, agent)
	m.Fail(windowsServicingKey, fact.ReasonNeedsPrivilege)
	systemExpect(t, m, map[string]string{"reboot_pending": "unknown: needs-privilege"})
}

func TestWindowsAuto(t *testing.T) {
	client, service := windows11("26100", "0xfdd"), regKey(windowsServiceKey, "Start    REG_DWORD    0x3")
	server := regKey(windowsVersionKey, "CurrentBuild    REG_SZ    26100", "UBR    REG_DWORD    0x1", "InstallationType    REG_SZ    Server")
	au := func(values ...string) string { return regKey(windowsPolicyKey, values...) }
	tests := map[string]struct {
		keys   []string
		answer map[string]any
		want   string
	}{
		"a client's default":         {[]string{client, service}, nil, "true"},
		"a server's default":         {[]string{server, service}, nil, "unknown: not-found"},
		"a server that installs":     {[]string{server, service, au("AUOptions    REG_DWORD    0x4")}, nil, "true"},
		"a server's agent":           {[]string{server, service}, map[string]any{"notification_level": 4}, "true"},
		"a server that downloads":    {[]string{server, service}, map[string]any{"notification_level": 3}, "false"},
		"service disabled":           {[]string{client, regKey(windowsServiceKey, "Start    REG_DWORD    0x4")}, nil, "false"},
		"service not known":          {[]string{client}, nil, "unknown: not-found"},
		"switched off":               {[]string{client, service, au("NoAutoUpdate    REG_DWORD    0x1")}, nil, "false"},
		"asks a person":              {[]string{client, service, au("NoAutoUpdate    REG_DWORD    0x0", "AUOptions    REG_DWORD    0x3")}, nil, "false"},
		"left to an administrator":   {[]string{client, service, au("AUOptions    REG_DWORD    0x5")}, nil, "unknown: not-found"},
		"an option nobody knows":     {[]string{client, service, au("AUOptions    REG_DWORD    0x63")}, nil, "unknown: malformed-value"},
		"an option of a wrong type":  {[]string{client, service, au("AUOptions    REG_SZ    4")}, nil, "unknown: malformed-value"},
		"a policy of something else": {[]string{client, service, au("UseWUServer    REG_DWORD    0x1")}, nil, "true"},
		"managed, off":               {[]string{client, service, regKey(windowsMDMKey, "AllowAutoUpdate    REG_DWORD    0x5")}, nil, "false"},
		"managed, on":                {[]string{server, service, regKey(windowsMDMKey, "AllowAutoUpdate    REG_DWORD    0x2")}, nil, "true"},
		"paused":                     {[]string{client, service, regKey(windowsPauseKey, "PauseUpdatesExpiryTime    REG_SZ    2026-09-01T00:00:00Z")}, nil, "false"},
		"was paused":                 {[]string{client, service, regKey(windowsPauseKey, "PauseUpdatesExpiryTime    REG_SZ    2026-08-01T00:00:00Z")}, nil, "true"},
		"the agent says disabled":    {[]string{client, service}, map[string]any{"auto_update_enabled": false}, "false"},
		"nothing":                    {nil, nil, "unknown: not-found"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := windowsMachine(tt.keys...)
			if tt.answer != nil {
				m.SetAnswer(tt.answer, evidence.AskUpdates)
			}
			systemExpect(t, m, map[string]string{"auto_update": tt.want})
		})
	}
	m := windowsMachine(client)
	m.SetServices(evidence.Service{Name: "wuauserv", State: "stopped", Start: "manual"})
	systemExpect(t, m, map[string]string{"auto_update": "true"})
	for _, source := range []string{windowsPolicyKey, windowsMDMKey, windowsPauseKey, string(evidence.AskUpdates)} { // each could switch them off
		m.Fail(source, fact.ReasonNeedsPrivilege)
		systemExpect(t, m, map[string]string{"auto_update": "unknown: needs-privilege"})
		m.Fail(source, "")
	}
	m.Fail(string(evidence.AskUpdates), fact.ReasonRefused)
	systemExpect(t, m, map[string]string{"auto_update": "unknown: forbidden-here"})
	m.SetServices(evidence.Service{Name: "wuauserv", State: "stopped", Start: "disabled"})
	systemExpect(t, m, map[string]string{"auto_update": "false"})
}

func FuzzWindowsUpdates(f *testing.F) {
	f.Add([]byte(`{"reboot_required":true,"notification_level":4,"last_search_at":"2026-08-20T10:00:00Z","history":[{"title":"2026-08 Security Update (KB5999001) (26200.9168)","date":"2026-08-15T03:00:00Z","result":2,"operation":"install"}],"pending":[{"title":"x","categories":["Drivers"],"kb":["1"]}]}`), "5/14/2025", "Windows 11, version 25H2")
	f.Add([]byte(`{"notification_level":"x","pending":null}`), "01dbc3d6b4aa0000", "(26100.1)")
	table, err := releases.BuiltIn()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, answer []byte, on, title string) {
		m := windowsMachine(windows11("26100", "0xfdd"))
		if json.Valid(answer) {
			m.SetAnswer(json.RawMessage(answer), evidence.AskUpdates)
		}
		systemFacts(t, m)
		if at := parseInstalledOn(on, time.UTC); !at.IsZero() && (at.Year() < 1601 || at.Year() > 9999) {
			t.Errorf("%q is %s", on, at)
		}
		if titlePatterns().isWindows(table, title, nil) && strings.Contains(strings.ToLower(title), "defender") {
			t.Errorf("%q counts", title)
		}
	})
}
