package custom

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// read collects and gives each fact but kind and origin as "field=state value
// reason" by id.
func read(t *testing.T, m evidence.Machine, forbid observe.Forbid, list ...observe.Observation) map[string][]string {
	t.Helper()
	for i := range list {
		if list[i].Origin == "" {
			list[i].Origin = fact.OriginBroker
		}
		if err := list[i].Validate(); err != nil {
			t.Fatal(err)
		}
	}
	s := Collect(t.Context(), m, list, forbid)
	s.Collector = "custom@1"
	if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, f := range s.Facts {
		if f.Field == "origin" || f.Field == "kind" {
			continue
		}
		text := f.Field + "="
		switch s.StateOf(f) {
		case fact.Observed:
			text += f.Value.String()
		default:
			text += string(s.StateOf(f))
		}
		if f.Reason != "" {
			text += " " + string(f.Reason)
		}
		out[f.Key] = append(out[f.Key], text)
	}
	for id := range out {
		slices.Sort(out[id])
	}
	return out
}

func want(t *testing.T, got map[string][]string, id string, facts ...string) {
	t.Helper()
	slices.Sort(facts)
	if !slices.Equal(got[id], facts) {
		t.Errorf("%s: %q, want %q", id, got[id], facts)
	}
}

func sumOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func TestNothingAsked(t *testing.T) {
	elsewhere := observe.Observation{ID: "org/a", Kind: observe.KindRegistry, Key: `HKLM\SOFTWARE\A`, Origin: fact.OriginBroker}
	for _, list := range [][]observe.Observation{nil, {elsewhere}} {
		s := Collect(t.Context(), evidence.NewMemory(evidence.Linux, day), list, observe.Forbid{})
		if s.State != fact.Absent || s.Reason != fact.ReasonNotFound || len(s.Facts) != 0 {
			t.Errorf("%+v", s)
		}
	}
	if s := Collect(t.Context(), evidence.NewMemory("plan9", day), nil, observe.Forbid{}); s.State != fact.Unknown {
		t.Errorf("%+v", s)
	}
}

func TestKindAndOrigin(t *testing.T) {
	list := []observe.Observation{
		{ID: "org/a", Kind: observe.KindFile, Path: "/a/b", Origin: fact.OriginManaged},
		{ID: "local/a", Kind: observe.KindFile, Path: "/a/b", Origin: fact.OriginUserSettings},
	}
	s := Collect(t.Context(), evidence.NewMemory(evidence.Linux, day), list, observe.Forbid{Kinds: []string{observe.KindFile}})
	for _, o := range list {
		origin, _ := s.Find(o.ID, "origin")
		kind, _ := s.Find(o.ID, "kind")
		if s.StateOf(origin) != fact.Observed || origin.Value != fact.Str(o.Origin) || kind.Value != fact.Str(observe.KindFile) {
			t.Errorf("%s: %+v %+v", o.ID, origin, kind)
		}
	}
}

func TestProcess(t *testing.T) {
	const at = "/usr/sbin/acme-long-name-agent"
	o := observe.Observation{ID: "org/p", Kind: observe.KindProcess, Path: "/sbin/acme-long-name-agent", Read: []string{observe.ReadSHA256, observe.ReadSigner}}
	m := evidence.NewMemory(evidence.Linux, day)
	m.SetLink("/sbin", "usr/sbin")
	want(t, read(t, m, observe.Forbid{}, o), "org/p", "present=false not-found", "running=absent not-found", "sha256=absent not-found", "signer=absent not-found")
	m.SetFile(at, "elf")
	hash, signer := "sha256="+sumOf("elf"), "signer=unknown unsupported-system"
	want(t, read(t, m, observe.Forbid{}, o), "org/p", "present=true", "running=false not-running", hash, signer)
	for _, c := range []struct {
		p    evidence.Process
		want string
	}{
		{evidence.Process{PID: 1, Executable: at}, "running=true"},
		{evidence.Process{PID: 1, Executable: at, Deleted: true}, "running=false not-running"},
		{evidence.Process{PID: 1, Executable: "/tmp/acme-long-name-agent", Name: "acme-long-name-"}, "running=false not-running"},
		{evidence.Process{PID: 1, Name: "acme-long-name-"}, "running=unknown needs-privilege"},
		{evidence.Process{PID: 1, Name: "other"}, "running=false not-running"},
	} {
		m.SetProcesses(c.p)
		want(t, read(t, m, observe.Forbid{}, o), "org/p", "present=true", c.want, hash, signer)
	}
	m.Fail(evidence.ProcessList, fact.ReasonTimeout)
	want(t, read(t, m, observe.Forbid{}, o), "org/p", "present=true", "running=unknown timeout", hash, signer)
	m.Fail("/sbin/acme-long-name-agent", fact.ReasonNeedsPrivilege)
	want(t, read(t, m, observe.Forbid{}, o), "org/p", "present=unknown needs-privilege", "running=unknown needs-privilege", "sha256=unknown needs-privilege", "signer=unknown needs-privilege")
}

