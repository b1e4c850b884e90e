package files

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func TestWriteAndRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	for _, content := range []string{"first", "", strings.Repeat("x", 1<<16)} {
		if err := WriteOwnerOnly(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		got, err := ReadOwnerOnly(path, 1<<16)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != content {
			t.Errorf("read %d bytes, wrote %d", len(got), len(content))
		}
		if got, err := ReadLimited(path, int64(len(content))); err != nil || string(got) != content {
			t.Errorf("ReadLimited at exactly the limit: %d bytes, %v", len(got), err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if hasModes && info.Mode() != 0o600 {
		t.Errorf("mode is %v, want 0600", info.Mode())
	}
	onlyFile(t, dir, "state")
}

// onlyFile checks that no temporary file was left behind.
func onlyFile(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if strings.Join(names, " ") != strings.Join(want, " ") {
		t.Errorf("the folder holds %q, want %q", names, want)
	}
}

func TestWriteFailsWhole(t *testing.T) {
	dir := t.TempDir()
	if err := WriteOwnerOnly(filepath.Join(dir, "missing", "f"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing parent: %v", err)
	}
	// A folder in the way: the rename fails, the temporary file goes.
	if err := os.MkdirAll(filepath.Join(dir, "f", "inside"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteOwnerOnly(filepath.Join(dir, "f"), []byte("x")); err == nil {
		t.Error("wrote over a folder")
	}
	onlyFile(t, dir, "f")
}

func TestWriteReplacesLinkNotTarget(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.WriteFile(target, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := WriteOwnerOnly(link, []byte("ours")); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(target); string(got) != "theirs" {
		t.Errorf("the target of the link now holds %q", got)
	}
	if got, err := ReadOwnerOnly(link, 100); err != nil || string(got) != "ours" {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestCreateOnlyOnce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	errs := make([]error, 16)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = CreateOwnerOnly(path, []byte{byte(i)}) })
	}
	wg.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			t.Errorf("both %d and %d made the file", winner, i)
		case err == nil:
			winner = i
		case !errors.Is(err, fs.ErrExist):
			t.Errorf("caller %d: %v", i, err)
		}
	}
	got, err := ReadOwnerOnly(path, 10)
	if err != nil || winner < 0 || !bytes.Equal(got, []byte{byte(winner)}) {
		t.Errorf("winner %d, file holds %v, %v", winner, got, err)
	}
	onlyFile(t, dir, "key")
}

func TestRemove(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := WriteOwnerOnly(path, nil); err != nil {
		t.Fatal(err)
	}
	if err := Remove(path); err != nil {
		t.Error(err)
	}
	if err := Remove(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removing twice: %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	if !hasModes {
		t.Skip("no permission bits on " + runtime.GOOS)
	}
	dir := t.TempDir()
	file := func(name string, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	private := file("private", 0o600)
	link := filepath.Join(dir, "link")
	if err := os.Symlink(private, link); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, path string
		limit      int64
		want       error
	}{
		{"group readable", file("g", 0o640), 100, ErrNotPrivate},
		{"world readable", file("o", 0o604), 100, ErrNotPrivate},
		{"group writable", file("w", 0o620), 100, ErrNotPrivate},
		{"link", link, 100, ErrNotPrivate},
		{"too large", private, 4, ErrTooLarge},
		{"nothing allowed", private, 0, ErrTooLarge},
		{"missing", filepath.Join(dir, "none"), 100, fs.ErrNotExist},
	} {
		if _, err := ReadOwnerOnly(tc.path, tc.limit); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
	}
	if _, err := ReadOwnerOnly(dir, 100); err == nil {
		t.Error("read a folder")
	}
	if got, err := ReadLimited(link, 5); err != nil || string(got) != "12345" {
		t.Errorf("ReadLimited through a link: %q, %v", got, err)
	}
	if _, err := ReadLimited(private, 4); !errors.Is(err, ErrTooLarge) {
		t.Errorf("ReadLimited over the limit: %v", err)
	}
}

func TestReadLimitedTrustsNoSize(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	got, err := ReadLimited("/proc/self/status", 1<<16)
	if err != nil || !strings.Contains(string(got), "Pid:") {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
	if _, err := ReadLimited("/proc/self/status", 10); !errors.Is(err, ErrTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
}

func TestMkdir(t *testing.T) {
	if !hasModes {
		t.Skip("no permission bits on " + runtime.GOOS)
	}
	dir := t.TempDir()
	private := filepath.Join(dir, "a", "b", "private")
	for range 2 { // the second time it is there
		if err := MkdirOwnerOnly(private); err != nil {
			t.Fatal(err)
		}
	}
	if info, _ := os.Stat(private); info.Mode().Perm() != 0o700 {
		t.Errorf("mode is %v, want 0700", info.Mode())
	}
	shared := filepath.Join(dir, "shared")
	if err := MkdirShared(shared); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(shared); info.Mode().Perm() != 0o755 {
		t.Errorf("mode is %v, want 0755", info.Mode())
	}

	link := filepath.Join(dir, "link")
	if err := os.Symlink(private, link); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused := []string{link, file}
	for _, mode := range []fs.FileMode{0o720, 0o702, 0o777} {
		path := filepath.Join(dir, mode.String())
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		refused = append(refused, path)
	}
	for _, path := range refused {
		if err := MkdirOwnerOnly(path); !errors.Is(err, ErrNotPrivate) {
			t.Errorf("%s was taken: %v", path, err)
		}
	}
}
