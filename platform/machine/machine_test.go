package machine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/postern-zt/postern/platform/osexec"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFiles(t *testing.T) {
	m := New(Config{})
	ctx := t.Context()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	write(t, file, []byte("content"))
	if err := os.Symlink("file", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if got := string(m.System()); got != runtime.GOOS {
		t.Errorf("system %s", got)
	}
	if data, err := m.ReadFile(ctx, filepath.Join(dir, "link")); err != nil || string(data) != "content" {
		t.Errorf("read %q, %v", data, err)
	}
	if names, err := m.ReadDir(ctx, dir); err != nil || len(names) != 2 || names[0] != "file" || names[1] != "link" {
		t.Errorf("list %v, %v", names, err)
	}
	if target, err := m.ReadLink(ctx, filepath.Join(dir, "link")); err != nil || target != "file" {
		t.Errorf("link %q, %v", target, err)
	}
	if info, err := m.Stat(ctx, filepath.Join(dir, "link")); err != nil || info.Size != 7 || !info.Mode.IsRegular() {
		t.Errorf("stat %+v, %v", info, err)
	}
	write(t, file, bytes.Repeat([]byte("x"), evidence.MaxFile+10))
	if data, err := m.ReadFile(ctx, file); err != nil || len(data) != evidence.MaxFile {
		t.Errorf("read %d bytes, %v; want them cut at %d", len(data), err, evidence.MaxFile)
	}
}

func TestReasons(t *testing.T) {
	m := New(Config{Commands: osexec.List{"gone": {"/nowhere/gone"}}})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	reads := map[string]func(ctx context.Context, path string) error{
		"read":   func(ctx context.Context, p string) error { _, err := m.ReadFile(ctx, p); return err },
		"list":   func(ctx context.Context, p string) error { _, err := m.ReadDir(ctx, p); return err },
		"follow": func(ctx context.Context, p string) error { _, err := m.ReadLink(ctx, p); return err },
		"stat":   func(ctx context.Context, p string) error { _, err := m.Stat(ctx, p); return err },
		"hash":   func(ctx context.Context, p string) error { _, err := m.SHA256(ctx, p); return err },
	}
	for name, read := range reads {
		if err := read(t.Context(), filepath.Join(dir, "missing")); evidence.ReasonOf(err) != fact.ReasonNotFound {
			t.Errorf("%s of a missing file: %v", name, err)
		}
		if err := read(ended, dir); evidence.ReasonOf(err) != fact.ReasonTimeout {
			t.Errorf("%s after the end: %v", name, err)
		}
		var e *evidence.Error
		if err := read(t.Context(), filepath.Join(dir, "missing")); !errors.As(err, &e) {
			t.Errorf("%s: %T is no *evidence.Error", name, err)
		}
	}
	for _, name := range []string{"read", "hash"} {
		if err := reads[name](t.Context(), dir); evidence.ReasonOf(err) != fact.ReasonUnreadable {
			t.Errorf("%s of a folder: %v", name, err)
		}
	}
	if _, err := m.Processes(ended); evidence.ReasonOf(err) != fact.ReasonTimeout {
		t.Errorf("processes after the end: %v", err)
	}
	if _, err := m.Run(t.Context(), "gone"); evidence.ReasonOf(err) != fact.ReasonToolMissing {
		t.Errorf("missing command: %v", err)
	}
	if _, err := m.Run(t.Context(), "sh", "-c", "true"); evidence.ReasonOf(err) != fact.ReasonUnsupported {
		t.Errorf("command that is not allowed: %v", err)
	}
}

func TestCommandsAreAbsolute(t *testing.T) {
	for name, paths := range Commands() {
		for _, p := range paths {
			if p[0] != '/' && p[1:3] != `:\` {
				t.Errorf("%s: %q is not an absolute path", name, p)
			}
		}
	}
}

func TestSHA256IsReadAgainAfterEveryChange(t *testing.T) {
	m := New(Config{})
	file := filepath.Join(t.TempDir(), "program")
	old := time.Now().Add(-time.Hour)
	for i, content := range []string{"first", "other", "third", "third and more"} {
		if i == 2 { // another file under the same name
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
		write(t, file, []byte(content))
		if err := os.Chtimes(file, old, old); err != nil { // the same mtime each time
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(content))
		for range 3 {
			got, err := m.SHA256(t.Context(), file)
			if err != nil || got != hex.EncodeToString(sum[:]) {
				t.Fatalf("digest of %q is %s, %v", content, got, err)
			}
		}
	}
}
