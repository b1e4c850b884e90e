package dist

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/platform/buildinfo"
	"github.com/postern-zt/postern/testfixtures/desktop"
	"github.com/postern-zt/postern/testfixtures/wine"
)

// TestTrayIsHeard has the tray for Windows, a program without a console of its
// own, say something at its start under Wine, and looks where a person would:
// in the console it was started from, else in a box, and in neither if it was
// redirected into a file.
func TestTrayIsHeard(t *testing.T) {
	built := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), buildPatience)
	defer cancel()
	if err := Build(ctx, "windows", "amd64", built, "./tray/cmd/postern-tray", "./testfixtures/dist/starter"); err != nil {
		t.Fatal(err)
	}
	d := desktop.StartWine(t)
	tray, starter := filepath.Join(built, "postern-tray.exe"), filepath.Join(built, "starter.exe")
	for _, tc := range []struct {
		how, arg string
		code     int
		want     string
	}{
		{"console", "--version", 0, buildinfo.Product},
		{"console", "--help", 0, "usage: postern-tray"},
		{"console", "--wrong", 2, "-wrong"},
		{"shared", "--version", 0, buildinfo.Product},
		{"shared", "--wrong", 2, "-wrong"},
		{"alone", "--version", 0, buildinfo.Product},
		{"alone", "--help", 0, "usage: postern-tray"},
		{"alone", "--wrong", 2, "see postern-tray --help"},
	} {
		t.Run(tc.how+tc.arg, func(t *testing.T) {
			code, seen := see(t, d, starter, tc.how, wine.Windows(tray), tc.arg)
			if code != tc.code || !strings.Contains(seen, tc.want) {
				t.Errorf("exit %d, want %d; seen:\n%s", code, tc.code, seen)
			}
		})
	}
	t.Run("second", func(t *testing.T) {
		first, err := d.Run(nil, tray)
		if err != nil {
			t.Fatal(err)
		}
		defer first.Kill()
		if _, err := d.Icon(); err != nil {
			t.Fatal(err)
		}
		if code, seen := see(t, d, starter, "alone", wine.Windows(tray)); code != 0 || !strings.Contains(seen, "it runs already") {
			t.Errorf("a second tray: exit %d, seen:\n%s", code, seen)
		}
	})
	t.Run("redirected", func(t *testing.T) {
		if code, seen := run(t, d, tray, "--wrong"); code != 2 || !strings.Contains(seen, "see postern-tray --help") {
			t.Errorf("exit %d, in the file:\n%s", code, seen)
		}
	})
}

// see has the starter start a program, and gives its exit code and what a person
// saw.
func see(t *testing.T, d *desktop.WineDesktop, starter string, args ...string) (code int, seen string) {
	t.Helper()
	ended, out := run(t, d, starter, args...)
	head, seen, ok := strings.Cut(strings.ReplaceAll(out, "\r", ""), "\n")
	if _, err := fmt.Sscanf(head, "exit %d", &code); err != nil || !ok || ended != 0 {
		t.Fatalf("the starter ended with %d:\n%s", ended, out)
	}
	return code, seen
}

// run runs a program on Wine's desktop with its output in a file, and gives its
// exit code and that.
func run(t *testing.T, d *desktop.WineDesktop, program string, args ...string) (code int, out string) {
	t.Helper()
	log := filepath.Join(d.Artifacts, filepath.Base(program)+".log")
	if err := os.Remove(log); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	p, err := d.Run(nil, program, args...)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Done():
	case <-time.After(5 * desktop.Patience):
		t.Fatalf("%s does not end: %s", program, read(t, log))
	}
	var exit *exec.ExitError
	if err := p.Err(); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return code, read(t, log)
}
