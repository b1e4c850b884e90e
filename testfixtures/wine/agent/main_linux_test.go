package agent

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
	"github.com/postern-zt/postern/testfixtures/lab"
	"github.com/postern-zt/postern/testfixtures/wine"
)

const (
	// patience bounds every wait; nothing takes a tenth of it on an idle machine.
	patience = 2 * time.Minute
	// buildPatience bounds compiling, the first time also of Go's library.
	buildPatience = 15 * time.Minute
)

// here is what all tests share: the programs and the Windows they run on.
var here struct {
	bin     string // programs of this system, for the lab
	windows string // programs for Windows, as they ship
	mended  string // posternd.exe with UDP that works under Wine 8
	overlay string // what that one was built with
	pc      *computer
	took    string // how long all that took
}

// root is the top of the tree.
var root = filepath.Join("..", "..", "..")

// TestMain compiles the programs and opens the prefix, once for all tests.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "wine-agent-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), buildPatience)
	defer cancel()
	began := time.Now()
	if err := build(ctx, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	built := time.Since(began)
	if here.pc, err = openComputer(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	here.took = fmt.Sprintf("programs in %d ms, Wine in %d ms", built.Milliseconds(), (time.Since(began) - built).Milliseconds())
	code := m.Run()
	if err := here.pc.close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// build compiles for both systems side by side.
func build(ctx context.Context, dir string) error {
	here.bin, here.windows, here.mended = filepath.Join(dir, "linux"), filepath.Join(dir, "windows"), filepath.Join(dir, "mended")
	for _, d := range []string{here.bin, here.windows, here.mended} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return err
		}
	}
	var err error
	if here.overlay, err = wine.Overlay(ctx, dir); err != nil {
		return err
	}
	var work sync.WaitGroup
	var forLinux, forWindows error
	work.Go(func() { forLinux = lab.Build(ctx, root, here.bin) })
	work.Go(func() {
		forWindows = errors.Join(
			dist.Build(ctx, "windows", "amd64", here.windows, "./client/cmd/posternd", "./client/cmd/postern", "./testfixtures/wine/agent/visitor"),
			compile(ctx, here.mended, []string{"-overlay", here.overlay}, "./client/cmd/posternd"))
	})
	work.Wait()
	return errors.Join(forLinux, forWindows)
}

// compile builds programs for Windows into a folder.
func compile(ctx context.Context, dir string, flags []string, programs ...string) error {
	args := append([]string{"build", "-buildvcs=false", "-trimpath", "-o", dir + string(filepath.Separator)}, flags...)
	return forWindows(ctx, append(args, programs...)...)
}

// forWindows runs the go command for Windows.
func forWindows(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0", "GOOS=windows", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %v for windows: %w\n%s", args, err, out)
	}
	return nil
}

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
