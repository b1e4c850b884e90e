//go:build linux

package vm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-zt/postern/testfixtures/vm/tell"
)

// TestAccelerator: only a processor that says so itself may be used. Machines
// have been seen with /dev/kvm and without either flag.
func TestAccelerator(t *testing.T) {
	for text, want := range map[string]bool{
		"flags\t\t: fpu vmx sse2\nbugs\t\t: svm\n":                         true,
		"flags\t\t: fpu svm\n":                                             true,
		"flags\t\t: fpu sse2 svm_lock\nbugs\t\t: vmx\nvmx flags\t: vnmi\n": false,
		"": false,
	} {
		if hasFlag(text, "vmx", "svm") != want {
			t.Errorf("%q: want %v", text, want)
		}
	}
}

// TestOrder: a module comes after what it needs, each once. A wanted one that is
// not there is built in; one that another needs must be there.
func TestOrder(t *testing.T) {
	found := map[string][]byte{"a": module("b,c-d"), "b": module("c_d"), "c_d": module(""), "x": module("gone")}
	got, err := inOrder(found, []string{"a", "builtin", "b"})
	if err != nil || strings.Join(got, " ") != "c_d b a" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := inOrder(found, []string{"x"}); err == nil {
		t.Errorf("%v without what it needs", got)
	}
	if got, err := inOrder(map[string][]byte{"a": []byte("no module")}, []string{"a"}); err == nil {
		t.Errorf("%v of what is no module", got)
	}
}

// module is an object file with nothing in it but which modules it needs.
func module(needs string) []byte {
	info := "license=GPL\x00depends=" + needs + "\x00"
	names := "\x00.modinfo\x00.shstrtab\x00"
	b := make([]byte, 64, 512)
	copy(b, "\x7fELF\x02\x01\x01") // 64 bits, little-endian, version 1
	put := binary.LittleEndian
	put.PutUint16(b[16:], 1)  // an object
	put.PutUint16(b[18:], 62) // of x86-64
	put.PutUint32(b[20:], 1)
	put.PutUint64(b[40:], uint64(64+len(info)+len(names))) // where the sections' table is
	put.PutUint16(b[52:], 64)
	put.PutUint16(b[58:], 64)
	put.PutUint16(b[60:], 3)
	put.PutUint16(b[62:], 2) // which section has their names
	b = append(b, info+names...)
	for _, s := range [][4]int{{}, {1, 1, 64, len(info)}, {10, 3, 64 + len(info), len(names)}} {
		h := make([]byte, 64)
		put.PutUint32(h[0:], uint32(s[0]))
		put.PutUint32(h[4:], uint32(s[1]))
		put.PutUint64(h[24:], uint64(s[2]))
		put.PutUint64(h[32:], uint64(s[3]))
		b = append(b, h...)
	}
	return b
}

// TestRead: what the firmware writes is passed over, half a document is not.
func TestRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), said)
	for text, want := range map[string]int{
		"": 0, "\x1b[2J noise\n": 0,
		"\x1b[2J\r\n{\"step\":\"started\"}\r\n\r\n{\"step\":\"stick\"}\r\n": 2,
		"\n{\"step\":\"started\"}\n{\"step\":\"st":                          -1,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := read(file)
		if (err != nil) != (want < 0) || err == nil && len(got) != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if complete(nil) == nil || complete([]tell.Document{{Step: tell.Failed, Error: "no disk"}}) == nil {
		t.Error("a machine that said nothing, or that it could not go on, passes")
	}
}

// TestKept: what could not be made does not stay, and another key's does not
// either.
func TestKept(t *testing.T) {
	base := t.TempDir()
	made := 0
	build := func(dir string) error { made++; return os.WriteFile(filepath.Join(dir, "file"), nil, 0o600) }
	if _, err := kept(base, "image", "1", func(dir string) error { return errors.Join(build(dir), os.ErrInvalid) }); err == nil {
		t.Error("what failed counts as made")
	}
	for _, key := range []string{"1", "1", "2"} {
		dir, err := kept(base, "image", key, build)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "file")); err != nil {
			t.Error(err)
		}
	}
	left, err := filepath.Glob(filepath.Join(base, "*"))
	if err != nil || made != 3 || len(left) != 1 {
		t.Errorf("made %d times, left %v, %v", made, left, err)
	}
}

// TestNothingIsLeft: a machine that is given up ends with its TPM, and leaves
// no files.
func TestNothingIsLeft(t *testing.T) {
	if err := check(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	p := parts{kernel: dir, image: dir}
	for _, name := range []string{signedFile, initialFile, cryptFile} {
		if err := os.WriteFile(p.file(name), bytes.Repeat([]byte{0}, sector), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := hardware{name: "none", disk: cryptFile, signed: true, tpm: true}.start(context.Background(), p)
	if err == nil {
		t.Error("a machine without a kernel ran")
	}
	left, globErr := filepath.Glob(filepath.Join(dir, "postern-vm-*"))
	if globErr != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, globErr)
	}
}
