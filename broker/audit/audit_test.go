package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/platform/files"
)

func fixed() time.Time { return time.UnixMilli(1_700_000_000_123) }

var (
	laptop = Device{ID: "d1", Name: "laptop", Platform: "linux"}
	anna   = api.Person{Subject: "s1", Issuer: "https://idp.test", Email: "anna@example.test", Name: "Anna", Groups: []string{"dev"}}
)

// event writes one event and reads it back.
func event(t *testing.T, write func(*Log) error) map[string]any {
	t.Helper()
	var out bytes.Buffer
	if err := write(New(&out, fixed)); err != nil {
		t.Fatal(err)
	}
	line, rest, _ := strings.Cut(out.String(), "\n")
	if rest != "" {
		t.Fatalf("more than one line: %q", out.String())
	}
	var e map[string]any
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// at reads a value by its path, such as "metadata.product.name".
func at(e map[string]any, path string) any {
	var v any = e
	for _, name := range strings.Split(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func TestEvents(t *testing.T) {
	tests := map[string]struct {
		write func(*Log) error
		want  map[string]any // by path; nil means absent
	}{
		"logon": {
			func(l *Log) error {
				return l.Authentication(Authentication{Activity: Logon, Person: anna, Device: laptop, Session: "s", ACR: "mfa"})
			},
			map[string]any{
				"class_uid": 3002., "category_uid": 3., "type_uid": 300201., "activity_name": "Logon", "severity_id": 1., "status_id": 1.,
				"user.uid": "s1", "user.email_addr": "anna@example.test", "user.domain": "https://idp.test", "device.uid": "d1",
				"device.os.type_id": 200., "session.uid": "s", "service.name": "postern-broker", "unmapped.acr": "mfa", "auth_protocol_id": 4.,
			},
		},
		"logon refused": {
			func(l *Log) error {
				return l.Authentication(Authentication{Activity: Logon, Device: laptop, Refused: "invalid_grant"})
			},
			map[string]any{"status_id": 2., "status": "Failure", "status_code": "invalid_grant", "severity_id": 3., "user.name": "unknown", "user.uid": nil, "session": nil, "unmapped": nil},
		},
		"logoff": {
			func(l *Log) error {
				return l.Authentication(Authentication{Activity: Logoff, Person: anna, Device: laptop, Session: "s", Why: "handle-reused"})
			},
			map[string]any{"type_uid": 300202., "activity_name": "Logoff", "session.expiration_reason": "handle-reused"},
		},
		"token": {
			func(l *Log) error {
				return l.AuthorizeSession(AuthorizeSession{Person: anna, Device: laptop, Session: "s", Scopes: []string{"postern:attest"}, Ends: 5})
			},
			map[string]any{"class_uid": 3003., "type_uid": 300301., "privileges": []any{"postern:attest"}, "session.expiration_time": 5.},
		},
		"finding": {
			func(l *Log) error {
				return l.ComplianceFinding(ComplianceFinding{Activity: Found, Device: laptop, Person: anna, Code: "org/firewall", Name: "Firewall is on",
					Outcome: api.Fail, Enforced: true, Apps: []string{"wiki"}, Remedy: "Turn it on."})
			},
			map[string]any{
				"class_uid": 2003., "category_uid": 2., "type_uid": 200301., "severity_id": 3., "status": "New", "finding_info.uid": "d1/org/firewall",
				"compliance.control": "org/firewall", "compliance.status_id": 3., "remediation.desc": "Turn it on.", "unmapped.apps": []any{"wiki"}, "unmapped.enforced": true,
			},
		},
		"finding unclear": {
			func(l *Log) error {
				return l.ComplianceFinding(ComplianceFinding{Activity: Changed, Device: laptop, Code: "c", Outcome: api.Unclear, Missing: []string{"disk.system_status"}})
			},
			map[string]any{"compliance.status_id": 2., "compliance.status_details": []any{"disk.system_status"}, "severity_id": 2., "status": "In Progress", "unmapped.user": nil},
		},
		"finding solved": {
			func(l *Log) error {
				return l.ComplianceFinding(ComplianceFinding{Activity: Solved, Device: laptop, Code: "c", Outcome: api.Pass, Enforced: true})
			},
			map[string]any{"compliance.status_id": 1., "severity_id": 1., "status_id": 4.},
		},
		"tunnel": {
			func(l *Log) error {
				return l.TunnelActivity(TunnelActivity{Activity: TunnelClose, Cause: "expired", Tunnel: "t", App: "wiki", Gateway: "g", Device: laptop,
					Person: anna, Session: "s", PublicKey: "pub=", Lease: "l", LeaseEnds: 9})
			},
			map[string]any{
				"class_uid": 4014., "category_uid": 4., "type_uid": 401402., "status_code": "expired", "protocol_name": "WireGuard", "dst_endpoint.uid": "g",
				"dst_endpoint.svc_name": "wiki", "unmapped.wireguard_public_key": "pub=", "unmapped.lease_uid": "l", "unmapped.lease_ends": 9., "unmapped.tunnel_uid": "t",
				"metadata.profiles": nil, "user.name": "anna@example.test",
			},
		},
		"paused": {
			func(l *Log) error {
				return l.TunnelActivity(TunnelActivity{Activity: TunnelClose, Cause: "paused", Detail: strings.Repeat("会", 300), Tunnel: "t", Device: laptop, Person: anna})
			},
			map[string]any{"status_code": "paused", "status_detail": strings.Repeat("会", 266)},
		},
		"pretended": {
			func(l *Log) error {
				return l.TunnelActivity(TunnelActivity{Activity: TunnelClose, Cause: "paused", Detail: "lunch\"}\n{\"status_code\":\"expired", Tunnel: "t", Device: laptop, Person: anna})
			},
			map[string]any{"status_code": "paused", "status_detail": "lunch\"}\n{\"status_code\":\"expired"},
		},
		"verdict": {
			func(l *Log) error {
				return l.DeviceChange(DeviceChange{Device: laptop, Before: api.TierAffirming, After: api.TierContraindicated, Cause: "org/firewall"})
			},
			map[string]any{"class_uid": 5019., "type_uid": 501901., "prev_security_level_id": 1., "security_level_id": 2., "severity_id": 3., "device.is_compliant": false,
				"security_states": []any{map[string]any{"state_id": 23., "state": "Compliance failure"}}, "state_id": 0., "actor": nil},
		},
		"record": {
			func(l *Log) error {
				return l.DeviceChange(DeviceChange{Device: laptop, State: "revoked", Cause: "lost", By: "admin"})
			},
			map[string]any{"state": "revoked", "state_id": 1., "actor.user.name": "admin", "security_level_id": 0., "device.is_compliant": nil, "severity_id": 3.},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := event(t, test.write)
			for path, want := range test.want {
				if d := cmp.Diff(want, at(e, path)); d != "" {
					t.Errorf("%s (-want +got)\n%s", path, d)
				}
			}
			// What OCSF requires of every event.
			for path, want := range map[string]any{
				"time": 1_700_000_000_123., "metadata.version": "1.4.0", "metadata.product.name": "Postern", "metadata.sequence": 1.,
				"category_uid": float64(int(at(e, "class_uid").(float64)) / 1000),
				"type_uid":     at(e, "class_uid").(float64)*100 + at(e, "activity_id").(float64),
			} {
				if d := cmp.Diff(want, at(e, path)); d != "" {
					t.Errorf("%s (-want +got)\n%s", path, d)
				}
			}
			for _, path := range []string{"class_name", "activity_name", "severity", "device.uid"} {
				if s, _ := at(e, path).(string); s == "" || s == "Unknown" {
					t.Errorf("%s is %q", path, s)
				}
			}
		})
	}
}

// A stranger's name neither breaks the line nor makes it long.
func TestStrangeNames(t *testing.T) {
	d := Device{ID: "d", Name: "a\nb\r\"}{" + strings.Repeat("x", 100_000)}
	p := api.Person{Subject: "s", Name: strings.Repeat("ä", 100_000), Groups: make([]string, 10_000)}
	var out bytes.Buffer
	l := New(&out, fixed)
	if err := l.Authentication(Authentication{Activity: Logon, Person: p, Device: d}); err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(out.Bytes(), []byte("\n")); n != 1 || out.Len() > 4000 || !json.Valid(out.Bytes()) {
		t.Fatalf("%d lines, %d bytes, valid %v", n, out.Len(), json.Valid(out.Bytes()))
	}
}

func renew(l *Log, n int) error {
	return l.TunnelActivity(TunnelActivity{Activity: TunnelRenew, Tunnel: fmt.Sprint(n), Device: laptop, Person: anna})
}

func TestConcurrent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, err := Open(path, MaxFile, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 100 {
				if err := renew(l, i*100+n); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	tunnels := map[any]bool{}
	for n, e := range read(t, path) {
		if at(e, "metadata.sequence") != float64(n+1) {
			t.Fatalf("line %d has sequence %v", n+1, at(e, "metadata.sequence"))
		}
		tunnels[at(e, "unmapped.tunnel_uid")] = true
	}
	if len(tunnels) != 800 {
		t.Fatalf("%d of 800 events", len(tunnels))
	}
}

// read parses every line of a file.
func read(t *testing.T, path string) []map[string]any {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]any
	for line := range strings.Lines(string(data)) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, e)
	}
	return all
}

