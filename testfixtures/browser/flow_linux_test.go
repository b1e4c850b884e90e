package browser

import (
	"strings"
	"testing"
)

// A person signs in; then goes back, forward, and loads the last page again.
func TestSignIn(t *testing.T) {
	s := newScene(t, "alice")
	l := s.login("")
	r := s.do(ScenarioSignIn, l.URL)
	s.shows(r, "Almost there", "Go back to where you began")
	if !strings.HasSuffix(r.Page.URL, "/done") || r.Page.Lang != "en" {
		t.Errorf("the last page is %s in %q", r.Page.URL, r.Page.Lang)
	}
	taken := 0
	for _, q := range r.Requests {
		if strings.Contains(q.URL, "/callback?") && strings.Contains(q.URL, "code=") {
			taken++
		}
	}
	if taken != 1 {
		t.Errorf("%d redirects with a code: %+v", taken, r.Requests)
	}
	s.signedIn(l)
}

// Somebody else signs in where the provider remembers the person before: it
// asks who, and who is signed in stays so until that has worked.
func TestSomebodyElse(t *testing.T) {
	s := newScene(t, "shared")
	l := s.login("")
	s.do(ScenarioSignIn, l.URL)
	s.signedIn(l)
	again := s.login("")
	s.shows(s.do(ScenarioOpen, again.URL), "Almost there") // nobody is asked
	s.signedIn(again)

	given := s.login("", "--switch")
	s.shows(s.do(ScenarioOpen, given.URL), "User name")
	if err := given.Interrupt(); err != nil {
		t.Fatal(err)
	}
	s.refused(given, "cancelled")
	if st, err := s.agent.Status(s.ctx); err != nil || st.User == nil || st.User.Email != "shared@example.test" {
		t.Errorf("after a change that was given up the user is %+v, %v", st.User, err)
	}

	other := s.login("", "--switch")
	s.person = "colleague"
	s.shows(s.do(ScenarioSignIn, other.URL), "Almost there")
	s.signedIn(other)
}

// The tab goes back and forward after a sign-in: the page says that it is over,
// and nothing is used twice.
func TestBackAndReload(t *testing.T) {
	s := newScene(t, "back")
	l := s.login("")
	s.do(ScenarioSignIn, l.URL)
	signedIn := s.signedIn(l)
	before := len(on.provider.Codes())
	again := s.do(ScenarioReload, "")
	if again.Failure != "ERR_CONNECTION_REFUSED" || !strings.HasSuffix(again.Page.History[again.Page.Current], "/done") {
		t.Errorf("loading the last page again after the login's end: %s %v", again.Failure, again.Page.History)
	}
	back := s.do(ScenarioBack, "")
	s.shows(back, "This page is over", "Begin again")
	forward := s.do(ScenarioForward, "")
	if forward.Failure != "ERR_CONNECTION_REFUSED" {
		t.Errorf("forward leads to %s", forward.Page.URL)
	}
	st, err := s.agent.Status(s.ctx)
	if err != nil || st.User == nil || *st.User != *signedIn.Status.User {
		t.Errorf("the session is %+v now, was %+v: %v", st.User, signedIn.Status.User, err)
	}
	if len(on.provider.Codes()) < before {
		t.Error("codes were lost")
	}
}

// Without script, in German, in the dark, in a narrow window.
func TestWrongPasswordThenRight(t *testing.T) {
	s := newScene(t, "wrong")
	s.like.Locale, s.like.Dark, s.like.Width, s.like.NoScript = "de-DE", true, 320, true
	l := s.login("")
	c := s.like
	c.Scenario, c.URL, c.User, c.Password = ScenarioSignIn, l.URL, s.person, "a guess"
	s.shows(s.command(c), "User name or password is wrong")
	if st, err := s.agent.Status(s.ctx); err != nil || st.User != nil {
		t.Errorf("with a wrong password: user %+v, %v", st.User, err)
	}
	r := s.do(ScenarioFill, "")
	s.shows(r, "Fast geschafft", "Gehen Sie dorthin zurück, wo Sie begonnen haben")
	if r.Page.Lang != "de" || r.Page.Wide || r.Page.Background == "rgb(245, 246, 248)" {
		t.Errorf("lang %q, wider than the window: %v, background %s", r.Page.Lang, r.Page.Wide, r.Page.Background)
	}
	s.signedIn(l)
}

// The tab is closed: the login waits, and its link works once more.
func TestClosedTab(t *testing.T) {
	s := newScene(t, "closed")
	l := s.login("")
	s.shows(s.do(ScenarioOpen, l.URL), "User name")
	s.do(ScenarioCloseTab, "")
	if st, err := s.agent.Status(s.ctx); err != nil || st.User != nil {
		t.Errorf("user %+v, %v", st.User, err)
	}
	s.shows(s.do(ScenarioSignIn, l.URL), "Almost there")
	s.signedIn(l)
}

