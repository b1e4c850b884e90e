package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/platform/paths"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

const token = "tok-3f9a1c"

// home makes a folder with the settings in it; "" leaves the file out.
func home(t *testing.T, yaml string) paths.Set {
	t.Helper()
	set := paths.InState(filepath.Join(t.TempDir(), "own"))
	if err := os.Mkdir(set.State, 0o700); err != nil {
		t.Fatal(err)
	}
	if yaml != "" {
		put(t, set.Config, yaml, 0o600)
	}
	return set
}

func put(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func certificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestNoFile(t *testing.T) {
	set := home(t, "")
	s, err := Load(set, Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	want := "no broker configured: set `broker` in " + set.Config
	if err := s.NeedBroker(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	shipped, err := observe.BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Catalogue) != len(shipped) || s.LogLevel != (Value[slog.Level]{slog.LevelInfo, OriginDefault}) || s.BrokerRoots() != nil {
		t.Errorf("defaults: %+v", s)
	}
	if name, err := os.Hostname(); err == nil && s.DeviceName.V != name {
		t.Errorf("device name %q, want the host's %q", s.DeviceName.V, name)
	}
	other := filepath.Join(set.State, "other.yaml")
	if _, err := Load(set, Overrides{File: other}); err == nil || err.Error() != "read settings: "+other+": there is no such file; name a file that is there" {
		t.Errorf("a file that was asked for by name is missing: %v", err)
	}
}

func TestWholeFile(t *testing.T) {
	set := home(t, `
broker: https://broker.example:8443/
broker_ca: ca.pem
enrolment_token: `+token+`
device_name: "Kim's laptop"
log_level: debug
edr_catalogue:
  - id: local/watcher
    name: Watcher
    linux:
      - executable: /opt/watcher/bin/watcherd
        sha256: `+strings.Repeat("ab", 32)+`
    windows:
      - executable: C:\Program Files\Watcher\watcher.exe
`)
	put(t, filepath.Join(set.State, "ca.pem"), certificate(t), 0o644)
	s, err := Load(set, Overrides{LogLevel: "error"})
	if err != nil {
		t.Fatal(err)
	}
	if s.Broker != (Value[string]{"https://broker.example:8443", OriginFile}) || s.NeedBroker() != nil {
		t.Errorf("broker %+v", s.Broker)
	}
	if s.BrokerCA.V != filepath.Join(set.State, "ca.pem") || s.BrokerRoots() == nil {
		t.Errorf("roots of %+v were not read", s.BrokerCA)
	}
	if s.EnrolmentToken.V.Reveal() != token || s.EnrolmentToken.Origin != OriginFile {
		t.Error("the token is another")
	}
	if s.DeviceName.V != "Kim's laptop" || s.LogLevel != (Value[slog.Level]{slog.LevelError, OriginFlag}) {
		t.Errorf("name %+v, level %+v", s.DeviceName, s.LogLevel)
	}
	row := s.Catalogue[len(s.Catalogue)-1]
	if row.ID != "local/watcher" || row.Origin != fact.OriginUserSettings || len(row.Linux) != 1 || len(row.Windows) != 1 {
		t.Errorf("row %+v", row)
	}
	for _, said := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v", s, s), mustJSON(t, s)} {
		if strings.Contains(said, token) {
			t.Errorf("the token is printed: %s", said)
		}
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "token", s.EnrolmentToken.V, "all", s)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "token", s.EnrolmentToken.V, "all", s)
	if strings.Contains(log.String(), token) {
		t.Errorf("the token is logged: %s", log.String())
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestRefused(t *testing.T) {
	row := "edr_catalogue:\n  - id: local/a\n    name: A\n    linux: [{executable: /opt/a}]\n"
	for _, tc := range []struct{ name, yaml, want string }{
		{"unknown key", "broker: https://b\nbrokr_ca: x\n", ":2: brokr_ca: no such key; use one of broker"},
		{"twice", "broker: https://a\n# x\nbroker: https://b\n", ":3: broker: already set in line 1"},
		{"http", "broker: http://b\n", ":1: broker: a broker is reached by https only"},
		{"user information", "broker: https://me:" + token + "@b\n", ":1: broker: the address has more than"},
		{"query", "broker: https://b?x\n", ":1: broker: the address has more than"},
		{"path", "broker: https://b/there\n", ":1: broker: the address has more than a host and a port"},
		{"port", "broker: https://b:70000\n", ":1: broker: ports are numbers from 1 to 65535"},
		{"no port", "broker: https://b:0\n", ":1: broker: ports are numbers"},
		{"no host", "broker: 'https://'\n", ":1: broker: this is not a web address"},
		{"not text", "\nbroker: 5\n", ":2: broker: this is not text"},
		{"list for text", "broker: [a]\n", ":1: broker: this is not text"},
		{"alias", "device_name: &a x\nbroker: *a\n", ":2: broker: this is not text"},
		{"level", "log_level: loud\n", ":1: log_level: no such level; use debug, info, warn or error"},
		{"name", `device_name: "a\nb"`, ":1: device_name: a name has 1 to 128 bytes"},
		{"no mapping", "- broker\n", ":1: this is not a mapping"},
		{"two documents", "broker: https://b\n---\nbroker: https://c\n", ": more than one document"},
		{"not YAML", "broker: https://b\n\tx: y\n", ":2: not YAML ("},
		{"secret in an alias", "enrolment_token: *" + token + "\n", "not YAML (unknown anchor)"},
		{"token with a space", "enrolment_token: a " + token + "\n", ":1: enrolment_token: a token has 1 to"},
		{"both tokens", "enrolment_token: a\nenrolment_token_file: b\n", ":2: enrolment_token_file: enrolment_token is set as well"},
		{"missing CA", "broker_ca: none.pem\n", "none.pem is not there; give a PEM file"},
		{"shipped id", strings.ReplaceAll(row, "local/a", "crowdstrike-falcon"), ":2: edr_catalogue[0].id: \"crowdstrike-falcon\" could stand for a shipped product"},
		{"organisation's id", strings.ReplaceAll(row, "local/a", "org/a"), ":2: edr_catalogue[0].id: \"org/a\" could stand"},
		{"no path", strings.ReplaceAll(row, "/opt/a", "opt/a"), ":2: edr_catalogue[0]: catalogue row local/a: executable"},
		{"unknown field", row + "    origin: built-in\n", ":5: edr_catalogue[0].origin: no such key"},
		{"unknown in a path", strings.ReplaceAll(row, "executable", "exe"), ":4: edr_catalogue[0].linux[0].exe: no such key"},
		{"same id twice", row + strings.TrimPrefix(row, "edr_catalogue:\n"), ":5: edr_catalogue[1]: catalogue row local/a from user-settings: the id is already declared"},
		{"no list", "edr_catalogue: {}\n", ":1: edr_catalogue: this is not a list"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			set := home(t, tc.yaml)
			s, err := Load(set, Overrides{})
			var wrong *Error
			if !errors.As(err, &wrong) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got  %v\nwant …%s", err, tc.want)
			}
			if strings.Contains(err.Error(), token) {
				t.Errorf("the error shows a secret: %v", err)
			}
			if s.Broker.V != "" || s.EnrolmentToken.V.IsSet() {
				t.Errorf("a refused file left %+v behind", s)
			}
		})
	}
}

