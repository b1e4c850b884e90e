package browser

import (
	"context"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/testfixtures/lab"
)

// scene is one test: a person with an agent and a browser.
type scene struct {
	*testing.T
	ctx    context.Context
	agent  *lab.Agent
	person string
	like   Command // what the browser is like
}

// newScene starts the person's agent. It ends with the test.
func newScene(t *testing.T, person string) *scene {
	t.Helper()
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	s := &scene{T: t, ctx: ctx, person: person, like: Command{Context: t.Name()}}
	var err error
	if s.agent, err = on.world.NewAgent("agent-" + person); err != nil {
		t.Fatal(err)
	}
	if err := s.agent.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.agent.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// login begins a sign-in at a socket, "" for the agent's own.
func (s *scene) login(socket string, more ...string) *Login {
	s.Helper()
	if socket == "" {
		socket = s.agent.Socket()
	}
	l, err := StartLogin(s.ctx, filepath.Join(on.bin, "postern"), socket, more...)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { l.cmd.Process.Kill() }) // has no effect on one that has been waited for
	return l
}

// do has the person's browser do something.
func (s *scene) do(scenario, url string) Report {
	s.Helper()
	c := s.like
	c.Scenario, c.URL, c.User, c.Password = scenario, url, s.person, password
	return s.command(c)
}

func (s *scene) command(c Command) Report {
	s.Helper()
	r, err := on.driver.Do(s.ctx, c)
	if err != nil {
		s.Fatal(err)
	}
	s.clean(r)
	return r
}

// shows wants a page of ours or the provider's with these words.
func (s *scene) shows(r Report, words ...string) {
	s.Helper()
	for _, w := range words {
		if !strings.Contains(r.Page.Text, w) {
			s.Fatalf("%s does not say %q: %s%s", r.Page.URL, w, r.Page.Text, r.Failure)
		}
	}
}

// signedIn waits for the login's end and wants it to have worked.
func (s *scene) signedIn(l *Login) Ended {
	s.Helper()
	e, err := l.Wait()
	if err != nil {
		s.Fatal(err)
	}
	if e.Code != 0 || e.Status.User == nil || e.Status.User.Email != s.person+"@example.test" {
		s.Fatalf("postern login ended with %d, %+v, user %+v", e.Code, e.Error, e.Status.User)
	}
	return e
}

// refused waits for the login's end and wants that code.
func (s *scene) refused(l *Login, code string) Ended {
	s.Helper()
	e, err := l.Wait()
	if err != nil {
		s.Fatal(err)
	}
	if e.Code == 0 || e.Error.Code != code || e.Error.Message == "" {
		s.Fatalf("postern login ended with %d and %+v, want %s", e.Code, e.Error, code)
	}
	return e
}

// clean wants what holds for every report: nothing leaves the machine, and no
// code or state of a redirect is where others see it.
func (s *scene) clean(r Report) {
	s.Helper()
	for _, q := range r.Requests {
		u, err := url.Parse(q.URL)
		if err != nil || u.Scheme != "data" && u.Hostname() != "127.0.0.1" {
			s.Errorf("a request left the machine: %s", q.URL)
		}
		if tells(q.Referer) {
			s.Errorf("the referrer %q of %s tells", q.Referer, q.URL)
		}
	}
	for _, a := range slices.Concat(r.Page.History, r.Page.Entries, []string{r.Page.URL, r.Page.Referrer}, r.Navigated) {
		// The link itself holds a state, at the provider, before it is used.
		if tells(a) && !strings.HasPrefix(a, on.provider.Issuer+"/auth?") {
			s.Errorf("the browser keeps %s", a)
		}
	}
	for _, m := range r.Console {
		if m.Type != "info" && !strings.Contains(m.Text, "the server responded with a status of 40") {
			s.Errorf("console: %s: %s", m.Type, m.Text)
		}
	}
}

// tells reports whether an address holds what a redirect carries.
func tells(address string) bool {
	return strings.Contains(address, "code=") || strings.Contains(address, "state=")
}

// stateOf is the state in a login's link.
func stateOf(t *testing.T, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil || u.Query().Get("state") == "" {
		t.Fatalf("%s has no state: %v", link, err)
	}
	return u.Query().Get("state")
}
