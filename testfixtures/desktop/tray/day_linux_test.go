package tray

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/testfixtures/desktop"
	"github.com/postern-zt/postern/testfixtures/lab"
)

// TestDay is a day of somebody who has the tray, with the real agent and
// broker: signed out, in, something wrong, well again, a pause, the end.
func TestDay(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPerson(t, desktop.Options{})
	ok(t, w.agent.Start(t.Context()))
	p.start(w.agent.Socket())
	p.find()
	p.wears(view.MoodSignedOut, "Not signed in")
	if text := p.shows("Sign in…", "Not signed in").String(); strings.Contains(text, "Pause access") || strings.Contains(text, "Wiki") {
		t.Errorf("somebody who is not signed in has the menu\n%s", text)
	}
	p.choose("Sign in…")
	p.opened("http")
	p.shows("Signing in …", "Cancel the sign-in")
	p.choose("Cancel the sign-in")
	p.shows("Not signed in")
	p.choose("Sign in…")
	page := p.opened("http")
	p.shows("Signing in …", "Cancel the sign-in")
	w.signIn(page)
	signedIn := time.Now()
	p.wears(view.MoodHealthy, "2 apps open")
	menu := p.shows("Wiki – ", "Status – ", "Pause access", "Signed in as")
	t.Logf("the menu of a healthy device:\n%s", menu)

	p.opens(w)
	p.details(w)
	p.checksByHand()
	p.drifts(w, signedIn)
	well := p.notes.expect("All is well again")
	if !strings.Contains(well.Body, "Wiki") {
		t.Errorf("told %+v", well)
	}
	p.pauses()
	p.choose("Signed in as "+who(menu), "Sign out")
	p.wears(view.MoodSignedOut, "Not signed in")
	p.notes.only("Wiki was closed", "All is well again")
}

// who is the person whom a menu says to be signed in.
func who(menu *desktop.Entry) string {
	for _, e := range menu.Entries {
		if name, found := strings.CutPrefix(e.Text, "Signed in as "); found {
			return name
		}
	}
	return ""
}

// settled is for how long after a sign-in nobody is told of what closes: it may
// be part of the sign-in (client/view).
const settled = 10 * time.Second

// drifts ends the endpoint security product and starts it again.
func (p *person) drifts(w *world, signedIn time.Time) {
	p.t.Helper()
	killed := time.Now()
	ok(p.t, w.alive.Kill())
	p.wears(view.MoodClosed, "Wiki is closed")
	closed := w.revoked()
	shown := p.heard.first(p.t, "NewIcon", killed)
	p.t.Logf("the agent closed %d ms after the kill", closed.Sub(killed).Milliseconds())
	inTime(p.t, "from the agent's closing to the icon", shown.Sub(closed))
	menu := p.shows("Wiki – closed", "Start the Test EDR again.", "Status – ")
	p.t.Logf("the menu of a device in trouble:\n%s", menu)
	shot := must[string](p.t)(p.Keep("closed", p.menuSeen()))
	p.t.Logf("as it is drawn: %s", shot)
	told := p.notes.expect("Wiki was closed")
	if !told.Urgent || !strings.Contains(told.Body, "Start the Test EDR again.") || len(strings.Fields(told.Body)) < 8 {
		p.t.Errorf("told %+v", told)
	}
	due := closed
	if first := signedIn.Add(settled); first.After(due) {
		due = first
	}
	inTime(p.t, "from the agent's closing, or ten seconds after the sign-in, to the notification", told.At.Sub(due))
	w.alive = must[*lab.Running](p.t)(w.StartEDR(w.edr))
	p.wears(view.MoodHealthy, "2 apps open")
	p.shows("Wiki – ")
}

// opens opens an application in the browser.
func (p *person) opens(w *world) {
	p.t.Helper()
	app, err := w.agent.App(p.t.Context(), "wiki")
	ok(p.t, err)
	for _, e := range p.shows("Wiki").Entries {
		if strings.HasPrefix(e.Text, "Wiki – ") {
			p.choose(e.Text, "Open")
		}
	}
	if got := p.opened("http"); got != app.URL || got == "" {
		p.t.Errorf("the browser got %q, the wiki is at %q", got, app.URL)
	}
}

// details opens the status page and reads it as the browser would.
func (p *person) details(w *world) {
	p.t.Helper()
	p.choose("Details…")
	link := must[*url.URL](p.t)(url.Parse(p.opened("http://127.0.0.1:")))
	token, section, _ := strings.Cut(link.Fragment, ".")
	link.Fragment = ""
	if token == "" || section != "" {
		p.t.Fatalf("the link has the fragment %q", link.Fragment)
	}
	html := answer(p.t, http.MethodGet, link.String(), "", nil, http.StatusOK)
	if !strings.Contains(html, "page.js") || strings.Contains(html, "Wiki") {
		p.t.Errorf("without a session the page is\n%s", html)
	}
	enter := link.JoinPath("api/enter").String()
	body := fmt.Sprintf(`{"token":%q}`, token)
	var in struct{ Session string }
	ok(p.t, json.Unmarshal([]byte(answer(p.t, http.MethodPost, enter, "", strings.NewReader(body), http.StatusOK)), &in))
	answer(p.t, http.MethodPost, enter, "", strings.NewReader(body), http.StatusUnauthorized)
	state := link.JoinPath("api/state").String()
	answer(p.t, http.MethodGet, state, "", nil, http.StatusUnauthorized)
	var shown struct{ View view.View }
	ok(p.t, json.Unmarshal([]byte(answer(p.t, http.MethodGet, state, in.Session, nil, http.StatusOK)), &shown))
	if v := shown.View; v.Mood != view.MoodHealthy || len(v.Apps) != 2 || v.Person == "" {
		p.t.Errorf("the page shows %+v", v)
	}
}

// answer asks as the page's script does and gives the body of the answer.
func answer(t testing.TB, method, address, session string, body io.Reader, want int) string {
	t.Helper()
	req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), method, address, body))
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if session != "" {
		req.Header.Set("Postern-Session", session)
	}
	res := must[*http.Response](t)(http.DefaultClient.Do(req))
	defer res.Body.Close()
	data := must[[]byte](t)(io.ReadAll(res.Body))
	if res.StatusCode != want {
		t.Fatalf("%s %s: %s, want %d\n%s", method, req.URL.Path, res.Status, want, bytes.TrimSpace(data))
	}
	return string(data)
}

// checksByHand has everything read again by a click of the mouse.
func (p *person) checksByHand() {
	p.t.Helper()
	p.chooseByHand("Check again")
	p.shows("Read again at ", " signals")
}

// pauses pauses and resumes, of which nobody has to be told.
func (p *person) pauses() {
	p.t.Helper()
	p.choose("Pause access", "15 minutes", "meeting or presentation")
	p.wears(view.MoodSignedOut, "Paused until ")
	p.shows("Wiki – paused", "Status – paused", "meeting or presentation", "Resume now")
	p.choose("Resume now")
	p.wears(view.MoodHealthy, "2 apps open")
}