func TestSigner(t *testing.T) {
	mac := observe.Observation{ID: "org/p", Kind: observe.KindProcess, Path: "/Applications/A.app/Contents/MacOS/A", Read: []string{observe.ReadSigner}}
	win := observe.Observation{ID: "org/p", Kind: observe.KindProcess, Path: `C:\Program Files\A\a.exe`, Read: []string{observe.ReadSigner}}
	for _, c := range []struct {
		o      observe.Observation
		system evidence.System
		answer any
		want   string
	}{
		{mac, evidence.MacOS, map[string]any{"valid": true, "signer": "Developer ID Application: Acme (ABCDE12345)", "team_id": "ABCDE12345"}, "signer=ABCDE12345"},
		{mac, evidence.MacOS, map[string]any{"valid": true, "signer": "Software Signing"}, "signer=Software Signing"},
		{mac, evidence.MacOS, map[string]any{"valid": false, "team_id": "ABCDE12345", "error": "a sealed resource is missing or invalid"}, "signer=absent identity-mismatch"},
		{mac, evidence.MacOS, map[string]any{"valid": true}, "signer=absent not-found"},
		{mac, evidence.MacOS, map[string]any{}, "signer=unknown unreadable-output"},
		{mac, evidence.MacOS, []int{1}, "signer=unknown unreadable-output"},
		{mac, evidence.MacOS, nil, "signer=unknown unsupported-system"},
		{win, evidence.Windows, map[string]any{"valid": true, "signer": "Acme\r\nCorporation"}, "signer=Acme  Corporation"},
	} {
		m := evidence.NewMemory(c.system, day)
		m.SetFile(c.o.Path, "x")
		m.SetProcesses(evidence.Process{PID: 1, Executable: strings.ToUpper(c.o.Path)})
		if c.answer != nil {
			m.SetAnswer(c.answer, evidence.AskSignature, c.o.Path)
		}
		running := "running=false not-running"
		if c.system == evidence.Windows { // whose paths have no case
			running = "running=true"
		}
		want(t, read(t, m, observe.Forbid{}, c.o), "org/p", "present=true", running, c.want)
	}
}

func TestFile(t *testing.T) {
	o := observe.Observation{ID: "org/f", Kind: observe.KindFile, Path: "/etc/acme.conf", Read: []string{observe.ReadSHA256}}
	m := evidence.NewMemory(evidence.Linux, day)
	m.SetDir("/etc/acme.conf")
	want(t, read(t, m, observe.Forbid{}, o), "org/f", "present=false not-found", "sha256=absent not-found")
	m.SetFile("/etc/acme.conf", "x=1")
	want(t, read(t, m, observe.Forbid{}, o), "org/f", "present=true", "sha256="+sumOf("x=1"))
	o.Read = nil
	want(t, read(t, m, observe.Forbid{}, o), "org/f", "present=true")
}

