package desktop

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// built is the sample program; with .exe at its end it is the one for Windows.
var built string

// TestMain compiles the sample program, once for all tests.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sample-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	built = filepath.Join(dir, "sample")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	for _, system := range []struct{ name, out, flags string }{{"linux", built, ""}, {"windows", built + ".exe", "-H=windowsgui"}} {
		cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-ldflags="+system.flags, "-o", system.out, "./sample")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system.name, "GOARCH=amd64")
		if text, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build sample for %s: %v\n%s", system.name, err, text)
			return 1
		}
	}
	return m.Run()
}

// diary is the file in which the sample writes what happens.
type diary string

func (f diary) lines() []string {
	data, _ := os.ReadFile(string(f))
	return strings.Fields(string(data))
}

// expect waits until the diary ends with a line.
func (f diary) expect(t *testing.T, line string) {
	t.Helper()
	err := Until("the line "+line, Patience, func() (bool, error) {
		all := f.lines()
		return len(all) > 0 && all[len(all)-1] == line, nil
	})
	if err != nil {
		t.Fatalf("%v; there are %v", err, f.lines())
	}
}

// never fails the test if the diary has a line.
func (f diary) never(t *testing.T, line string) {
	t.Helper()
	if slices.Contains(f.lines(), line) {
		t.Fatalf("the line %s is among %v", line, f.lines())
	}
}

// laps tells how long each step took.
type laps struct {
	t     *testing.T
	began time.Time
	last  time.Time
}

func newLaps(t *testing.T) *laps {
	now := time.Now()
	return &laps{t: t, began: now, last: now}
}

func (l *laps) lap(what string) {
	now := time.Now()
	l.t.Logf("%5d ms  %s (%d ms since the start)", now.Sub(l.last).Milliseconds(), what, now.Sub(l.began).Milliseconds())
	l.last = now
}

// must gives the value, or ends the test.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
