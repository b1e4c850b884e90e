package wine

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"testing"
)

// testWatching runs the tests of platform/watch on Wine's Windows: ends of
// processes, registry, files. Go's library is patched where Wine 8 lacks what
// it needs to delete folders.
func testWatching(t *testing.T, b *bench) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dir := t.TempDir()
	overlay, err := Overlay(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "watch.test.exe")
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", overlay, "-o", program, "./platform/watch")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(cmd.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := b.prefix.Run(ctx, program, "-test.v", "-test.timeout", "2m")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"TestProcessEnds", "TestRegistry", "TestFilesOfWindows", "TestWhatWindowsDoesNotTell"} {
		if !bytes.Contains(out, []byte("--- PASS: "+name)) {
			t.Errorf("%s did not pass\n%s", name, out)
		}
	}
}
