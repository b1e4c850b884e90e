package page

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/testfixtures/desktop"
)

// states are all that a person may be shown.
var states = []struct {
	name     string
	scene    func() scene
	headline string // in English
	german   string
}{
	{"healthy", healthy, "3 apps open · device healthy", "3 Anwendungen offen"},
	{"closed", closed, "closed:", "geschlossen:"},
	{"signed-out", signedOut, "Not signed in", "Nicht angemeldet"},
	{"paused", func() scene { return paused("meeting or presentation") }, "Paused until", "Pausiert bis"},
	{"offline", offline, "The broker cannot be reached", "Broker"},
	{"forecast", forecast, "will be required", "verlangt"},
}

// Every state, light and dark, narrow and wide: no rule of axe-core is broken,
// nothing is wider than the window, and it looks as it did.
func TestLooks(t *testing.T) {
	for _, l := range []like{{}, {Dark: true}, {Width: 320}, {Width: 320, Dark: true}} {
		t.Run(nameOf(l), func(t *testing.T) {
			t.Parallel()
			s, tab := newStage(t, healthy(), "en", l)
			dir := artifacts(t)
			for _, state := range states {
				s.agent.show(state.scene())
				tab.says(state.headline)
				tab.good(state.name)
				tab.shot(filepath.Join(dir, state.name+".png"), "")
				if state.name == "healthy" || state.name == "closed" {
					top := filepath.Join(dir, state.name+"-top.png")
					tab.shot(top, "#top")
					if err := desktop.Reference(filepath.Join("reference", state.name+"-"+nameOf(l)+".png"), small(t, top), 0.05); err != nil {
						t.Error(err)
					}
				}
			}
			ask[any](tab, `document.querySelectorAll("details").forEach((d) => { d.open = true; })`)
			tab.good("all open")
			tab.shot(filepath.Join(dir, "all-open.png"), "")
			s.agent.down()
			tab.says("The agent is not running")
			tab.good("agent gone")
			tab.shot(filepath.Join(dir, "agent-gone.png"), "")
			s.agent.owner = ipc.Peer{Known: true, UID: ipc.Self().UID + 1}
			s.agent.up()
			tab.says("Another person is signed in")
			tab.good("other user")
			tab.shot(filepath.Join(dir, "other-user.png"), "")
			tab.pauseDialog()
			s.close()
			tab.says("no longer connected")
			tab.good("page ended")
			tab.shot(filepath.Join(dir, "page-ended.png"), "")
		})
	}
}

// pauseDialog looks at the dialog too.
func (t *tab) pauseDialog() {
	t.s.Helper()
	s := t.s
	s.agent.down()
	s.agent.owner = ipc.Self()
	s.agent.show(healthy())
	s.agent.up()
	t.says("device healthy")
	t.click("#do-pause")
	t.good("dialog")
	t.shot(filepath.Join(artifactsOf(s.T), "dialog.png"), "")
	t.press("Escape")
}

// The same in German, with letters of twice the size, with the colours of a
// person's own, and with neither movement nor a mouse's precision.
func TestLooksOtherwise(t *testing.T) {
	for _, c := range []struct {
		name string
		like like
		big  bool
	}{
		{"narrow", like{Width: 320, Locale: "de-AT", Dark: true}, false},
		{"big", like{Locale: "de-DE"}, true},
		{"big-narrow", like{Width: 320, Locale: "de-DE"}, true},
		{"forced", like{Forced: true, Still: true, Locale: "de-DE"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, tab := newStage(t, healthy(), "de_AT.UTF-8", c.like)
			if got := ask[string](tab, `document.documentElement.lang`); got != "de" {
				t.Errorf("the language is %q", got)
			}
			if c.big {
				ask[any](tab, `document.documentElement.style.fontSize = "200%"`)
			}
			dir := artifacts(t)
			for _, state := range states {
				s.agent.show(state.scene())
				tab.says(state.german)
				tab.narrow(state.name)
				if state.name == "closed" || state.name == "signed-out" {
					tab.kept(state.name)
					tab.shot(filepath.Join(dir, state.name+".png"), "")
				}
				if text := ask[string](tab, `document.body.innerText`); strings.Contains(text, "Application") || strings.Contains(text, "Check again") || strings.Contains(text, "undefined") {
					t.Errorf("%s: not all is German: %s", state.name, text)
				}
			}
			if moves := ask[string](tab, `getComputedStyle(document.querySelector("button")).transitionDuration`); c.like.Still && moves != "0s" {
				t.Errorf("a button moves for %s", moves)
			}
		})
	}
}