func TestRotation(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.jsonl")
	const max = 5000
	l, err := Open(path, max, fixed)
	if err != nil {
		t.Fatal(err)
	}
	const events = 50
	for n := range events {
		if err := renew(l, n); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > max || runtime.GOOS != "windows" && info.Mode() != fs.FileMode(0o600) {
			t.Errorf("%s: %d bytes, mode %v", e.Name(), info.Size(), info.Mode())
		}
	}
	all := append(read(t, path+".1"), read(t, path)...)
	for i, e := range all {
		if want := float64(events - len(all) + i + 1); at(e, "metadata.sequence") != want {
			t.Fatalf("event %d has sequence %v, want %v", i, at(e, "metadata.sequence"), want)
		}
	}
}

// The file that cannot be put aside goes on, and the caller is told.
func TestRotationBlocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	if err := os.MkdirAll(filepath.Join(path+".1", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := Open(path, 1, fixed)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := renew(l, 0); err != nil {
		t.Fatal(err)
	}
	if err := renew(l, 1); err == nil {
		t.Error("nobody was told")
	}
	data, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(data), `"tunnel_uid":"1"`) {
		t.Errorf("the event is lost: %v %s", err, data)
	}
}

func TestAppendAfterCrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	if err := os.WriteFile(path, []byte(`{"old":1}`+"\n"+`{"cut off`), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Open(path, MaxFile, fixed)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		if err := renew(l, n); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if len(lines) != 4 || lines[1] != `{"cut off` || !json.Valid([]byte(lines[2])) || !json.Valid([]byte(lines[3])) {
		t.Fatalf("%q", lines)
	}
}

