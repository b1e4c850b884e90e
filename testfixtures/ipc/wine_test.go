package ipc

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/postern-zt/postern/testfixtures/wine"
)

// winePatience bounds making a prefix, compiling Go's library and the tests.
const winePatience = 10 * time.Minute

// compile makes a program for Windows of the tests of a room.
func compile(ctx context.Context, t *testing.T, overlay, room, out string) {
	t.Helper()
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", overlay, "-o", out, room)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(cmd.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
}

// TestUnderWine runs the tests of named pipes, and of the local socket on one,
// on Wine's Windows. Wine enforces no security descriptor and no first instance,
// and keeps no level of impersonation; what is enforced in code is tested.
func TestUnderWine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Wine is set up on Linux only")
	}
	ctx, cancel := context.WithTimeout(t.Context(), winePatience)
	defer cancel()
	dir := t.TempDir()
	overlay, err := wine.Overlay(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	pipes, sockets := filepath.Join(dir, "pipes.test.exe"), filepath.Join(dir, "sockets.test.exe")
	compile(ctx, t, overlay, "./platform/ipc", pipes)
	compile(ctx, t, overlay, "./testfixtures/ipc", sockets)
	prefix, err := wine.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := prefix.Close(); err != nil {
			t.Error(err)
		}
	}()
	for program, names := range map[string][]string{
		pipes: {"TestOwnCaller", "TestAnotherProcessIsSeen", "TestDescriptor", "TestSecondListener", "TestNobodyListens", "TestSquatter",
			"TestSilentCallers", "TestDeadlines", "TestClose", "TestHTTPKnowsItsCaller", "TestLoopbackOwner", "TestLoopbackOwnerIsGone",
			"TestClassOfToken", "TestOwningPIDs"},
		sockets: {"TestLocalSocketOnAPipe"},
	} {
		out, err := prefix.Run(ctx, program, "-test.v", "-test.timeout", "5m")
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		for _, name := range names {
			if !bytes.Contains(out, []byte("--- PASS: "+name+" ")) {
				t.Errorf("%s did not pass\n%s", name, out)
			}
		}
	}
}