// Ctrl-C gives the sign-in up; what the browser then brings finds nobody, and
// a new sign-in works.
func TestCancel(t *testing.T) {
	s := newScene(t, "cancel")
	l := s.login("")
	s.shows(s.do(ScenarioOpen, l.URL), "User name")
	if err := l.Interrupt(); err != nil {
		t.Fatal(err)
	}
	s.refused(l, "cancelled")
	if r := s.unreached(ScenarioFill); r.Failure != "ERR_CONNECTION_REFUSED" {
		t.Errorf("after Ctrl-C the browser comes to %s: %s", r.Page.URL, r.Page.Text)
	}
	next := s.login("")
	r := s.do(ScenarioOpen, next.URL) // the provider's session lets the person pass
	s.shows(r, "Almost there")
	s.signedIn(next)
}

// unreached does what ends at a receiver that is gone. The browser then shows
// the address that it could not reach: the code in it cannot be used, as the
// agent has forgotten the verifier.
func (s *scene) unreached(scenario string) Report {
	s.Helper()
	c := s.like
	c.Scenario, c.User, c.Password = scenario, s.person, password
	r, err := on.driver.Do(s.ctx, c)
	if err != nil {
		s.Fatal(err)
	}
	return r
}

// The provider says no, or that it is in trouble: plain words here and there.
func TestErrorOfTheProvider(t *testing.T) {
	for person, want := range map[string]string{"denied": "may not sign in", "broken": "trouble of its own"} {
		t.Run(person, func(t *testing.T) {
			s := newScene(t, person)
			l := s.login("")
			r := s.do(ScenarioSignIn, l.URL)
			s.shows(r, "Sign-in not completed", "it says why")
			if strings.Contains(r.Page.Text, person) || strings.Contains(r.Page.URL, "error") {
				t.Errorf("the page passes on what the provider said: %s: %s", r.Page.URL, r.Page.Text)
			}
			e := s.refused(l, "signin_refused")
			if !strings.Contains(e.Error.Message, want) || !strings.Contains(e.Error.Message, person+" is not let in by this provider") {
				t.Errorf("postern login says %q", e.Error.Message)
			}
			if e.Error.Hint == "" {
				t.Error("there is no hint")
			}
		})
	}
}

// The browser's page is left for too long: the provider says so, and the same
// link works again.
func TestExpiredAtTheProvider(t *testing.T) {
	s := newScene(t, "expired")
	l := s.login("")
	s.shows(s.do(ScenarioOpen, l.URL), "User name")
	if err := on.provider.Expire(s.ctx, stateOf(t, l.URL)); err != nil {
		t.Fatal(err)
	}
	s.shows(s.do(ScenarioFill, ""), "This page is over", "Begin again")
	s.shows(s.do(ScenarioSignIn, l.URL), "Almost there")
	s.signedIn(l)
}

// The agent was restarted meanwhile and knows nothing of the sign-in: it says
// to begin again, and that works.
func TestExpiredAtTheAgent(t *testing.T) {
	s := newScene(t, "restart")
	l := s.login("")
	s.shows(s.do(ScenarioOpen, l.URL), "User name")
	if err := s.agent.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.agent.Start(s.ctx); err != nil {
		t.Fatal(err)
	}
	s.shows(s.do(ScenarioFill, ""), "Almost there", "it says when you are signed in")
	e := s.refused(l, "signin_unknown")
	if !strings.Contains(e.Error.Message+e.Error.Hint, "again") {
		t.Errorf("postern login says %+v", e.Error)
	}
	next := s.login("")
	s.shows(s.do(ScenarioOpen, next.URL), "Almost there")
	s.signedIn(next)
}

// Nobody signs in within the time for it.
func TestLate(t *testing.T) {
	s := newScene(t, "late")
	hasty := newProxy(t, s.agent.Socket())
	hasty.life = 1500
	l := s.login(hasty.socket)
	s.shows(s.do(ScenarioOpen, l.URL), "User name")
	e := s.refused(l, "signin_timed_out")
	if !strings.Contains(e.Error.Hint, "again") {
		t.Errorf("postern login says %+v", e.Error)
	}
	if r := s.unreached(ScenarioFill); r.Failure != "ERR_CONNECTION_REFUSED" {
		t.Errorf("the browser comes to %s: %s", r.Page.URL, r.Page.Text)
	}
	if st, err := s.agent.Status(s.ctx); err != nil || st.User != nil {
		t.Errorf("user %+v, %v", st.User, err)
	}
}

// Two tabs with the same link: the first wins, the second is told.
func TestSecondTab(t *testing.T) {
	s := newScene(t, "second")
	slow := newProxy(t, s.agent.Socket())
	slow.hold = make(chan struct{})
	l := s.login(slow.socket)
	s.shows(s.do(ScenarioSignIn, l.URL), "Almost there")
	select {
	case <-slow.finishing: // the login has the code, and hands it over
	case <-s.ctx.Done():
		t.Fatal("the login does not finish")
	}
	second := s.do(ScenarioOpen, l.URL) // the provider's session lets the person pass
	s.shows(second, "Used already", "answered in another tab")
	if !strings.HasSuffix(second.Page.URL, "/used") {
		t.Errorf("the second tab is at %s", second.Page.URL)
	}
	s.shows(s.do(ScenarioReload, ""), "Used already")
	close(slow.hold)
	s.signedIn(l)
}