// What is forbidden is not touched, and is unknown whatever is there.
func TestForbidden(t *testing.T) {
	o := observe.Observation{ID: "org/f", Kind: observe.KindFile, Path: "/opt/acme/x", Read: []string{observe.ReadSHA256}}
	refused := []string{"present=unknown forbidden-here", "sha256=unknown forbidden-here"}
	touched := ""
	m := evidence.NewMemory(evidence.Linux, day)
	m.SetFile("/opt/acme/x", "x")
	for _, p := range []string{"/opt/acme/x", "/opt/acme", "/home/kim/x"} {
		m.Before(p, func(context.Context) error { touched = p; return nil })
	}
	for _, f := range []observe.Forbid{{Kinds: []string{observe.KindFile}}, {Paths: []string{"/opt/acme/x"}}, {Paths: []string{"/OPT"}}} {
		want(t, read(t, m, f, o), "org/f", refused...)
		if touched != "" {
			t.Errorf("%+v: %s was touched", f, touched)
		}
	}
	for _, target := range []string{"/home/kim/x", "/etc/shadow", "/proc/self/environ", "/srv/closed/x"} {
		m := evidence.NewMemory(evidence.Linux, day)
		m.SetLink("/opt/acme", "/var/acme")
		m.SetLink("/var/acme/x", target)
		m.SetFile(target, "secret")
		want(t, read(t, m, observe.Forbid{Paths: []string{"/srv/closed"}}, o), "org/f", refused...)
	}
}

func TestRegistry(t *testing.T) {
	const key = `HKLM\SOFTWARE\Policies\Acme`
	m := evidence.NewMemory(evidence.Windows, day)
	m.SetRegistry("HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Acme\n" +
		"    (Default)    REG_SZ    first\n    Mode    REG_DWORD    0x1f\n    Long    REG_QWORD    0xffffffffff\n    List    REG_MULTI_SZ    a\\0b c\n" +
		"    Bytes    REG_BINARY    0A0B\n    Empty    REG_SZ    \n    Place    REG_EXPAND_SZ    %ProgramFiles%\\x\n    Odd    REG_LINK    x\n    DefaultPassword    REG_SZ    hunter2\n    DisablePasswordReveal    REG_DWORD    0x1\n    Broken    REG_DWORD    zz\n")
	for name, facts := range map[string][]string{
		"":                      {"present=true"},
		"(default)":             {"present=true", "value=first"},
		"mode":                  {"present=true", "value=31"},
		"Long":                  {"present=true", "value=1099511627775"},
		"List":                  {"present=true", "value=a, b c"},
		"Bytes":                 {"present=true", "value=0a0b"},
		"Empty":                 {"present=true", "value=absent not-found"},
		"Place":                 {"present=true", `value=%ProgramFiles%\x`},
		"Odd":                   {"present=true", "value=unknown malformed-value"},
		"Broken":                {"present=true", "value=unknown malformed-value"},
		"DefaultPassword":       {"present=true", "value=unknown forbidden-here"},
		"DisablePasswordReveal": {"present=true", "value=1"},
		"Missing":               {"present=false not-found", "value=absent not-found"},
	} {
		o := observe.Observation{ID: "org/r", Kind: observe.KindRegistry, Key: key, Name: name}
		want(t, read(t, m, observe.Forbid{}, o), "org/r", facts...)
	}
	gone := observe.Observation{ID: "org/r", Kind: observe.KindRegistry, Key: `HKLM\SOFTWARE\Other`, Name: "x"}
	want(t, read(t, m, observe.Forbid{}, gone), "org/r", "present=false not-found", "value=absent not-found")
	want(t, read(t, m, observe.Forbid{Paths: []string{`hklm\software`}}, gone), "org/r", "present=unknown forbidden-here", "value=unknown forbidden-here")
	m.Fail(key, fact.ReasonNeedsPrivilege)
	o := observe.Observation{ID: "org/r", Kind: observe.KindRegistry, Key: key, Name: "Mode"}
	want(t, read(t, m, observe.Forbid{}, o), "org/r", "present=unknown needs-privilege", "value=unknown needs-privilege")
}