// broken fails while it is set, after a part of the line.
type broken struct {
	bytes.Buffer
	err error
}

func (b *broken) Write(line []byte) (int, error) {
	if b.err != nil {
		n, _ := b.Buffer.Write(line[:10])
		return n, b.err
	}
	return b.Buffer.Write(line)
}

func TestWriteError(t *testing.T) {
	w := &broken{err: errors.New("disk full")}
	l := New(w, fixed)
	if err := renew(l, 0); !errors.Is(err, w.err) {
		t.Fatalf("error is %v", err)
	}
	w.err = nil
	if err := renew(l, 1); err != nil {
		t.Fatal(err)
	}
	_, second, _ := strings.Cut(w.String(), "\n")
	if !json.Valid([]byte(second)) {
		t.Fatalf("%q", w.String())
	}
}

func TestOpenRefuses(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // there are no modes
	}
	dir := t.TempDir()
	loose := filepath.Join(dir, "loose")
	if err := errors.Join(os.WriteFile(loose, nil, 0o600), os.Chmod(loose, 0o644), os.Symlink(loose, filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"loose", "link"} {
		if _, err := Open(filepath.Join(dir, name), MaxFile, fixed); !errors.Is(err, files.ErrNotPrivate) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDiscard(t *testing.T) {
	l := Discard()
	if err := errors.Join(renew(l, 1), l.Close()); err != nil {
		t.Fatal(err)
	}
}
