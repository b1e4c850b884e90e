package observe

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/postern-zt/postern/posture/fact"
)

func decode(text, origin string) (Observation, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil || len(doc.Content) != 1 {
		return Observation{}, fmt.Errorf("not YAML: %w", err)
	}
	return DecodeObservation(doc.Content[0], origin)
}

// good has one of each form, with the systems it is read on and the facts it sets.
var good = []struct{ text, where, facts string }{
	{"{id: org/a, kind: process, path: /opt/a/a}", "linux darwin", "present running"},
	{`{id: org/a, kind: process, path: 'C:\Program Files\A\a.exe', read: [sha256, signer]}`, "windows", "present running sha256 signer"},
	{"{id: org/a, kind: process, path: /opt/a/a, read: [signer], systems: [darwin]}", "darwin", "present running signer"},
	{"{id: org/a, kind: file, path: /etc/a.conf}", "linux darwin", "present"},
	{"{id: org/a, kind: file, path: /etc/ssl/certs/a.pem, read: [sha256]}", "linux darwin", "present sha256"},
	{"{id: org/a, kind: file, path: /etc/ssh/ssh_host_ed25519_key.pub}", "linux darwin", "present"},
	{`{id: org/a, kind: registry, key: 'HKLM\SOFTWARE\Policies\A'}`, "windows", "present"},
	{`{id: org/a, kind: registry, key: 'hklm\software\a', name: (Default)}`, "windows", "present value"},
	{"{id: org/a, kind: plist, path: /Library/Preferences/a.plist, keys: [a, b]}", "darwin", "present value"},
	{"{id: org/a, kind: certificate, store: root, subject: Acme Root}", "linux windows darwin", "present issuer expires_at sha256"},
	{"{id: org/a, kind: certificate, store: machine, issuer: Acme CA, subject: laptop}", "windows darwin", "present issuer expires_at sha256"},
	{"{id: org/a, kind: certificate, store: publisher, issuer: Acme CA}", "windows", "present issuer expires_at sha256"},
	{"{id: org/a, kind: package, name: Acme VPN (x64)}", "linux windows darwin", "present version"},
	{"{id: org/a, kind: package, name: acme-vpn, manager: dpkg}", "linux", "present version"},
	{"{id: org/a, kind: package, name: Acme VPN, manager: uninstall}", "windows", "present version"},
	{"{id: org/a, kind: package, name: com.acme.vpn, manager: receipt}", "darwin", "present version"},
}

func TestForms(t *testing.T) {
	for _, c := range good {
		for _, origin := range []string{fact.OriginBroker, fact.OriginManaged} {
			o, err := decode(c.text, origin)
			if err != nil {
				t.Errorf("%s: %v", c.text, err)
				continue
			}
			if got := strings.Join(o.Where(), " "); got != c.where || o.Origin != origin {
				t.Errorf("%s: read on %s from %s, want %s", c.text, got, o.Origin, c.where)
			}
			if got := strings.Join(o.Facts(), " "); got != c.facts {
				t.Errorf("%s: sets %s, want %s", c.text, got, c.facts)
			}
			for _, f := range o.Facts() {
				if _, ok := fact.Lookup(fact.SignalCustom, f, true); !ok {
					t.Errorf("%s: there is no fact custom[*].%s", c.text, f)
				}
			}
		}
	}
}