func TestPlist(t *testing.T) {
	const at = "/Library/Managed Preferences/com.acme.plist"
	m := evidence.NewMemory(evidence.MacOS, day)
	m.SetFile(at, `<?xml version="1.0"?><plist version="1.0"><dict><key>Mode</key><string>strict</string><key>On</key><true/><key>N</key><integer>7</integer>`+
		`<key>At</key><date>2026-01-02T03:04:05Z</date><key>Empty</key><string></string><key>Inner</key><dict><key>Token</key><string>s3cret</string><key>TokenLife</key><integer>60</integer><key>x</key><string>y</string></dict>`+
		`<key>List</key><array><string>a</string></array><key>Long</key><string>`+strings.Repeat("ä", 200)+`</string></dict></plist>`)
	for keys, facts := range map[string][]string{
		"Mode":            {"present=true", "value=strict"},
		"On":              {"present=true", "value=true"},
		"N":               {"present=true", "value=7"},
		"At":              {"present=true", "value=2026-01-02T03:04:05Z"},
		"Empty":           {"present=true", "value=absent not-found"},
		"Inner/x":         {"present=true", "value=y"},
		"Inner/Token":     {"present=true", "value=unknown forbidden-here"},
		"Inner/TokenLife": {"present=true", "value=60"},
		"Inner":           {"present=true", "value=unknown malformed-value"},
		"List":            {"present=true", "value=unknown malformed-value"},
		"List/0":          {"present=unknown malformed-value", "value=unknown malformed-value"},
		"Long":            {"present=true", "value=" + strings.Repeat("ä", 128)},
		"Nope":            {"present=false not-found", "value=absent not-found"},
		"mode":            {"present=false not-found", "value=absent not-found"},
	} {
		o := observe.Observation{ID: "org/l", Kind: observe.KindPlist, Path: at, Keys: strings.Split(keys, "/")}
		want(t, read(t, m, observe.Forbid{}, o), "org/l", facts...)
	}
	o := observe.Observation{ID: "org/l", Kind: observe.KindPlist, Path: at, Keys: []string{"Mode"}}
	m.SetFile(at, "{ Mode = strict; }")
	want(t, read(t, m, observe.Forbid{}, o), "org/l", "present=unknown unreadable-output", "value=unknown unreadable-output")
	m.Remove(at)
	want(t, read(t, m, observe.Forbid{}, o), "org/l", "present=false not-found", "value=absent not-found")
}

// certified makes a certificate that signs itself.
func certified(t *testing.T, name string, until time.Time) (der []byte, sum string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Organization: []string{"Acme"}}, NotBefore: until.AddDate(-1, 0, 0), NotAfter: until}
	der, err = x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der, sumOf(string(der))
}

func inPEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestCertificatesOfLinux(t *testing.T) {
	later := day.AddDate(0, 6, 0)
	old, _ := certified(t, "Acme Root", day.AddDate(0, 0, -1))
	now, sum := certified(t, "Acme Root", later)
	other, otherSum := certified(t, "Other", later)
	root := observe.Observation{ID: "org/c", Kind: observe.KindCertificate, Store: observe.StoreRoot, Subject: "acme root"}
	dropped := observe.Observation{ID: "org/d", Kind: observe.KindCertificate, Store: observe.StoreRoot, Issuer: "CN=Other"}
	m := evidence.NewMemory(evidence.Linux, day)
	all := func(why string) []string {
		return []string{"present=unknown " + why, "issuer=unknown " + why, "expires_at=unknown " + why, "sha256=unknown " + why}
	}
	want(t, read(t, m, observe.Forbid{}, root), "org/c", all("unreadable-output")...)
	m.SetFile("/etc/ssl/certs/ca-certificates.crt", "# a comment\n"+inPEM(old)+inPEM(now)+"-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n")
	m.SetFile("/usr/local/share/ca-certificates/other.crt", string(other))
	m.SetFile("/etc/ssl/certs/0a1b2c3d.0", "never read")
	m.Fail("/etc/ssl/certs/0a1b2c3d.0", fact.ReasonNeedsPrivilege)
	got := read(t, m, observe.Forbid{}, root, dropped)
	want(t, got, "org/c", "present=true", "issuer=CN=Acme Root,O=Acme", "expires_at="+later.Format(time.RFC3339), "sha256="+sum)
	want(t, got, "org/d", "present=true", "issuer=CN=Other,O=Acme", "expires_at="+later.Format(time.RFC3339), "sha256="+otherSum)
	none := observe.Observation{ID: "org/n", Kind: observe.KindCertificate, Store: observe.StoreRoot, Subject: "Nobody"}
	want(t, read(t, m, observe.Forbid{}, none), "org/n", "present=false not-found", "issuer=absent not-found", "expires_at=absent not-found", "sha256=absent not-found")
	// One that cannot be read could be the one.
	m.Fail("/usr/local/share/ca-certificates/other.crt", fact.ReasonNeedsPrivilege)
	want(t, read(t, m, observe.Forbid{}, none), "org/n", all("needs-privilege")...)
	want(t, read(t, m, observe.Forbid{}, root), "org/c", "present=true", "issuer=CN=Acme Root,O=Acme", "expires_at="+later.Format(time.RFC3339), "sha256="+sum)
	m.Fail("/usr/local/share/ca-certificates/other.crt", "")
	m.Fail("/usr/local/share/ca-certificates", fact.ReasonTimeout)
	want(t, read(t, m, observe.Forbid{}, none), "org/n", all("timeout")...)
}

