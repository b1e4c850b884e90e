package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/platform/files"
)

// The note of a pause is whole, private, bounded, and gone when it was removed.
func TestPauseFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if err := files.MkdirOwnerOnly(dir); err != nil {
		t.Fatal(err)
	}
	p := pauseFile(filepath.Join(dir, "pause.json"))
	if _, err := p.Read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read of none: %v", err)
	}
	if err := p.Remove(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removal of none: %v", err)
	}
	for _, note := range []string{"one", "two"} {
		if err := p.Write([]byte(note)); err != nil {
			t.Fatal(err)
		}
		if got, err := p.Read(); err != nil || string(got) != note {
			t.Errorf("read %q, %v", got, err)
		}
	}
	info, err := os.Stat(string(p))
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := p.Remove(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := os.WriteFile(string(p), make([]byte, state.MaxKeptPause+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Read(); !errors.Is(err, files.ErrTooLarge) {
		t.Errorf("a large file: %v", err)
	}
}