// good wants no rule broken and nothing wider than the window.
func (t *tab) good(what string) {
	t.s.Helper()
	t.narrow(what)
	if t.s.like.Dark && t.s.like.Width > 0 {
		return // the structure is that of the light, the colours are those of the wide
	}
	t.kept(what)
}

// kept wants no rule of axe-core broken; of a dark page those of colours, which
// are all that differs.
func (t *tab) kept(what string) {
	t.s.Helper()
	var found struct {
		Passes                 int
		Violations, Incomplete []string
	}
	t.do("axe", map[string]any{"colours": t.s.like.Dark}, &found)
	if least := map[bool]int{false: 15, true: 1}[t.s.like.Dark]; found.Passes < least || len(found.Violations) > 0 {
		t.s.Errorf("%s: %d rules kept, against: %s", what, found.Passes, strings.Join(found.Violations, "\n"))
	}
	for _, line := range found.Incomplete {
		t.s.Logf("%s: to be looked at: %s", what, line)
	}
}

// narrow wants nothing wider than the window.
func (t *tab) narrow(what string) {
	t.s.Helper()
	wide := ask[[]string](t, `[...document.querySelectorAll("body *")].filter((e) => e.id !== "skip" && e.checkVisibility() &&
		(e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().left < -1)).map((e) => e.outerHTML.slice(0, 80))`)
	if len(wide) > 0 || ask[bool](t, `document.documentElement.scrollWidth > document.documentElement.clientWidth`) {
		t.s.Errorf("%s: wider than the window: %q", what, wide)
	}
}

// shot keeps a picture of the whole page, or of an element.
func (t *tab) shot(path, selector string) {
	t.s.Helper()
	t.do("shot", map[string]any{"path": path, "selector": selector}, nil)
}

func nameOf(l like) string {
	name := fmt.Sprintf("light-%d", max(l.Width, 0))
	if l.Width == 0 {
		name = "light-1280"
	}
	if l.Dark {
		name = strings.Replace(name, "light", "dark", 1)
	}
	return name
}

// artifactsOf is the folder for what a test leaves to be looked at: below
// POSTERN_ARTIFACTS, or postern-artifacts in the system's temporary folder.
func artifactsOf(t *testing.T) string {
	root := os.Getenv("POSTERN_ARTIFACTS")
	if root == "" {
		root = filepath.Join(os.TempDir(), "postern-artifacts")
	}
	return filepath.Join(root, "statuspage-"+strings.ReplaceAll(t.Name(), "/", "-"))
}

// artifacts makes that folder; what an earlier run left there is removed.
func artifacts(t *testing.T) string {
	t.Helper()
	dir := artifactsOf(t)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// smaller is by how much a picture is shrunk before it is compared and kept:
// letters become greys.
const smaller = 4

func small(t *testing.T, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	size := m.Bounds().Size().Div(smaller)
	out := image.NewRGBA(image.Rectangle{Max: size})
	for y := range size.Y {
		for x := range size.X {
			var sum [3]uint32
			for i := range smaller * smaller {
				r, g, b, _ := m.At(m.Bounds().Min.X+x*smaller+i%smaller, m.Bounds().Min.Y+y*smaller+i/smaller).RGBA()
				sum[0], sum[1], sum[2] = sum[0]+r>>8, sum[1]+g>>8, sum[2]+b>>8
			}
			const n = smaller * smaller
			out.SetRGBA(x, y, color.RGBA{uint8(sum[0] / n), uint8(sum[1] / n), uint8(sum[2] / n), 255})
		}
	}
	return out
}
