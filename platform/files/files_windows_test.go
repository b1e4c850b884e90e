package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// scanner opens a file as a virus scanner does, so that it can be neither
// replaced nor removed, and lets go when told.
func scanner(t *testing.T, path string) (letGo func()) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return func() { f.Close() }
}

// A scanner that looks at a file does not keep it from being replaced and
// removed when it has finished.
func TestScannerIsWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := WriteOwnerOnly(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"replace", func() error { return WriteOwnerOnly(path, []byte("new")) }},
		{"remove", func() error { return Remove(path) }},
	} {
		letGo := scanner(t, path)
		done := make(chan error, 1)
		go func() { done <- step.do() }()
		select {
		case err := <-done:
			letGo()
			t.Errorf("%s: %v, while somebody has the file open", step.name, err)
			continue
		case <-time.After(20 * breather):
		}
		letGo()
		if err := <-done; err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

// One that does not let go costs the writing, but not what was there.
func TestScannerThatStays(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "token")
	if err := WriteOwnerOnly(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	letGo := scanner(t, path)
	defer letGo()
	if err := WriteOwnerOnly(path, []byte("new")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
	if data, err := ReadOwnerOnly(path, 100); err != nil || string(data) != "old" {
		t.Errorf("it holds %q, %v", data, err)
	}
	onlyFile(t, dir, "token")
}