func TestEveryProblemAtOnce(t *testing.T) {
	_, err := Load(home(t, "log_level: loud\nnope: 1\nbroker: x\n"), Overrides{Broker: "http://b", BrokerCA: "none.pem"})
	var wrong *Error
	if !errors.As(err, &wrong) || len(wrong.Problems) != 5 {
		t.Fatalf("got %v, want five problems", err)
	}
	if !strings.Contains(err.Error(), "command line: broker: a broker is reached by https only") {
		t.Errorf("the flag is not named: %v", err)
	}
}

func TestFilesOfOthers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits: the folder's access list protects the file")
	}
	load := func(set paths.Set) error { _, err := Load(set, Overrides{}); return err }
	open := home(t, "broker: https://b\n")
	put(t, open.Config, "broker: https://b\n", 0o666)
	if err := load(open); err == nil || !strings.Contains(err.Error(), "lets others change it") {
		t.Errorf("a file others may write: %v", err)
	}
	folder := home(t, "broker: https://b\n")
	if err := os.Chmod(folder.State, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := load(folder); err == nil || !strings.Contains(err.Error(), "lets others write") {
		t.Errorf("a folder others may write: %v", err)
	}
	shared := home(t, "x")
	put(t, shared.Config, "broker: https://b\n", 0o644)
	if err := load(shared); err != nil {
		t.Errorf("a file others may read, without a token: %v", err)
	}
	put(t, shared.Config, "enrolment_token: "+token+"\n", 0o644)
	if err := load(shared); err == nil || !strings.Contains(err.Error(), "others may read this file") || strings.Contains(err.Error(), token) {
		t.Errorf("a token others may read: %v", err)
	}
	ca := home(t, "broker_ca: ca.pem\n")
	put(t, filepath.Join(ca.State, "ca.pem"), certificate(t), 0o666)
	if err := load(ca); err == nil || !strings.Contains(err.Error(), "lets others change it") {
		t.Errorf("authorities others may write: %v", err)
	}
	put(t, filepath.Join(ca.State, "ca.pem"), "nothing", 0o644)
	if err := load(ca); err == nil || !strings.Contains(err.Error(), "holds no certificate") {
		t.Errorf("no certificate: %v", err)
	}
}

