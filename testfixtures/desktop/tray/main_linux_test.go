package tray

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/postern-zt/postern/testfixtures/dist"
)

// built is the folder of the programs: those of the lab, postern-tray and the
// agent beside this file, and of the last two those for Windows.
var built string

// TestMain compiles the programs, once for all tests.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if built, err = os.MkdirTemp("", "tray-programs-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(built)
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	if err := build(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// build compiles for both systems side by side.
func build(ctx context.Context) error {
	const tray, agent = "./tray/cmd/postern-tray", "./testfixtures/desktop/tray/agent"
	var work sync.WaitGroup
	var forLinux, forWindows error
	work.Go(func() {
		forLinux = compile(ctx, "linux", "", "./broker/cmd/postern-broker", "./client/cmd/posternd", "./client/cmd/postern", "./testfixtures/cmd/demo-edr", tray, agent)
	})
	// The tray as it ships; the agent without a console, too.
	work.Go(func() {
		forWindows = errors.Join(dist.Build(ctx, "windows", "amd64", built, tray), compile(ctx, "windows", "-H=windowsgui", agent))
	})
	work.Wait()
	return errors.Join(forLinux, forWindows)
}

func compile(ctx context.Context, system, flags string, programs ...string) error {
	args := append([]string{"build", "-buildvcs=false", "-trimpath", "-ldflags=" + flags, "-o", built + string(filepath.Separator)}, programs...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = filepath.Join("..", "..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build programs for %s: %w\n%s", system, err, out)
	}
	return nil
}

// program is the path of a program that was built.
func program(name string) string { return filepath.Join(built, name) }

// must gives the value, or ends the test.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
