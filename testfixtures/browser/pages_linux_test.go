package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/loopback"
)

// shotsName is a folder for pictures of the pages, "" for none.
const shotsName = "POSTERN_BROWSER_SHOTS"

// Every page of the receiver, in English, light and wide, and in German, dark
// and narrow: readable, without a complaint of axe-core.
func TestPages(t *testing.T) {
	for _, like := range []Command{{Locale: "en-GB"}, {Locale: "de-AT", Dark: true, Width: 320}} {
		name := fmt.Sprintf("%s-%d-%v", like.Locale, like.Width, like.Dark)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			like.Context = t.Name()
			s := &scene{T: t, ctx: ctx, like: like}
			s.pagesOf(aPage{"nothing", "/"}, aPage{"other", "/callback?code=c&state=guess"},
				aPage{"done", "/callback?code=c&state=st"}, aPage{"used", "/callback?code=other&state=st"})
			s.pagesOf(aPage{"failed", "/callback?error=access_denied&state=st"})
		})
	}
}

// aPage is where a receiver shows a page.
type aPage struct{ name, path string }

// pagesOf looks at pages of one receiver, one after another.
func (s *scene) pagesOf(pages ...aPage) {
	s.Helper()
	r, err := loopback.Listen()
	if err != nil {
		s.Fatal(err)
	}
	defer r.Close()
	got := make(chan error, 1)
	go func() { _, err := r.Wait(s.ctx, "st"); got <- err }()
	base := strings.TrimSuffix(r.RedirectURI(), "/callback")
	seen := map[string]bool{}
	for _, page := range pages {
		s.do(ScenarioOpen, base+page.path)
		c := s.like
		c.Scenario = ScenarioAudit
		if dir := os.Getenv(shotsName); dir != "" {
			c.Screenshot = filepath.Join(dir, strings.ReplaceAll(s.Name(), "/", "-")+"-"+page.name+".png")
		}
		report := s.command(c)
		if len(report.Violations) > 0 || report.Audited == 0 {
			s.Errorf("%s: %d rules kept, against: %s", page.name, report.Audited, strings.Join(report.Violations, "\n"))
		}
		p := report.Page
		if p.Wide || p.Lang != s.like.Locale[:2] || seen[p.Text] || strings.Contains(p.URL, "?") {
			s.Errorf("%s at %s: wider than its window: %v, lang %q, words %q", page.name, p.URL, p.Wide, p.Lang, p.Text)
		}
		seen[p.Text] = true
	}
	if err := <-got; err != nil {
		s.Error(err)
	}
}