func TestCertificatesElsewhere(t *testing.T) {
	answer := func(subject string) []map[string]any {
		return []map[string]any{{"subject": "CN=" + subject, "issuer": "CN=Acme CA", "not_before": day.AddDate(-1, 0, 0), "not_after": day.AddDate(1, 0, 0), "sha256": sumOf(subject)}}
	}
	present := func(subject string) []string {
		return []string{"present=true", "issuer=CN=Acme CA", "expires_at=2027-03-01T12:00:00Z", "sha256=" + sumOf(subject)}
	}
	o := func(store string) observe.Observation {
		return observe.Observation{ID: "org/c", Kind: observe.KindCertificate, Store: store, Issuer: "acme ca"}
	}
	win := evidence.NewMemory(evidence.Windows, day)
	for store, asked := range map[string]string{observe.StoreRoot: "Root", observe.StoreIntermediate: "CA", observe.StoreMachine: "My", observe.StorePublisher: "TrustedPublisher"} {
		win.SetAnswer(answer(asked), evidence.AskCertificates, asked)
		want(t, read(t, win, observe.Forbid{}, o(store)), "org/c", present(asked)...)
	}
	mac := evidence.NewMemory(evidence.MacOS, day)
	mac.SetAnswer([]string{}, evidence.AskCertificates, "system")
	unknown := []string{"present=unknown unsupported-system", "issuer=unknown unsupported-system", "expires_at=unknown unsupported-system", "sha256=unknown unsupported-system"}
	want(t, read(t, mac, observe.Forbid{}, o(observe.StoreRoot)), "org/c", unknown...) // the shipped roots do not answer
	want(t, read(t, mac, observe.Forbid{}, o(observe.StoreMachine)), "org/c", "present=false not-found", "issuer=absent not-found", "expires_at=absent not-found", "sha256=absent not-found")
	mac.SetAnswer(answer("laptop"), evidence.AskCertificates, "system")
	want(t, read(t, mac, observe.Forbid{}, o(observe.StoreMachine)), "org/c", present("laptop")...)
	want(t, read(t, mac, observe.Forbid{}, o(observe.StoreRoot)), "org/c", present("laptop")...)
}

const dpkgStatus = `Package: acme-vpn
Status: install ok installed
Architecture: amd64
Version: 1:2.3-4
Description: x
 Version: not this

Package: gone
Status: deinstall ok config-files
Version: 1

Package: half
Status: install ok half-configured
Version: 1

Package: held
Status: hold ok triggers-pending
Version: 3
`