func TestTokenFile(t *testing.T) {
	set := home(t, "enrolment_token_file: token\n")
	file := filepath.Join(set.State, "token")
	s, err := Load(set, Overrides{})
	if err != nil || len(s.Warnings) != 1 || s.EnrolmentToken.V.IsSet() {
		t.Fatalf("a token file that is gone: %+v, %v", s.Warnings, err)
	}
	put(t, file, token+"\r\n", 0o600)
	if s, err = Load(set, Overrides{}); err != nil || s.EnrolmentToken.V.Reveal() != token {
		t.Fatalf("token not read: %v", err)
	}
	if runtime.GOOS != "windows" {
		put(t, file, token+"\n", 0o644)
		if _, err = Load(set, Overrides{}); err == nil || strings.Contains(err.Error(), token) {
			t.Errorf("a token file others may read: %v", err)
		}
	}
	put(t, file, strings.Repeat("a", maxToken+3), 0o600)
	if _, err = Load(set, Overrides{}); err == nil || !strings.Contains(err.Error(), tokenHint(runtime.GOOS != "windows")) {
		t.Errorf("too long: %v", err)
	}
	if strings.Contains(tokenHint(false), "mode") {
		t.Error("a hint without modes speaks of one")
	}
	put(t, file, token+"\nmore\n", 0o600)
	if _, err = Load(set, Overrides{}); err == nil || strings.Contains(err.Error(), token) {
		t.Errorf("two lines: %v", err)
	}
}

// The settings are an owner's own, but a program that generates them may not be.
func FuzzDocument(f *testing.F) {
	f.Add([]byte("broker: https://b\nedr_catalogue:\n  - {id: local/a, name: A, linux: [{executable: /a}]}\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("? [x]\n: y\n---\n"))
	shipped, err := observe.BuiltIn()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l := loader{d: document{file: "settings.yaml"}, shipped: shipped, read: sha256.New(), s: defaults("settings.yaml", shipped)}
		if top := l.d.parse(data); top != nil {
			l.take(top)
		}
		if len(l.d.problems) == 0 && l.s.Broker.V != "" && !strings.HasPrefix(strings.ToLower(l.s.Broker.V), "https:") {
			t.Errorf("took the broker %q", l.s.Broker.V)
		}
	})
}
