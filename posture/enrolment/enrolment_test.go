package enrolment

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	captures = "../../testfixtures/captures/"
	guid     = "6fb6d4a2-2572-45cc-be58-41dc2abeb290"
	other    = "99999999-9999-9999-9999-999999999999"
)

func capture(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(captures + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// check compares the facts of a signal with "value" or "state:reason".
func check(t *testing.T, m evidence.Machine, want map[string]string) {
	t.Helper()
	s := Collect(t.Context(), m)
	s.Collector = "test"
	if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
		t.Fatal(err)
	}
	for field, w := range want {
		f, ok := s.Find("", field)
		got := f.Value.String()
		if s.StateOf(f) != fact.Observed {
			got = string(s.StateOf(f)) + ":" + string(f.Reason)
		}
		if !ok || got != w {
			t.Errorf("%s: got %s, want %s (source %s)", field, got, w, s.Source)
		}
	}
}

func TestMac(t *testing.T) {
	const line = "profiles status -type enrollment"
	tests := []struct {
		name, text string
		want       map[string]string
	}{
		{"ade", capture(t, "macos/profiles-enrollment/ade-user-approved.txt"),
			map[string]string{"mdm": "true", "user_approved": "true", "automated": "true", "mdm_server": "unknown:malformed-value"}}, // masked by its author
		{"dep", capture(t, "macos/profiles-enrollment/dep-yes.txt"),
			map[string]string{"mdm": "true", "user_approved": "false", "automated": "true", "mdm_server": "test.example.com"}},
		{"odd server", capture(t, "macos/profiles-enrollment/malformed-server.txt"), map[string]string{"mdm": "true", "mdm_server": "unknown:malformed-value"}},
		{"not enrolled", "Enrolled via DEP: No\nMDM enrollment: No\n",
			map[string]string{"mdm": "false", "user_approved": "false", "automated": "false", "mdm_server": "unknown:not-found", "join": "unknown:unsupported-system"}},
		{"with port", "Enrolled via DEP: No\nMDM enrollment: Yes (User Approved)\nMDM server: https://MDM.example.com:8443/mdm/ServerURL\n",
			map[string]string{"mdm": "true", "user_approved": "true", "automated": "false", "mdm_server": "mdm.example.com"}},
		{"cut short", "Enrolled via DEP: Yes\nMDM enr", map[string]string{"mdm": "unknown:not-found", "automated": "unknown:not-found", "mdm_server": "unknown:not-found"}},
		{"in another language", "MDM-Registrierung: Ja\n", map[string]string{"mdm": "unknown:unreadable-output"}},
		{"twice", "MDM enrollment: Yes\nMDM enrollment: No\n", map[string]string{"mdm": "unknown:malformed-value"}},
		{"nothing", "", map[string]string{"mdm": "unknown:unreadable-output"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := evidence.NewMemory(evidence.MacOS, day)
			m.SetCommand(line, tt.text)
			check(t, m, tt.want)
		})
	}
	m := evidence.NewMemory(evidence.MacOS, day)
	check(t, m, map[string]string{"mdm": "unknown:tool-missing"})
	m.SetOutput(line, evidence.Output{Stderr: []byte("profiles: this command must be run as root\n"), Code: 1})
	check(t, m, map[string]string{"mdm": "unknown:needs-privilege"})
}

const enrolled = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Enrollments\\{D1A3F6A0-1111-2222-3333-444455556666}\n" +
	"    EnrollmentState    REG_DWORD    0x1\n    ProviderID    REG_SZ    MS DM Server\n    UPN    REG_SZ    a@example.com\n" +
	"    DiscoveryServiceFullURL    REG_SZ    https://enrollment.manage.microsoft.com/enrollmentserver/discovery.svc\n" +
	"\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Enrollments\\Status\n    EnrollmentState    REG_DWORD    0x1\n    ProviderID    REG_SZ    x\n    UPN    REG_SZ    x\n"

const notEnrolled = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Enrollments\\18DCFFD4-37D6-4BC6-87E0-4266FDBB8E49\n" +
	"    EnrollmentState    REG_DWORD    0x1\n    ProviderID    REG_SZ    Local_Management\n"

const inTenant = "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\CloudDomainJoin\\JoinInfo\\AABB\n    TenantId    REG_SZ    " + guid + "\n"

const inNoTenant = "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\CloudDomainJoin\\Diagnostics\n    X    REG_SZ    y\n"

func TestWindows(t *testing.T) {
	tests := []struct {
		name, join, registry, dsreg string
		want                        map[string]string
	}{
		{"nothing", "", "", "", map[string]string{"join": "unknown:not-found", "mdm": "unknown:not-found", "key_in_tpm": "unknown:tool-missing"}},
		{"home computer", `{"workgroup":"WORKGROUP","azure_ad":null,"mdm_registered":false}`, notEnrolled + inNoTenant, "",
			map[string]string{"join": "none", "domain": "unknown:not-found", "tenant": "unknown:not-found", "mdm": "false", "mdm_server": "unknown:not-found", "key_in_tpm": "unknown:not-found"}},
		{"work account added", `{"workgroup":"WORKGROUP","azure_ad":{"type":2,"tenant_id":"` + guid + `"},"mdm_registered":true}`, enrolled, "",
			map[string]string{"join": "registered", "tenant": guid, "mdm": "true", "mdm_server": "enrollment.manage.microsoft.com"}},
		{"domain", `{"domain":"CONTOSO","azure_ad":null,"mdm_registered":false}`, notEnrolled, "", map[string]string{"join": "domain", "domain": "contoso"}},
		{"cloud", `{"workgroup":"WORKGROUP","azure_ad":{"type":"device","tenant_id":"` + guid + `"},"mdm_registered":true}`, enrolled + inTenant,
			"  AzureAdJoined : YES\r\n  DomainJoined : NO\r\n  TpmProtected : YES\r\n  DeviceAuthStatus : SUCCESS\r\n  TenantId : " + guid + "\r\n",
			map[string]string{"join": "cloud", "tenant": guid, "key_in_tpm": "true", "device_auth": "true", "mdm": "true"}},
		{"hybrid", `{"domain":"HYBRIDADFS","azure_ad":{"type":"device","tenant_id":"` + guid + `"}}`, inTenant, capture(t, "windows/dsregcmd/docs-hybrid-no-tpm.txt"),
			map[string]string{"join": "hybrid", "domain": "hybridadfs", "key_in_tpm": "false", "device_auth": "true"}},
		{"dsregcmd alone", "", "", capture(t, "windows/dsregcmd/issue-hybrid-tpm.txt"),
			map[string]string{"join": "hybrid", "domain": "contoso", "key_in_tpm": "true", "device_auth": "unknown:not-found", "mdm": "unknown:not-found"}},
		{"key does not work", "", "", capture(t, "windows/dsregcmd/aad-keysigntest-failed-fields.txt"), map[string]string{"device_auth": "false", "join": "unknown:not-found"}},
		{"device disabled", "", "", "AzureAdJoined : YES\nDomainJoined : NO\nDeviceAuthStatus : FAILED. Device is either disabled or deleted\n", map[string]string{"device_auth": "false", "join": "cloud"}},
		{"test did not run", "", "", "AzureAdJoined : YES\nDomainJoined : NO\nDeviceAuthStatus : FAILED. ERROR\n", map[string]string{"device_auth": "unknown:unreadable-output"}},
		{"sources disagree on the tenant join", `{"workgroup":"W","azure_ad":null}`, inTenant, "", map[string]string{"join": "conflict:sources-disagree"}},
		{"sources disagree on the domain", `{"workgroup":"W","azure_ad":{"type":1}}`, "", "AzureAdJoined : YES\nDomainJoined : YES\n", map[string]string{"join": "conflict:sources-disagree"}},
		{"two tenants", `{"workgroup":"W","azure_ad":{"type":1,"tenant_id":"` + other + `"}}`, inTenant, "", map[string]string{"join": "cloud", "tenant": "conflict:sources-disagree"}},
		{"sources disagree on management", `{"workgroup":"W","azure_ad":null,"mdm_registered":false}`, enrolled, "", map[string]string{"mdm": "conflict:sources-disagree"}},
		{"enrolment pending", `{"workgroup":"W","azure_ad":null}`, "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Enrollments\\" + guid + "\n    EnrollmentState    REG_DWORD    0x3\n    ProviderID    REG_SZ    X\n    UPN    REG_SZ    y\n", "",
			map[string]string{"mdm": "false"}},
		{"answer of another form", `[1]`, "", "", map[string]string{"join": "unknown:unreadable-output"}},
		{"type not known", `{"workgroup":"W","azure_ad":{"type":0}}`, "", "", map[string]string{"join": "unknown:not-found"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := evidence.NewMemory(evidence.Windows, day)
			if tt.join != "" {
				m.SetAnswer(json.RawMessage(tt.join), evidence.AskJoin)
			}
			m.SetRegistry(tt.registry)
			if tt.dsreg != "" {
				m.SetCommand("dsregcmd /status", tt.dsreg)
			}
			check(t, m, tt.want)
		})
	}
	m := evidence.NewMemory(evidence.Windows, day)
	m.SetRegistry(inNoTenant)
	m.SetWMI(`root\cimv2`, "Win32_ComputerSystem", evidence.Row{"PartOfDomain": {"True"}, "Domain": {"Corp.Example.com"}})
	check(t, m, map[string]string{"join": "domain", "domain": "corp.example.com"})
}

func linuxBox(files map[string]string) *evidence.Memory {
	m := evidence.NewMemory(evidence.Linux, day)
	for path, text := range files {
		m.SetFile(path, text)
	}
	m.SetSessions(evidence.Session{User: "ada", ID: "1000", Home: "/home/ada", Active: true})
	return m
}

func TestLinux(t *testing.T) {
	const portal = "/opt/microsoft/intune/bin/intune-portal"
	const ad = "[sssd]\nservices = nss, pam\ndomains = corp.example.com\n[domain/corp.example.com]\nid_provider = ad\nldap_default_authtok = secret\n"
	tests := []struct {
		name  string
		files map[string]string
		want  map[string]string
	}{
		{"nothing", nil, map[string]string{"mdm": "absent:not-found", "join": "absent:not-found"}},
		{"fleet", map[string]string{"/opt/orbit/secret-orbit-node-key.txt": "k", "/etc/default/orbit": "ORBIT_ENROLL_SECRET=x\nORBIT_FLEET_URL=\"https://fleet.example.com:8080\"\n"},
			map[string]string{"mdm": "true", "mdm_server": "fleet.example.com", "join": "none", "domain": "unknown:not-found"}},
		{"fleet installed only", map[string]string{"/etc/default/orbit": "ORBIT_FLEET_URL=https://fleet.example.com\n"}, map[string]string{"mdm": "absent:not-found"}},
		{"landscape", map[string]string{"/etc/landscape/client.conf": "[client]\nurl = https://landscape.example.com/message-system\naccount_name = standalone\n"},
			map[string]string{"mdm": "unknown:not-registered", "mdm_server": "unknown:not-found"}},
		{"intune", map[string]string{portal: "", "/home/ada/.config/intune/registration.toml": "account_hint = 'a@example.com'\ndevice_hint = '" + guid + "'\naad_device_hint = '" + guid + "'\nauthority_hint = 'https://login.microsoftonline.com/" + other + "'\n"},
			map[string]string{"mdm": "true", "join": "registered", "tenant": other, "mdm_server": "unknown:not-found"}},
		{"intune, registered only", map[string]string{portal: "", "/home/ada/.config/intune/registration.toml": "aad_device_hint = \"" + guid + "\"\n"},
			map[string]string{"mdm": "false", "join": "registered"}},
		{"intune installed only", map[string]string{portal: ""}, map[string]string{"mdm": "absent:not-found"}},
		{"active directory", map[string]string{"/etc/sssd/sssd.conf": ad, keytab: "k"}, map[string]string{"mdm": "false", "join": "domain", "domain": "corp.example.com"}},
		{"not joined yet", map[string]string{"/etc/sssd/sssd.conf": ad}, map[string]string{"join": "none", "domain": "unknown:not-found"}},
		{"domain that is not in use", map[string]string{"/etc/sssd/sssd.conf": "[sssd]\ndomains = local\n[domain/corp]\nid_provider = ad\n[domain/local]\nid_provider = files\n", keytab: "k"},
			map[string]string{"join": "absent:not-found"}},
		{"accounts only", map[string]string{"/etc/sssd/sssd.conf": "[domain/x]\nid_provider = ldap\n", keytab: "k"}, map[string]string{"join": "absent:not-found"}},
		{"ipa", map[string]string{"/etc/sssd/sssd.conf": "[domain/X]\nid_provider = IPA\nipa_domain = ipa.example.com\n", keytab: "k"}, map[string]string{"join": "domain", "domain": "ipa.example.com"}},
		{"workgroup", map[string]string{"/etc/samba/smb.conf": "[global]\n   workgroup = WORKGROUP\n   server role = standalone server\n"}, map[string]string{"join": "absent:not-found"}},
		{"winbind", map[string]string{"/etc/samba/smb.conf": "[Global]\nsecurity = ADS\nrealm = CORP.EXAMPLE.COM\n", "/var/lib/samba/private/secrets.tdb": "k"},
			map[string]string{"join": "domain", "domain": "corp.example.com"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { check(t, linuxBox(tt.files), tt.want) })
	}
}

func TestLinuxWithoutRights(t *testing.T) {
	m := linuxBox(nil)
	m.Fail("/etc/sssd/sssd.conf", fact.ReasonNeedsPrivilege)
	check(t, m, map[string]string{"mdm": "false", "join": "unknown:needs-privilege", "domain": "unknown:needs-privilege"})
	m.Fail("/etc/landscape/client.conf", fact.ReasonNeedsPrivilege)
	check(t, m, map[string]string{"mdm": "unknown:needs-privilege"})
	m = linuxBox(map[string]string{"/opt/microsoft/intune/x": ""})
	m.SetSessions()
	check(t, m, map[string]string{"mdm": "unknown:nobody-logged-in", "join": "none"})
	check(t, evidence.NewMemory("plan9", day), map[string]string{"mdm": "unknown:unsupported-system"})
}

// A recording keeps what a distiller leaves; a password must not be in it.
func TestSecretsAreNotKept(t *testing.T) {
	m := linuxBox(map[string]string{"/x": "[client]\npassword = hunter2\nurl = https://a\n# url = hunter2\nexport URL2=1\n"})
	essence, err := m.Distil(t.Context(), "/x", "test", only([]string{"url"}))
	if err != nil || string(essence) != "[client]\nurl = https://a\n" {
		t.Errorf("%q, %v", essence, err)
	}
}