func TestPackagesOfLinux(t *testing.T) {
	pkg := func(name, manager string) observe.Observation {
		return observe.Observation{ID: "org/p", Kind: observe.KindPackage, Name: name, Manager: manager}
	}
	gone := []string{"present=false not-found", "version=absent not-found"}
	none := evidence.NewMemory(evidence.Linux, day)
	want(t, read(t, none, observe.Forbid{}, pkg("x", "")), "org/p", "present=unknown unsupported-system", "version=unknown unsupported-system")
	deb := evidence.NewMemory(evidence.Linux, day)
	deb.SetFile("/var/lib/dpkg/status", dpkgStatus)
	for name, facts := range map[string][]string{"acme-vpn": {"present=true", "version=1:2.3-4"}, "held": {"present=true", "version=3"}, "gone": gone, "half": gone, "Acme-VPN": gone} {
		want(t, read(t, deb, observe.Forbid{}, pkg(name, "")), "org/p", facts...)
		want(t, read(t, deb, observe.Forbid{}, pkg(name, observe.ManagerDpkg)), "org/p", facts...)
	}
	want(t, read(t, deb, observe.Forbid{}, pkg("acme-vpn", observe.ManagerRPM)), "org/p", "present=unknown unsupported-system", "version=unknown unsupported-system")
	deb.Fail("/var/lib/dpkg/status", fact.ReasonBusy)
	want(t, read(t, deb, observe.Forbid{}, pkg("gone", "")), "org/p", "present=unknown busy", "version=unknown busy")

	red := evidence.NewMemory(evidence.Linux, day)
	red.SetDir("/usr/lib/sysimage/rpm")
	want(t, read(t, red, observe.Forbid{}, pkg("acme-vpn", "")), "org/p", "present=unknown tool-missing", "version=unknown tool-missing")
	red.SetCommand("rpm -qa --qf "+rpmFormat, "gpg-pubkey 1-1.(none) 1700000000\nkernel 6.9-1.fc41.x86_64 1\nkernel 6.10-1.fc41.x86_64 2\nacme-vpn 2.3-4.el9.noarch 3\nrubbish\n")
	want(t, read(t, red, observe.Forbid{}, pkg("acme-vpn", "")), "org/p", "present=true", "version=2.3-4.el9")
	want(t, read(t, red, observe.Forbid{}, pkg("kernel", observe.ManagerRPM)), "org/p", "present=true", "version=6.10-1.fc41")
	want(t, read(t, red, observe.Forbid{}, pkg("gone", "")), "org/p", gone...)

	arch := evidence.NewMemory(evidence.Linux, day)
	arch.SetFile("/var/lib/pacman/local/ALPM_DB_VERSION", "9")
	arch.SetDir("/var/lib/pacman/local/acme-vpn-2.3-4")
	want(t, read(t, arch, observe.Forbid{}, pkg("acme-vpn", "")), "org/p", "present=true", "version=2.3-4")
	want(t, read(t, arch, observe.Forbid{}, pkg("acme", "")), "org/p", gone...)

	alpine := evidence.NewMemory(evidence.Linux, day)
	alpine.SetFile("/usr/lib/apk/db/installed", "C:Q1\nP:acme-vpn\nV:2.3-r4\nA:x86_64\n\nP:other\nV:1-r0\n")
	want(t, read(t, alpine, observe.Forbid{}, pkg("acme-vpn", "")), "org/p", "present=true", "version=2.3-r4")
}