func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"{id: a, kind: file, path: /a/b}":                                                "an id is org/",
		"{id: org/A, kind: file, path: /a/b}":                                            "an id is org/",
		"{id: 'org/a]', kind: file, path: /a/b}":                                         "an id is org/",
		"{id: local/a, kind: file, path: /a/b}":                                          "belong to users' settings",
		"{id: org/a, kind: script, path: /a/b}":                                          "is none of",
		"{id: org/a, path: /a/b}":                                                        "is none of",
		"{id: org/a, kind: edr, path: /a/b}":                                             "is none of",
		"{id: org/a, kind: file, path: /a/b, run: rm}":                                   "field run not found",
		"{id: org/a, kind: file, path: /a/b, equals: x}":                                 "field equals not found",
		"{id: org/a, kind: file, path: /a/b, sha256: abc}":                               "field sha256 not found",
		"{id: org/a, kind: file, path: /a/b, origin: built-in}":                          "field origin not found",
		"{id: org/a, kind: file, path: /a/b, path: /c/d}":                                "already defined",
		"{id: org/a, kind: file, path: &x /a/b}":                                         "anchors and aliases",
		"{id: org/a, kind: file, path: /a/b, read: [signer]}":                            "is none of sha256",
		"{id: org/a, kind: file, path: /a/b, read: [sha256, sha256]}":                    "there twice",
		"{id: org/a, kind: file, path: /a/b, key: x}":                                    "has no meaning for the kind file",
		"{id: org/a, kind: file, path: /a/b, systems: [plan9]}":                          "is none of linux",
		"{id: org/a, kind: file, path: /a/b, systems: [windows]}":                        "no meaning on windows",
		"{id: org/a, kind: process, path: /a/b, read: [signer], systems: [linux]}":       "Linux knows no signer",
		"{id: org/a, kind: file}":                                                        "path",
		`{id: org/a, kind: registry, key: 'HKCU\Software\A'}`:                            "below HKLM",
		`{id: org/a, kind: registry, key: 'HKLM\\SAM'}`:                                  "without empty parts",
		`{id: org/a, kind: registry, key: 'HKLM\SAM\SAM'}`:                               "keep secrets",
		`{id: org/a, kind: registry, key: 'hklm\security\policy'}`:                       "keep secrets",
		`{id: org/a, kind: registry, key: 'HKLM\SOFTWARE\..\SAM'}`:                       "without empty parts",
		"{id: org/a, kind: registry, name: x}":                                           "key",
		"{id: org/a, kind: plist, path: /a/b.plist}":                                     "keys",
		`{id: org/a, kind: plist, path: 'C:\a\b.plist', keys: [a]}`:                      "macOS",
		"{id: org/a, kind: plist, path: /a/b.plist, keys: [a], systems: [linux]}":        "no meaning on linux",
		"{id: org/a, kind: certificate, store: root}":                                    "how to find",
		"{id: org/a, kind: certificate, store: root, subject: ab}":                       "at least 3",
		"{id: org/a, kind: certificate, store: mine, subject: abc}":                      "is none of",
		"{id: org/a, kind: certificate, store: machine, subject: abc, systems: [linux]}": "no meaning on linux",
		"{id: org/a, kind: package, name: --eval=x}":                                     "no name of a package",
		"{id: org/a, kind: package, name: ../x}":                                         "no name of a package",
		"{id: org/a, kind: package, name: a/b}":                                          "no name of a package",
		"{id: org/a, kind: package, name: a b, manager: rpm}":                            "no name of a package",
		"{id: org/a, kind: package, name: a, manager: npm}":                              "is none of dpkg",
		"{id: org/a, kind: package, name: a, manager: dpkg, systems: [windows]}":         "no meaning on windows",
		"[a]":  "want keys and values",
		"text": "want keys and values",
	} {
		if o, err := decode(text, fact.OriginBroker); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v; want %q", text, o, err, want)
		}
	}
	for text, want := range map[string]string{
		"{id: org/a, kind: file, path: /a/b}":      "cannot stand for the organisation's",
		"{id: local/a, kind: file, path: /home/a}": "people's folders",
	} {
		if o, err := decode(text, fact.OriginUserSettings); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v; want %q", text, o, err, want)
		}
	}
}

