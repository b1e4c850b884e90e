package secret

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/postern-zt/postern/platform/files"
)

// conform is the contract of every Store; s is empty.
func conform(t *testing.T, s Store) {
	if _, err := s.Get("token"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Get from an empty store: %v", err)
	}
	if err := s.Delete("token"); err != nil {
		t.Errorf("Delete from an empty store: %v", err)
	}
	long := strings.Repeat("n", MaxName)
	values := map[string][]byte{
		"token": []byte("hush"), "0-9": {0, 1, 255, '\n'}, long: bytes.Repeat([]byte{7}, MaxValue), "nul": {}, "-": []byte("x"),
	}
	for name, value := range values {
		if err := s.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range values {
		if got, err := s.Get(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}

	mine := []byte("mine")
	if err := s.Set("token", mine); err != nil {
		t.Fatal(err)
	}
	mine[0] = 'X'
	got, err := s.Get("token")
	if err != nil || string(got) != "mine" {
		t.Errorf("got %q, %v: replaced wrongly or not copied in", got, err)
	}
	got[0] = 'Y'
	if got, _ := s.Get("token"); string(got) != "mine" {
		t.Errorf("got %q: not copied out", got)
	}

	if err := s.Set("token", make([]byte, MaxValue+1)); !errors.Is(err, files.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if got, _ := s.Get("token"); string(got) != "mine" {
		t.Errorf("after a failed Set: %q", got)
	}
	for _, name := range []string{"", ".", "..", "a/b", "../a", "A", "a b", "a_b", "ä", "a\x00", `a\b`, "a.b", long + "n"} {
		if s.Set(name, nil) == nil || s.Delete(name) == nil {
			t.Errorf("took the name %q", name)
		}
		if _, err := s.Get(name); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("Get(%q): %v", name, err)
		}
	}

	for range 2 {
		if err := s.Delete("token"); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Get("token"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Get after Delete: %v", err)
	}
	if _, err := s.Get("nul"); err != nil {
		t.Errorf("Delete took another with it: %v", err)
	}

	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := s.Set("shared", bytes.Repeat([]byte{byte(i)}, 1000)); err != nil {
				t.Error(err)
			}
			got, err := s.Get("shared")
			if err != nil || len(got) != 1000 || !bytes.Equal(got, bytes.Repeat(got[:1], 1000)) {
				t.Errorf("torn: %d bytes, %v", len(got), err)
			}
		})
	}
	wg.Wait()
	if text := fmt.Sprintf("%v %+v %#v", s, s, s); strings.Contains(text, "255") {
		t.Errorf("printed with its values: %s", text)
	}
}

func TestMemory(t *testing.T) {
	s := NewMemory()
	conform(t, s)
	if s.Kind() != "memory" {
		t.Errorf("kind is %q", s.Kind())
	}
}

func TestFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	s, err := OpenFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	conform(t, s)
	if s.Kind() != "file" {
		t.Errorf("kind is %q", s.Kind())
	}
	again, err := OpenFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Get("-"); err != nil || string(got) != "x" {
		t.Errorf("opened again: %q, %v", got, err)
	}
}

func TestFileIsItsOwnersAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits")
	}
	dir := t.TempDir()
	s, err := OpenFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Set("token", []byte("hush")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "secret-token")
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("file is %v, %v; want 0600", info.Mode(), err)
	}
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get("token"); !errors.Is(err, files.ErrNotPrivate) || errors.Is(err, ErrNotFound) {
		t.Errorf("others could read it: %v", err)
	}
	if err := os.Chmod(dir, 0o770); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(dir); !errors.Is(err, files.ErrNotPrivate) {
		t.Errorf("others could write to the folder: %v", err)
	}
}
