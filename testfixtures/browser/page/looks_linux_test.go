package page

import (
	"cmp"
	_ "embed"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/postern-zt/postern/testfixtures/desktop"
)

//go:embed seen.js
var seenScript string

// Rules of axe-core that a look is held against; the checks of seen.js are for
// every look.
const (
	allRules   = "all"
	colours    = "colours" // the structure is that of the looks with all rules
	onlyChecks = ""
)

// look is what a person's browser is like, and what is asked of the page there.
type look struct {
	like
	rules   string
	picture bool // of every state, not only of those that hold most
}

// looksIn are the looks of all states in a language, those with forced colours
// by themselves: a browser's picture keeps the ground of them until the page is
// loaded again. One has movement. German is in the same colours as English.
func looksIn(language string, forced bool) []look {
	switch {
	case forced:
		return []look{
			{like{Still: true, Forced: true}, colours, false}, {like{Still: true, Forced: true, Dark: true, Width: 320}, onlyChecks, false},
		}
	case language == "de":
		return []look{
			{like{Still: true}, onlyChecks, false}, {like{Still: true, Dark: true, Width: 320}, allRules, false},
			{like{Still: true, Big: true, Width: 320}, onlyChecks, false}, {like{Still: true, Spaced: true, Width: 320}, onlyChecks, false},
		}
	}
	return []look{
		{like{}, allRules, true}, {like{Still: true, Spaced: true}, onlyChecks, false},
		{like{Still: true, Contrast: true}, onlyChecks, false},
		{like{Still: true, Dark: true}, allRules, true}, {like{Still: true, Big: true}, onlyChecks, false},
		{like{Still: true, Big: true, Width: 320}, onlyChecks, false}, {like{Still: true, Dark: true, Width: 320}, allRules, true},
		{like{Still: true, Width: 320}, allRules, true}, {like{Still: true, Spaced: true, Width: 320}, onlyChecks, false},
	}
}

// spacing is what a person may set at least, without loss (WCAG 2.2, 1.4.12).
const spacing = `* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; } p { margin-bottom: 2em !important; }`

// Every state, in every look: no rule of axe-core is broken, nothing is lost,
// and it looks as it did.
func TestLooks(t *testing.T) {
	for _, c := range []struct {
		name, language string
		forced         bool
		states         []shown
	}{
		{"answers", "en", false, answers()}, {"others", "en", false, others()}, {"forced", "en", true, slices.Concat(answers(), others())},
		{"german", "de", false, answers()}, {"german-others", "de", false, others()},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, tab := newStage(t, healthy(), map[string]string{"en": "en", "de": "de_AT.UTF-8"}[c.language], like{Locale: c.language})
			s.bad = []string{"410 (Gone)", "ERR_CONNECTION_REFUSED", "401 (Unauthorized)"}
			dir := artifacts(t)
			for _, state := range c.states {
				state.come(s, tab)
				tab.says(map[string]string{"en": state.english, "de": state.german}[c.language])
				tab.until(`[...document.images].every((i) => i.complete)`)
				for _, l := range looksIn(c.language, c.forced) {
					tab.look(l.like)
					tab.good(state.name, c.language, l)
					if l.picture || slices.Contains(holdMost, state.name) {
						tab.pictured(state.name, filepath.Join(dir, state.name+"-"+l.String()+".png"), l)
					}
				}
				if c.language == "de" && state.name != "hostile" {
					tab.german(state.name)
				}
				if state.leave != nil {
					state.leave(s, tab)
				}
			}
		})
	}
}

// holdMost are the states of which there is a picture in every look.
var holdMost = []string{"closed", "all-open", "pause"}

// compared are the states whose top has to look as it did, where a person first
// looks: whatever else changes, it tells good from bad.
var compared = []string{"healthy", "closed"}

