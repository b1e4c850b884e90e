package wine

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// testPersonsRooms runs the tests of what a person's programs use on Wine's
// Windows: the clipboard, the shell that opens settings, toasts that are missing.
func testPersonsRooms(t *testing.T, b *bench) {
	for room, tests := range map[string][]string{
		"clipboard": {"TestCopy", "TestCopyRefused", "TestCopyWaits"},
		"settings":  {"TestShellOpensAddress", "TestNoPageOnWindows"},
		"notify":    {"TestOpenWindows", "TestRegister", "TestStrings", "TestHandler"},
	} {
		t.Run(room, func(t *testing.T) { testRoom(t, b, "./platform/"+room, tests...) })
	}
}

// testRoom runs the tests of a room, of which these must pass.
func testRoom(t *testing.T, b *bench, room string, tests ...string) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dir := t.TempDir()
	overlay, err := Overlay(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, filepath.Base(room)+".test.exe")
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", overlay, "-o", program, room)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(cmd.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := b.prefix.Run(ctx, program, "-test.v", "-test.timeout", "2m", "-test.run", "^("+strings.Join(tests, "|")+")$")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range tests {
		if !bytes.Contains(out, []byte("--- PASS: "+name)) {
			t.Errorf("%s did not pass\n%s", name, out)
		}
	}
}
