package desktop

import (
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// ErrMissing says that a part is not installed; setup.sh beside this file
// installs it.
var ErrMissing = errors.New("a part of the desktop is not installed: see testfixtures/desktop/setup.sh")

// Options say what the desktop is like. The zero value is a light one.
type Options struct {
	Dark bool // dark colours for panel and menus
	// NoPanel leaves the panel to StartPanel: no tray at first.
	NoPanel bool
}

// Desktop is a screen with a window manager, a session bus and a panel that
// shows tray icons (Xfce's), all its own. Its methods are for one goroutine.
type Desktop struct {
	Tray

	dir      string
	grace    time.Duration // for processes to end by themselves, at the end
	env      []string
	address  string
	bus      *dbus.Conn
	daemon   *Process
	manager  *Process
	panel    *Process
	programs []*Process
}

// Start opens a light desktop that ends with the test. A process that is left
// behind then, in it or started by what ran in it, fails the test.
func Start(t testing.TB) *Desktop {
	t.Helper()
	return StartWith(t, Options{})
}

// StartWith is Start with options.
func StartWith(t testing.TB, o Options) *Desktop {
	t.Helper()
	d, err := Open(artifacts(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { finish(t, d.Screen, d.Close) })
	return d
}

// finish keeps what the screen shows at the end of a test that failed, and
// closes the desktop.
func finish(t testing.TB, s *Screen, end func() error) {
	if t.Failed() {
		if now, err := s.Screenshot(); err == nil {
			s.Keep("at-the-end", now)
		}
		t.Logf("pictures and logs: %s", s.Artifacts)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

// Open opens a desktop that leaves its logs and pictures in a folder; Close ends
// it. It takes about a second on an idle machine.
func Open(artifacts string, o Options) (*Desktop, error) {
	// A short path: sockets lie in it.
	dir, err := os.MkdirTemp("", "desktop-")
	if err != nil {
		return nil, fmt.Errorf("open desktop: %w", err)
	}
	d := &Desktop{dir: dir, grace: grace}
	if err := d.open(artifacts, o); err != nil {
		return nil, errors.Join(fmt.Errorf("open desktop: %w", err), d.Close())
	}
	return d, nil
}

func (d *Desktop) open(artifacts string, o Options) error {
	for _, folder := range []string{"home", "home/.config", "run", "frame"} {
		if err := os.MkdirAll(filepath.Join(d.dir, folder), 0o700); err != nil {
			return err
		}
	}
	if err := writeFile(filepath.Join(d.Home(), ".config", "gtk-3.0", "settings.ini"), []byte(still)); err != nil {
		return err
	}
	d.env = environment(d.dir, o.Dark)
	screen, err := openScreen(filepath.Join(d.dir, "frame"), artifacts, screenSize, d.env)
	if err != nil {
		return err
	}
	d.Tray = Tray{
		Screen: screen, size: IconSize, rest: image.Pt(200, 500),
		// Without the panel's edges.
		bar:  image.Rect(0, 0, screenSize.X, PanelHeight).Inset(3),
		body: image.Rectangle{image.Pt(0, PanelHeight), screenSize},
	}
	d.env = screen.env
	if d.daemon, d.address, err = startBus(d.dir, filepath.Join(artifacts, "bus.log"), d.env); err != nil {
		return err
	}
	d.env = append(d.env, "DBUS_SESSION_BUS_ADDRESS="+d.address)
	if d.bus, err = d.Connect(); err != nil {
		return err
	}
	if err := d.startManager(); err != nil {
		return err
	}
	if err := d.writePanelConfig(o.Dark); err != nil {
		return err
	}
	if err := d.Rest(); err != nil || o.NoPanel {
		return err
	}
	return d.StartPanel()
}

// startManager starts the window manager and waits until it has told the screen
// on which of its workspaces one is (_NET_CURRENT_DESKTOP).
func (d *Desktop) startManager() error {
	var err error
	d.manager, err = launch(filepath.Join(d.Artifacts, "openbox.log"), d.env, "openbox", "--sm-disable")
	if err != nil {
		return err
	}
	return Until("the window manager", Patience, func() (bool, error) {
		err := d.xdotool("get_desktop")
		return err == nil, err
	})
}

// still keeps GTK from moving pictures: something is there or it is not.
const still = "[Settings]\ngtk-enable-animations=0\n"

// screenSize is the size of the screen in pixels.
var screenSize = image.Pt(1024, 600)

// environment keeps what runs in the desktop away from the person's own: no
// variable of this process that names a display, a bus or a folder.
func environment(dir string, dark bool) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		for _, p := range []string{"DISPLAY=", "WAYLAND_", "DBUS_", "XDG_", "HOME=", "GTK_", "GDK_", "QT_", "LANG", "LC_", "SESSION_MANAGER=", "BROWSER="} {
			if strings.HasPrefix(v, p) {
				return true
			}
		}
		return false
	})
	theme := "Adwaita"
	if dark {
		theme = "Adwaita:dark"
	}
	home := filepath.Join(dir, "home")
	return append(env, mark+dir,
		"HOME="+home, "XDG_CONFIG_HOME="+home+"/.config", "XDG_CACHE_HOME="+home+"/.cache",
		"XDG_DATA_HOME="+home+"/.local/share", "XDG_STATE_HOME="+home+"/.local/state",
		"XDG_RUNTIME_DIR="+filepath.Join(dir, "run"), "XDG_CURRENT_DESKTOP=XFCE", "XDG_SESSION_TYPE=x11",
		// No accessibility bus, no dconf, no gvfs: each would leave a service.
		"NO_AT_BRIDGE=1", "GTK_A11Y=none", "GSETTINGS_BACKEND=memory", "GIO_USE_VFS=local",
		"GDK_BACKEND=x11", "GTK_THEME="+theme, "LANG=C.UTF-8")
}

// Env is the environment for a program that is to run in the desktop, with a
// home folder that is empty at first.
func (d *Desktop) Env() []string { return slices.Clone(d.env) }

// Home is the home folder of the desktop's person.
func (d *Desktop) Home() string { return filepath.Join(d.dir, "home") }

// Run starts a program in the desktop, with more variables of the environment
// if wanted. Its output goes to a file among the artifacts. It is ended with the
// desktop, if it still runs then.
func (d *Desktop) Run(env []string, program string, args ...string) (*Process, error) {
	p, err := launch(filepath.Join(d.Artifacts, filepath.Base(program)+".log"), append(d.Env(), env...), program, args...)
	if err == nil {
		d.programs = append(d.programs, p)
	}
	return p, err
}

// Close ends all that runs in the desktop and removes its files. Programs that
// do not end when asked, and processes that are left behind, are an error.
func (d *Desktop) Close() error {
	var err error
	stop := func(p *Process) {
		if p != nil {
			err = errors.Join(err, p.Stop())
		}
	}
	for _, p := range slices.Backward(d.programs) {
		stop(p)
	}
	stop(d.panel)
	stop(d.manager)
	if d.bus != nil {
		d.bus.Close()
	}
	stop(d.daemon)
	if d.Screen != nil {
		stop(d.server)
	}
	return errors.Join(err, sweep(d.dir, d.grace), removeAll(d.dir))
}
