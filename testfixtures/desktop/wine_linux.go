package desktop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/postern-zt/postern/testfixtures/wine"
)

// wineSize is the size of Wine's desktop, and of the screen.
var wineSize = image.Pt(1024, 700)

// wineSeed has every program run on one desktop of Wine's, by the name with
// which it gets a taskbar with a notification area.
const wineSeed = `Windows Registry Editor Version 5.00

[HKEY_CURRENT_USER\Software\Wine\Explorer]
"Desktop"="shell"

[HKEY_CURRENT_USER\Software\Wine\Explorer\Desktops]
"shell"="%dx%d"
`

const (
	taskbarHeight = 20 // in pixels, of Wine 8
	wineIcon      = 16
)

// WineDesktop is a screen with a desktop of Wine's and its taskbar, in a prefix
// of its own. Its methods are for one goroutine.
type WineDesktop struct {
	Tray

	dir      string
	prefix   *wine.Prefix
	env      []string
	explorer *Process
	programs []*Process
}

// StartWine opens a desktop of Wine's that ends with the test. The first one on
// a machine takes half a minute, as it makes the prefix.
func StartWine(t testing.TB) *WineDesktop {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*Patience)
	defer cancel()
	d, err := OpenWine(ctx, artifacts(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { finish(t, d.Screen, d.Close) })
	return d
}

// OpenWine opens a desktop of Wine's that leaves its logs and pictures in a
// folder; Close ends it. It waits while another process has one.
func OpenWine(ctx context.Context, artifacts string) (*WineDesktop, error) {
	dir, err := os.MkdirTemp("", "desktop-wine-")
	if err != nil {
		return nil, fmt.Errorf("open wine's desktop: %w", err)
	}
	d := &WineDesktop{dir: dir}
	if err := d.open(ctx, artifacts); err != nil {
		return nil, errors.Join(fmt.Errorf("open wine's desktop: %w", err), d.Close())
	}
	return d, nil
}

func (d *WineDesktop) open(ctx context.Context, artifacts string) error {
	env := append(environment(d.dir, false), "WINEDEBUG=-all", "WINEARCH=win64", "WINEDLLOVERRIDES=mscoree,mshtml=;winemenubuilder.exe=")
	screen, err := openScreen(d.dir, artifacts, wineSize, env)
	if err != nil {
		return err
	}
	edge := wineSize.Y - taskbarHeight
	d.Tray = Tray{
		Screen: screen, size: wineIcon, rest: image.Pt(200, 300),
		// The right half: at the left are the buttons of windows.
		bar:  image.Rect(wineSize.X/2, edge, wineSize.X, wineSize.Y).Inset(1),
		body: image.Rect(0, 0, wineSize.X, edge),
	}
	path, err := d.openPrefix(ctx)
	if err != nil {
		return err
	}
	d.env = append(screen.env, "WINEPREFIX="+path)
	if err := d.Rest(); err != nil {
		return err
	}
	d.explorer, err = launch(filepath.Join(artifacts, "explorer.log"), d.env, "wine", "explorer",
		fmt.Sprintf("/desktop=shell,%dx%d", wineSize.X, wineSize.Y))
	if err != nil {
		return err
	}
	d.bare, err = d.waitFor("wine's taskbar", taskbarDrawn)
	return err
}

// taskbarDrawn says whether the taskbar is on the screen: at the lower edge, in
// another colour than the desktop above it, which is no longer black.
func taskbarDrawn(m *image.RGBA) bool {
	x, y := m.Bounds().Dx()/2, m.Bounds().Dy()
	above := m.RGBAAt(x, y-2*taskbarHeight)
	return above != m.RGBAAt(x, y-taskbarHeight/2) && int(above.R)+int(above.G)+int(above.B) > 0
}

// openPrefix has testfixtures/wine make or open a prefix, and gives its path,
// which Wine is asked for. It lies in a cache folder of this package's own, so
// that the tests of both can run at the same time.
func (d *WineDesktop) openPrefix(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	cache = filepath.Join(cache, "postern-desktop")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", fmt.Errorf("make folder of prefix: %w", err)
	}
	const folder = "XDG_CACHE_HOME"
	before, set := os.LookupEnv(folder)
	os.Setenv(folder, cache)
	d.prefix, err = wine.Open(ctx)
	if os.Unsetenv(folder); set {
		os.Setenv(folder, before)
	}
	if err != nil {
		return "", err
	}
	out, err := d.prefix.Run(ctx, "winepath", "-u", `C:\`)
	if err != nil {
		return "", err
	}
	// <prefix>/dosdevices/c:/
	path := filepath.Dir(filepath.Dir(filepath.Clean(strings.TrimSpace(string(out)))))
	// The registry as it was when the prefix was last closed.
	registry, err := os.ReadFile(filepath.Join(path, "user.reg"))
	if err != nil {
		return "", fmt.Errorf("read registry: %w", err)
	}
	if bytes.Contains(registry, []byte(`"Desktop"="shell"`)) {
		return path, nil
	}
	seed := filepath.Join(d.dir, "desktop.reg")
	if err := writeFile(seed, fmt.Appendf(nil, wineSeed, wineSize.X, wineSize.Y)); err != nil {
		return "", err
	}
	return path, d.prefix.Import(ctx, seed)
}

// Run starts a program for Windows, by its path on this system, on the desktop,
// with more variables of the environment if wanted. Files among its arguments go
// through wine.Windows. Its output goes to a file among the artifacts, if it is
// built with a console. It is ended with the desktop, if it still runs then.
func (d *WineDesktop) Run(env []string, program string, args ...string) (*Process, error) {
	log := filepath.Join(d.Artifacts, filepath.Base(program)+".log")
	p, err := launch(log, append(slices.Clone(d.env), env...), "wine", append([]string{program}, args...)...)
	if err == nil {
		d.programs = append(d.programs, p)
	}
	return p, err
}

// Close ends all that runs in the prefix, and the screen, and removes what was
// written but the prefix. Processes that are left behind are an error.
func (d *WineDesktop) Close() error {
	var err error
	if d.prefix != nil {
		err = d.prefix.Close() // ends every program in it
	}
	for _, p := range append(d.programs, d.explorer) {
		if p != nil && !p.ended(grace) {
			err = errors.Join(err, p.Stop())
		}
	}
	if d.Screen != nil {
		err = errors.Join(err, d.server.Stop())
	}
	return errors.Join(err, sweep(d.dir, grace), removeAll(d.dir))
}