func TestReadable(t *testing.T) {
	for _, p := range []string{
		"/opt/acme/agent", "/etc/acme.conf", "/usr/local/bin/x", "/Applications/A.app/Contents/MacOS/A", "/Library/Preferences/com.acme.plist",
		"/homes/x", "/developer/x", "/etc/ssl/certs/acme.pem", "/usr/share/keyrings/acme.asc", "/etc/key.conf",
		`C:\Program Files\Acme\a.exe`, `D:\x\y`, `c:\windows\system32\drivers\x.sys`,
	} {
		if err := Readable(p); err != nil {
			t.Error(err)
		}
	}
	for _, p := range []string{
		"", "/", "x", "./x", "/a/../b", "/a//b", "/a/", "/a/*", "/a/?", "/a/[b]", "/a/{b,c}", "/a\nb", "/a/$HOME", `/a\b`, "/" + strings.Repeat("x", 300),
		"/proc/1/environ", "/sys/x", "/dev/sda", "/PROC/1/environ", "/home/kim/x", "/root/x", "/Users/kim/x", "/users/Shared", "/var/root/x", "/var/home/kim", "/run/user/1000/x",
		"/private/etc/shadow", "/System/Volumes/Data/Users/kim/x", "/system/volumes/data/private/var/db/dslocal/x", "/private/var/root/x", "/private/private/etc/shadow",
		"/etc/shadow", "/etc/gshadow-", "/etc/master.passwd", "/etc/kcpassword", "/etc/ssl/private/x", "/etc/wireguard/wg0.conf", "/etc/NetworkManager/system-connections/x",
		"/etc/ssh/ssh_host_rsa_key", "/opt/x/server.key", "/opt/x/id_ed25519", "/opt/x/store.p12", "/opt/x/Private.KEY", "/opt/x/privkey1.pem", "/opt/x/tls-key.pem", "/opt/x/key.pem", "/etc/krb5.keytab",
		"/Library/Keychains/System.keychain", "/x/login.keychain-db", "/var/lib/postern/device.json", "/etc/postern/postern.yaml",
		`C:`, `C:\`, `C:x`, `C:\x\..\y`, `C:\x/y`, `C:\x\\y`, `C:\x\`, `C:\x:stream`, `C:\x.`, `C:\x \y`, `C:\PROGRA~1\x`, `C:\%TEMP%\x`, `\\host\share\x`, `\\?\C:\x`,
		`C:\Users\kim\x`, `c:\users\x`, `D:\Documents and Settings\x`, `C:\Windows\System32\config\SAM`, `C:\ProgramData\Microsoft\Crypto\x`, `C:\ProgramData\ssh\ssh_host_rsa_key`, `C:\Windows\NTDS\ntds.dit`,
	} {
		if Readable(p) == nil {
			t.Errorf("%q may be read", p)
		}
	}
}

func TestSpeaksOfSecret(t *testing.T) {
	for name, want := range map[string]bool{
		"DefaultPassword": true, "AUTH_TOKEN": true, "clientSecret": true, "ApiKey": true, "ProductKey": true, "passphrase": true, "ValidCommunities": true,
		"EnableLUA": false, "Version": false, "KeyboardLayout": false, "Monkey": false,
	} {
		if SpeaksOfSecret(name) != want {
			t.Errorf("%s: %t", name, !want)
		}
	}
}

func TestMergeObservations(t *testing.T) {
	a := Observation{ID: "org/a", Kind: KindFile, Path: "/a/b", Origin: fact.OriginBroker}
	onWindows := Observation{ID: "org/a", Kind: KindFile, Path: `C:\a\b`, Origin: fact.OriginBroker}
	if got, err := MergeObservations([]Observation{a}, []Observation{onWindows}); err != nil || len(got) != 2 {
		t.Errorf("one id for two systems: %v", err)
	}
	managed := Observation{ID: "org/a", Kind: KindFile, Path: "/c/d", Systems: []string{MacOS}, Origin: fact.OriginManaged}
	if _, err := MergeObservations([]Observation{a, onWindows}, []Observation{managed}); err == nil || !strings.Contains(err.Error(), "already declared for darwin (broker)") {
		t.Errorf("an id was declared twice: %v", err)
	}
	var many []Observation
	for i := range MaxObservations + 1 {
		many = append(many, Observation{ID: fmt.Sprintf("org/a%d", i), Kind: KindFile, Path: "/a/b", Origin: fact.OriginBroker})
	}
	if _, err := MergeObservations(many[1:]); err != nil {
		t.Error(err)
	}
	if _, err := MergeObservations(many); err == nil {
		t.Error("one more was accepted")
	}
}

func TestForbid(t *testing.T) {
	f := Forbid{Kinds: []string{KindProcess}, Paths: []string{"/opt/secret/", `C:\Secret`, `HKLM\SOFTWARE\Acme`}}
	if err := f.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		o    Observation
		want bool
	}{
		{Observation{Kind: KindProcess, Path: "/a/b"}, true},
		{Observation{Kind: KindFile, Path: "/a/b"}, false},
		{Observation{Kind: KindFile, Path: "/opt/secret"}, true},
		{Observation{Kind: KindFile, Path: "/OPT/Secret/x"}, true},
		{Observation{Kind: KindFile, Path: "/System/Volumes/Data/opt/secret/x"}, true},
		{Observation{Kind: KindFile, Path: "/opt/secrets"}, false},
		{Observation{Kind: KindFile, Path: `c:\secret\x`}, true},
		{Observation{Kind: KindRegistry, Key: `hklm\software\acme\x`}, true},
		{Observation{Kind: KindRegistry, Key: `HKLM\SOFTWARE\Acmes`}, false},
		{Observation{Kind: KindPackage, Name: "x"}, false},
	} {
		if got := f.Observation(c.o); got != c.want {
			t.Errorf("%+v: forbidden %t", c.o, got)
		}
	}
	rows := []EDRRow{
		{ID: "shipped", Origin: fact.OriginBuiltIn, Linux: []Program{{Executable: "/opt/secret/x"}}},
		{ID: "org/a", Origin: fact.OriginBroker, Linux: []Program{{Executable: "/opt/secret/x"}}},
		{ID: "org/b", Origin: fact.OriginBroker, Apps: []string{"/Applications/B.app"}},
	}
	if kept, out := f.Rows(rows); len(kept) != 2 || len(out) != 1 || out[0].ID != "org/a" {
		t.Errorf("kept %v, took out %v", kept, out)
	}
	if kept, out := (Forbid{Kinds: []string{KindEDR}}).Rows(rows); len(kept) != 1 || len(out) != 2 {
		t.Errorf("kept %v, took out %v", kept, out)
	}
	for _, bad := range []Forbid{{Kinds: []string{"script"}}, {Paths: []string{"opt"}}, {Paths: []string{""}}, {Paths: slices.Repeat([]string{"/a"}, 100)}} {
		if bad.Validate() == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
}

func TestDocument(t *testing.T) {
	const text = `{"version":3,"observations":[{"id":"org/a","kind":"file","path":"/a/b","read":["sha256"]}],
		"edr":[{"id":"org/p","name":"P","linux":[{"executable":"/opt/p/p"}],"origin":"built-in"}]}`
	var d Document
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	d, err := d.From(fact.OriginBroker)
	if err != nil || d.Version != 3 || d.Observations[0].Origin != fact.OriginBroker || d.EDR[0].Origin != fact.OriginBroker {
		t.Errorf("%+v, %v", d, err)
	}
	for from, to := range map[string]string{
		`"read":["sha256"]`:   `"Read":["sha256"]`,
		`"path":"/a/b"`:       `"path":"/etc/shadow"`,
		`"id":"org/a"`:        `"id":"local/a"`,
		`"id":"org/p"`:        `"id":"crowdstrike-falcon"`,
		`"name":"P"`:          `"name":"P","only_if":"x"`,
		`"/opt/p/p"`:          `"/home/kim/p"`,
		`"origin":"built-in"`: `"status":"crowdstrike"`,
		`[{"id":"org/a",`:     `[{"id":"org/a","kind":"file","path":"/x/y"},{"id":"org/a",`,
		`"kind":"file"`:       `"kind":"file","command":"id"`,
		`"observations":[{`:   `"observations":["x",{`,
	} {
		var d Document
		err := json.Unmarshal([]byte(strings.Replace(text, from, to, 1)), &d)
		if err == nil {
			_, err = d.From(fact.OriginBroker)
		}
		if err == nil {
			t.Errorf("%s was accepted", to)
		}
	}
}

// What shipped may be found in places that nobody else may name.
func TestShippedProductsCouldComeFromABroker(t *testing.T) {
	rows, err := BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		for _, p := range r.programs() {
			if err := Readable(p.Executable); err != nil {
				t.Errorf("%s: %v", r.ID, err)
			}
		}
	}
}

func FuzzDecodeObservation(f *testing.F) {
	for _, c := range good {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := decode(string(data), fact.OriginUserSettings)
		if err != nil {
			return
		}
		if !strings.HasPrefix(o.ID, LocalPrefix) || o.Path != "" && Readable(o.Path) != nil || len(o.Where()) == 0 {
			t.Errorf("accepted %+v", o)
		}
	})
}

func FuzzDocument(f *testing.F) {
	f.Add([]byte(`{"version":1,"observations":[{"id":"org/a","kind":"plist","path":"/a/b","keys":["a"]}],"edr":[{"id":"org/p","name":"P","linux":[{"executable":"/opt/p/p"}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var d Document
		if json.Unmarshal(data, &d) != nil {
			return
		}
		d, err := d.From(fact.OriginBroker)
		if err != nil {
			return
		}
		for _, o := range d.Observations {
			if !strings.HasPrefix(o.ID, OrgPrefix) || o.Validate() != nil {
				t.Errorf("accepted %+v", o)
			}
		}
		for _, r := range d.EDR {
			if !strings.HasPrefix(r.ID, OrgPrefix) || r.Status != "" || r.Origin != fact.OriginBroker {
				t.Errorf("accepted %+v", r)
			}
		}
		again, err := json.Marshal(d)
		var same Document
		if err != nil || json.Unmarshal(again, &same) != nil {
			t.Errorf("what was accepted cannot be written: %v", err)
		}
	})
}
