package tray

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/testfixtures/desktop"
	"github.com/postern-zt/postern/tray/view"
)

// TestTexts holds whole menus, as a panel reads them, against what they are to
// be. POSTERN_UPDATE=1 writes what they are.
func TestTexts(t *testing.T) {
	for _, c := range []struct {
		name, language, icon string
		st                   localapi.Status
		agent                []string
	}{
		{"english", "en_GB.UTF-8", view.IconClosed, denied(), nil},
		{"german", "de_DE.UTF-8", view.IconClosed, denied(), nil},
		{"older-agent", "C.UTF-8", view.IconHealthy, changed(func(st *localapi.Status) { st.API = 0 }), []string{"--level", "1"}},
		{"another-person", "C.UTF-8", view.IconSignedOut, well(), []string{"--foreign"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, w := newPerson(t, desktop.Options{}), newTwin(t, c.st)
			w.serve(p, c.agent...)
			p.start(w.socket, "LANG="+c.language)
			p.find()
			p.wears(c.icon, "Postern: ")
			got := must[*desktop.Entry](t)(p.item.Layout()).String()
			path := filepath.Join("testdata", c.name+".txt")
			if os.Getenv("POSTERN_UPDATE") != "" {
				ok(t, os.WriteFile(path, []byte(got), 0o644))
			}
			if want := must[[]byte](t)(os.ReadFile(path)); string(want) != got {
				t.Errorf("the menu is\n%swant\n%s", got, want)
			}
			must[string](t)(p.Keep("menu", p.menuSeen()))
			switch c.name {
			case "older-agent":
				p.olderAgent(w)
			case "another-person":
				p.refused()
			}
		})
	}
}

// olderAgent uses what an older agent can do.
func (p *person) olderAgent(w *twin) {
	p.t.Helper()
	p.choose("Wiki & docs_1 – open", "Open")
	p.opened("http://127.0.0.1:4001/")
	// Nothing here copies without another program: the address is there to be
	// read, and to be copied on the page.
	if text := p.shows("127.0.0.1:4001").String(); strings.Contains(text, "Copy") {
		p.t.Errorf("there is an entry that copies in\n%s", text)
	}
	p.choose("Wiki & docs_1 – open", "127.0.0.1:4001")
	if url := p.opened("http://127.0.0.1:"); !strings.HasSuffix(url, ".apps") {
		p.t.Errorf("the browser got %q", url)
	}
	p.choose("Details…")
	p.opened("http://127.0.0.1:")
	p.choose("Signed in as Kim Sample", "Sign out")
	w.did("sign out")
	p.notes.only()
}

// refused uses each entry that there is when the agent refuses.
func (p *person) refused() {
	p.t.Helper()
	p.choose("Ask the agent again")
	p.choose("Details…")
	p.opened("http://127.0.0.1:")
	p.choose("About Postern", "Details…")
	if url := p.opened("http://127.0.0.1:"); !strings.HasSuffix(url, ".about") {
		p.t.Errorf("the browser got %q", url)
	}
	p.notes.only()
}
