package tray

import (
	"context"
	"errors"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/testfixtures/desktop"
	menu "github.com/postern-zt/postern/tray/view"
)

// TestPanel has the tray wait for a panel, tell what happens meanwhile, and come
// back whenever the panel does.
func TestPanel(t *testing.T) {
	t.Parallel()
	p, w := newPerson(t, desktop.Options{NoPanel: true, Dark: true}), newTwin(t, well())
	w.serve(p)
	process := p.start(w.socket)
	p.onBus()
	w.says(denied())
	told := p.notes.expect("Payroll was closed")
	if !strings.Contains(told.Body, "Switch the encryption on.") {
		t.Errorf("told %+v", told)
	}
	i := slices.Index(told.Actions, "Details…")
	if i < 1 {
		t.Fatalf("the notification can be answered with %q", told.Actions)
	}
	p.notes.click(told.Number, told.Actions[i-1])
	p.opened("http://127.0.0.1:")

	ok(t, p.StartPanel())
	p.find()
	p.wearsOnBus(menu.IconClosed, "Payroll is closed")
	before := must[*image.RGBA](t)(p.Icon())
	must[string](t)(p.Keep("dark", before))
	ok(t, p.RestartPanel())
	p.find()
	p.wearsOnBus(menu.IconClosed, "Payroll is closed")
	if after := must[*image.RGBA](t)(p.Icon()); !desktop.Changed(before, after, image.Rectangle{}).Empty() {
		t.Error("another icon came back")
	}
	ok(t, p.StopPanel())
	w.says(well())
	ok(t, p.StartPanel())
	p.find()
	p.wearsOnBus(menu.IconHealthy, "2 apps open")
	p.chooseByHand("Remove this icon (your access stays as it is)")
	if err := process.Err(); err != nil {
		t.Errorf("the tray ended with %v", err)
	}
	ok(t, p.WaitForNoIcon())
}

// TestNoPanel has the tray tell once that the desktop has no place for it, and
// that what it would show is a click away.
func TestNoPanel(t *testing.T) {
	t.Parallel()
	p, w := newPerson(t, desktop.Options{NoPanel: true}), newTwin(t, well())
	w.serve(p)
	p.start(w.socket)
	told := p.notes.expect(view.NoTray(view.Input{}).Title)
	p.notes.click(told.Number, told.Actions[0])
	p.opened("http://127.0.0.1:")
	ok(t, p.StartPanel())
	p.find()
	p.wears(menu.IconHealthy, "2 apps open")
	p.notes.only(told.Title)
}

// TestSessionEnds takes the session bus away, as at the end of a session: the
// tray ends, too.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	p, w := newPerson(t, desktop.Options{NoPanel: true}), newTwin(t, well())
	w.serve(p)
	tray := p.start(w.socket)
	conn := must[*dbus.Conn](t)(p.Connect())
	defer conn.Close()
	p.onBus()
	var pid uint32
	ok(t, conn.BusObject().Call("org.freedesktop.DBus.GetConnectionUnixProcessID", 0, "org.freedesktop.DBus").Store(&pid))
	ok(t, syscall.Kill(int(pid), syscall.SIGTERM))
	if err := tray.Err(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	said := must[[]byte](t)(os.ReadFile(filepath.Join(p.Artifacts, "postern-tray.log")))
	if strings.Contains(string(said), "postern-tray: ") || strings.Contains(string(said), "panic") {
		t.Errorf("it said %s", said)
	}
}

// TestNoSessionBus has the tray say that there is no desktop, and end.
func TestNoSessionBus(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), desktop.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program("postern-tray"), "--socket", home+"/agent.sock")
	cmd.Env = []string{"HOME=" + home, "PATH=/usr/bin:/bin", "DISPLAY=:4242"}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("it ended with %v, want exit code 3", err)
	}
	const want = "postern-tray: there is no desktop session here.\nhint: use: postern status\n"
	if string(out) != want {
		t.Errorf("it said\n%swant\n%s", out, want)
	}
}

// TestSecondStart has a second tray of the same person leave the first alone.
func TestSecondStart(t *testing.T) {
	t.Parallel()
	p, w := newPerson(t, desktop.Options{NoPanel: true}), newTwin(t, well())
	w.serve(p)
	first := p.start(w.socket)
	p.onBus()
	ctx, cancel := context.WithTimeout(t.Context(), desktop.Patience) // one that stays would never end
	defer cancel()
	cmd := exec.CommandContext(ctx, program("postern-tray"), "--socket", w.socket)
	cmd.Env = append(p.Env(), p.environment()...)
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "postern-tray: it runs already on this desktop.\n" {
		t.Errorf("the second one ended with %v and said %q", err, out)
	}
	select {
	case <-first.Done():
		t.Errorf("the first one ended: %v", first.Err())
	default:
	}
	ok(t, first.Stop())
	if err := first.Err(); err != nil {
		t.Errorf("told to stop, the tray ended with %v", err)
	}
}