func TestPackagesElsewhere(t *testing.T) {
	gone := []string{"present=false not-found", "version=absent not-found"}
	win := evidence.NewMemory(evidence.Windows, day)
	o := observe.Observation{ID: "org/p", Kind: observe.KindPackage, Name: "Acme VPN"}
	want(t, read(t, win, observe.Forbid{}, o), "org/p", "present=unknown unsupported-system", "version=unknown unsupported-system")
	const at = `HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall\`
	win.SetRegistry(at + "{123}\n    DisplayName    REG_SZ    Acme VPN\n    DisplayVersion    REG_SZ    2.3\n" + at + "Other\n    DisplayName    REG_SZ    Acme VPN Beta\n    DisplayVersion    REG_SZ    9\n")
	want(t, read(t, win, observe.Forbid{}, o), "org/p", "present=true", "version=2.3")
	o.Name = "other"
	want(t, read(t, win, observe.Forbid{}, o), "org/p", "present=true", "version=9")
	o.Name = "Acme"
	want(t, read(t, win, observe.Forbid{}, o), "org/p", gone...)
	win.Fail(`HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall\Other`, fact.ReasonNeedsPrivilege)
	want(t, read(t, win, observe.Forbid{}, o), "org/p", "present=unknown needs-privilege", "version=unknown needs-privilege")

	mac := evidence.NewMemory(evidence.MacOS, day)
	plist := func(key, value string) string {
		return fmt.Sprintf("<plist><dict><key>%s</key><string>%s</string></dict></plist>", key, value)
	}
	mac.SetFile("/Applications/Acme VPN.app/Contents/Info.plist", plist("CFBundleShortVersionString", "2.3"))
	mac.SetFile("/var/db/receipts/com.acme.vpn.plist", plist("PackageVersion", "2.2"))
	o.Name = "Acme VPN"
	want(t, read(t, mac, observe.Forbid{}, o), "org/p", "present=true", "version=2.3")
	o.Name, o.Manager = "com.acme.vpn", observe.ManagerReceipt
	want(t, read(t, mac, observe.Forbid{}, o), "org/p", "present=true", "version=2.2")
	o.Manager = ""
	want(t, read(t, mac, observe.Forbid{}, o), "org/p", gone...) // a receipt alone does not say that it is there
	mac.SetFile("/Applications/com.acme.vpn.app/Contents/Info.plist", "rubbish")
	want(t, read(t, mac, observe.Forbid{}, o), "org/p", "present=unknown unreadable-output", "version=unknown unreadable-output")
}

// A store and a list of packages are read once, however many ask.
func TestReadOnce(t *testing.T) {
	m, reads := evidence.NewMemory(evidence.Linux, day), 0
	m.SetFile("/var/lib/dpkg/status", dpkgStatus)
	m.Before("/var/lib/dpkg/status", func(context.Context) error { reads++; return nil })
	var list []observe.Observation
	for i := range observe.MaxObservations {
		list = append(list, observe.Observation{ID: fmt.Sprintf("org/p%d", i), Kind: observe.KindPackage, Name: "acme-vpn"})
	}
	if got := read(t, m, observe.Forbid{}, list...); len(got) != observe.MaxObservations || reads > 2 { // the twin enters a file twice
		t.Errorf("%d entries, %d readings", len(got), reads)
	}
}

func TestTimeIsOver(t *testing.T) {
	m := evidence.NewMemory(evidence.Linux, day)
	m.SetFile("/etc/acme.conf", "x")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := Collect(ctx, m, []observe.Observation{{ID: "org/f", Kind: observe.KindFile, Path: "/etc/acme.conf", Origin: fact.OriginBroker}}, observe.Forbid{})
	if f, _ := s.Find("org/f", "present"); s.StateOf(f) != fact.Unknown || f.Reason != fact.ReasonTimeout {
		t.Errorf("%+v", f)
	}
}

// What real systems wrote.
func TestCaptures(t *testing.T) {
	capture := func(name string) string {
		data, err := os.ReadFile("../../testfixtures/captures/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	deb := evidence.NewMemory(evidence.Linux, day)
	deb.SetFile("/var/lib/dpkg/status", capture("linux/apt-lists/dpkg-status-bookworm.txt"))
	want(t, read(t, deb, observe.Forbid{}, observe.Observation{ID: "org/p", Kind: observe.KindPackage, Name: "base-files"}), "org/p", "present=true", "version=12.4+deb12u11")
	mac := evidence.NewMemory(evidence.MacOS, day)
	const version = "/System/Library/CoreServices/SystemVersion.plist"
	mac.SetFile(version, capture("macos/systemversion-plist/elastic-10.12.6.plist"))
	want(t, read(t, mac, observe.Forbid{}, observe.Observation{ID: "org/l", Kind: observe.KindPlist, Path: version, Keys: []string{"ProductVersion"}}), "org/l", "present=true", "value=10.12.6")
	win := evidence.NewMemory(evidence.Windows, day)
	win.SetRegistry(capture("windows/currentversion/reg-11-25h2-pro-homebrew.txt"))
	want(t, read(t, win, observe.Forbid{}, observe.Observation{ID: "org/r", Kind: observe.KindRegistry, Key: `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion`, Name: "UBR"}), "org/r", "present=true", "value=8457")
}