// pictured keeps a picture, and compares it with the one that is known.
func (t *tab) pictured(state, path string, l look) {
	t.s.Helper()
	ground := t.shot(path, "")
	m := read(t.s.T, path)
	if want := m.At(m.Bounds().Dx()-1, 0); state != "pause" && fmt.Sprint(color.NRGBAModel.Convert(want)) != fmt.Sprint(ground) {
		t.s.Errorf("%s, %s: the picture has the ground %v, the page %v", state, l, want, ground)
	}
	if !l.picture || !slices.Contains(compared, state) {
		return
	}
	top := strings.TrimSuffix(path, ".png") + "-top.png"
	t.shot(top, "#top")
	if err := desktop.Reference(filepath.Join("reference", state+"-"+l.base()+".png"), small(read(t.s.T, top)), 0.05); err != nil {
		t.s.Error(err)
	}
}

// german wants no word of ours in English.
func (t *tab) german(state string) {
	t.s.Helper()
	text := ask[string](t, `document.body.innerText`)
	for _, bad := range []string{"Application", "Check again", "What ", "This page", "undefined"} {
		if strings.Contains(text, bad) {
			t.s.Errorf("%s: not all is German: %q in %s", state, bad, text)
		}
	}
}

// tall is the height of the window in CSS pixels: what is in a picture.
const tall = 1200

// look changes what the browser is like, under the page that is there.
func (t *tab) look(l like) {
	t.s.Helper()
	if l.Height == 0 {
		l.Height = tall
	}
	t.do("look", map[string]any{"like": l, "spacing": spacing}, nil)
}

// hardest are rules that have something to say of every state: if one of them
// does not, nothing was looked at.
var hardest = map[string][]string{
	allRules: {"color-contrast", "target-size", "region", "heading-order", "landmark-one-main", "page-has-heading-one", "html-has-lang", "document-title", "bypass"},
	colours:  {"color-contrast"},
}

// good wants no rule broken, none that is in doubt, and nothing lost.
func (t *tab) good(state, language string, l look) {
	t.s.Helper()
	var found struct{ Kept, Against, Unsure []string }
	size := map[bool]int{false: 16, true: 32}[l.Big]
	checks := seenScript + with(`({ language: %s, still: %s, size: %s, spaced: %s })`, []any{language, l.Still, size, l.Spaced})
	t.do("audit", map[string]any{"checks": checks, "rules": l.rules}, &found)
	for _, line := range slices.Concat(found.Against, found.Unsure) {
		t.s.Errorf("%s, %s: %s", state, l, line)
	}
	for _, rule := range hardest[l.rules] {
		alone := state == "pause" && !strings.Contains("color-contrast target-size", rule) // behind a dialog nothing is looked at
		if !slices.Contains(found.Kept, rule) && !alone && len(found.Against)+len(found.Unsure) == 0 {
			t.s.Errorf("%s, %s: the rule %s was not looked at", state, l, rule)
		}
	}
}

// shot keeps a picture of the window, or of an element, and gives the colour of
// the page's ground.
func (t *tab) shot(path, selector string) color.NRGBA {
	t.s.Helper()
	var ground string
	t.do("shot", map[string]any{"path": path, "selector": selector}, &ground)
	out := color.NRGBA{A: 255}
	if _, err := fmt.Sscanf(ground, "rgb(%d, %d, %d)", &out.R, &out.G, &out.B); err != nil {
		t.s.Errorf("the ground is %q: %v", ground, err)
	}
	return out
}

// base is the name of the four looks that are compared: "light-1280".
func (l like) base() string {
	return fmt.Sprintf("%s-%d", map[bool]string{false: "light", true: "dark"}[l.Dark], cmp.Or(l.Width, 1280))
}

// String is a look's name: "light-still-1280".
func (l like) String() string {
	name := map[bool]string{false: "light", true: "dark"}[l.Dark]
	for _, more := range []struct {
		on   bool
		name string
	}{{l.Forced, "forced"}, {l.Contrast, "contrast"}, {l.Still, "still"}, {l.Big, "big"}, {l.Spaced, "spaced"}} {
		if more.on {
			name += "-" + more.name
		}
	}
	return fmt.Sprintf("%s-%d", name, cmp.Or(l.Width, 1280))
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

func small(m image.Image) image.Image {
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

func read(t *testing.T, path string) image.Image {
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
	return m
}
