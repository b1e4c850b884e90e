package desk

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
	menu "github.com/postern-zt/postern/tray/view"
)

// agent is a twin of the agent's client.
type agent struct {
	mu      sync.Mutex
	status  localapi.Status
	err     error
	changed chan struct{}
	did     []string
	asked   int
	refuse  error
	check   chan struct{} // holds a check until closed
	hears   chan struct{} // told of each thing that is done; may be nil
}

func (a *agent) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
	a.status.Revision++
	close(a.changed)
	a.changed = make(chan struct{})
}

func (a *agent) WaitStatus(ctx context.Context, after int64, wait time.Duration) (localapi.Status, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		a.mu.Lock()
		a.asked++
		st, err, changed := a.status, a.err, a.changed
		a.mu.Unlock()
		if err != nil || st.Revision != after || wait == 0 {
			return st, err
		}
		select {
		case <-changed:
		case <-timer.C:
			return st, nil
		case <-ctx.Done():
			return st, ctx.Err()
		}
	}
}

func (a *agent) note(what string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.did = append(a.did, what)
	select {
	case a.hears <- struct{}{}:
	default:
	}
	return a.refuse
}

func (a *agent) Posture(context.Context) (localapi.Reading, error) { return localapi.Reading{}, nil }
func (a *agent) Timeline(context.Context) (localapi.Timeline, error) {
	return localapi.Timeline{}, nil
}
func (a *agent) Sent(context.Context) (localapi.Sent, error) { return localapi.Sent{}, nil }
func (a *agent) Check(ctx context.Context) (localapi.Checked, error) {
	if a.check != nil {
		select {
		case <-a.check:
		case <-ctx.Done():
		}
	}
	return localapi.Checked{Attested: true, Signals: []localapi.Reread{{Name: "disk", After: time.Now()}}}, a.note("check")
}
func (a *agent) Pause(_ context.Context, p localapi.PauseRequest) (localapi.Status, error) {
	return localapi.Status{}, a.note("pause " + p.Reason)
}
func (a *agent) Resume(context.Context) (localapi.Status, error) {
	return localapi.Status{}, a.note("resume")
}
func (a *agent) SignOut(context.Context) (localapi.Status, error) {
	return localapi.Status{}, a.note("sign out")
}
func (a *agent) StartSignIn(_ context.Context, in localapi.SignInRequest) (localapi.SignIn, error) {
	asked := "start"
	if in.Switch {
		asked = "start as somebody else"
	}
	return localapi.SignIn{ID: "id", URL: "https://idp.example/", State: "s"}, a.note(asked)
}
func (a *agent) FinishSignIn(context.Context, localapi.Finish) (localapi.Status, error) {
	return localapi.Status{}, a.note("finish")
}
func (a *agent) CancelSignIn(context.Context, string) (localapi.Status, error) {
	return localapi.Status{}, a.note("cancel")
}

func well() localapi.Status {
	return localapi.Status{Revision: 1, API: localapi.API, State: localapi.StateCompliant, User: &localapi.User{Name: "Ada"}, Device: localapi.Device{Enrolled: true},
		Broker: localapi.Broker{URL: "https://broker.example", Reachable: true},
		Apps:   []localapi.App{{ID: "wiki", Name: "Wiki", State: localapi.AppReady, URL: "http://127.0.0.1:4000/", LocalAddress: "127.0.0.1:4000"}}}.Filled()
}

// lab is a desk on a twin, in a bubble of its own time.
type lab struct {
	*Desk
	t     *testing.T
	agent *agent
	mu    sync.Mutex
	menus []menu.Menu
	told  []view.Notice
	did   []string
}

func inLab(t *testing.T, st localapi.Status, change func(*Options), test func(*lab)) {
	synctest.Test(t, func(t *testing.T) {
		l := &lab{t: t, agent: &agent{status: st, changed: make(chan struct{})}}
		note := func(what string) error {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.did = append(l.did, what)
			return nil
		}
		o := Options{Agent: l.agent, Base: view.Input{Language: "en", System: "linux", Version: "1"},
			Draw: func(m menu.Menu) { l.mu.Lock(); defer l.mu.Unlock(); l.menus = append(l.menus, m) },
			Tell: func(_ context.Context, n view.Notice) error {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.told = append(l.told, n)
				return nil
			},
			Open:    func(_ context.Context, url string) error { return note("open " + url) },
			Fix:     func(_ context.Context, page string) error { return note("fix " + page) },
			Details: func(_ context.Context, section string) error { return note("details " + section) },
			Copy:    func(text string) error { return note("copy " + text) },
			Quit:    func() { note("quit") },
		}
		if change != nil {
			change(&o)
		}
		l.Desk = New(o)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); l.Run(ctx) }()
		synctest.Wait()
		test(l)
		cancel()
		<-done
	})
}

func (l *lab) last() menu.Menu {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.menus) == 0 {
		l.t.Fatal("no menu was drawn")
	}
	return l.menus[len(l.menus)-1]
}

func (l *lab) choose(kind, argument string) {
	l.Choose(context.Background(), menu.Action{Kind: kind, Argument: argument})
	synctest.Wait()
}

func (l *lab) happened(want ...string) {
	l.t.Helper()
	l.mu.Lock()
	got := slices.Concat(l.did, l.agent.did)
	l.did = nil
	l.mu.Unlock()
	l.agent.mu.Lock()
	l.agent.did = nil
	l.agent.mu.Unlock()
	if !slices.Equal(got, want) {
		l.t.Errorf("happened %q, want %q", got, want)
	}
}

func TestFirstMenuIsATrueOne(t *testing.T) {
	a := &agent{status: well(), changed: make(chan struct{})}
	d := New(Options{Agent: a, Base: view.Input{Language: "en", System: "linux"}})
	if m := d.First(t.Context()); m.Icon != menu.IconHealthy || len(m.Items) == 0 {
		t.Errorf("%+v", m)
	}
	a.err = localapi.ErrNotRunning
	if m := d.First(t.Context()); m.Icon != menu.IconOffline || len(m.Items) == 0 {
		t.Errorf("%+v", m)
	}
}

func TestFollows(t *testing.T) {
	inLab(t, well(), nil, func(l *lab) {
		if m := l.last(); m.Icon != menu.IconHealthy {
			t.Fatalf("at first %+v", m)
		}
		l.agent.set(func() {
			l.agent.status.State = localapi.StateNotCompliant
			l.agent.status.Apps = []localapi.App{{ID: "wiki", Name: "Wiki", State: localapi.AppDenied, Reasons: []string{"org/disk"}}}
		})
		synctest.Wait()
		if m := l.last(); m.Icon != menu.IconClosed {
			t.Errorf("closed: %+v", m)
		}
		if len(l.told) != 1 || !strings.Contains(l.told[0].Title, "Wiki") {
			t.Errorf("told %+v", l.told)
		}
	})
}

// While nothing changes, nothing is drawn, and the agent is asked once a minute.
func TestIdle(t *testing.T) {
	inLab(t, well(), nil, func(l *lab) {
		menus := len(l.menus)
		l.agent.mu.Lock()
		asked := l.agent.asked
		l.agent.mu.Unlock()
		time.Sleep(time.Hour) // of the bubble's clock
		synctest.Wait()
		l.agent.mu.Lock()
		defer l.agent.mu.Unlock()
		if n := l.agent.asked - asked; n > 61 || len(l.menus) > menus {
			t.Errorf("asked %d times in an hour, drew %d menus", n, len(l.menus)-menus)
		}
	})
}

// longestLook is how soon an agent is found that comes where nothing tells of
// its coming (Windows), however long there was none. It is the promise, and not
// the constant that keeps it.
const longestLook = 2 * time.Second

// TestAgentIsLookedForAtOnce: one that is only restarted is found sooner.
func TestAgentIsLookedForAtOnce(t *testing.T) {
	inLab(t, well(), nil, func(l *lab) {
		for range 3 {
			l.agent.set(func() { l.agent.err = localapi.ErrNotRunning })
			synctest.Wait()
			if m := l.last(); m.Icon != menu.IconOffline {
				t.Errorf("gone: %+v", m)
			}
			time.Sleep(400 * time.Millisecond)
			l.agent.set(func() { l.agent.err = nil })
			time.Sleep(600 * time.Millisecond)
			synctest.Wait()
			if m := l.last(); m.Icon != menu.IconHealthy {
				t.Error("a second after its end it is there and not shown")
			}
		}
	})
}

func TestAgentGoesAndComes(t *testing.T) {
	inLab(t, well(), nil, func(l *lab) {
		l.agent.set(func() { l.agent.err = localapi.ErrNotRunning })
		synctest.Wait()
		if m := l.last(); m.Icon != menu.IconOffline {
			t.Errorf("gone: %+v", m)
		}
		time.Sleep(10 * time.Minute)
		if len(l.told) != 1 {
			t.Errorf("told %+v", l.told)
		}
		l.agent.set(func() { l.agent.err = nil })
		time.Sleep(longestLook)
		synctest.Wait()
		if m := l.last(); m.Icon != menu.IconHealthy {
			t.Errorf("back: %+v", m)
		}
		// Another user's agent is asked rarely, and at once when somebody wants it.
		l.agent.set(func() { l.agent.err = &localapi.Refused{Code: localapi.CodeNotOwner} })
		synctest.Wait()
		l.agent.set(func() { l.agent.err = nil })
		l.choose(menu.DoRetry, "")
		if m := l.last(); m.Icon != menu.IconHealthy {
			t.Errorf("asked again: %+v", m)
		}
	})
}

func TestChoices(t *testing.T) {
	inLab(t, well(), nil, func(l *lab) {
		for _, tc := range []struct{ kind, argument, want string }{
			{menu.DoOpenApp, "wiki", "open http://127.0.0.1:4000/"},
			{menu.DoCopyApp, "wiki", "copy 127.0.0.1:4000"},
			{menu.DoFix, "firewall", "fix firewall"},
			{menu.DoDetails, "apps", "details apps"},
			{menu.DoQuitTray, "", "quit"},
			{menu.DoSignOut, "", "sign out"},
			{menu.DoResume, "", "resume"},
		} {
			l.choose(tc.kind, tc.argument)
			l.happened(tc.want)
		}
		l.choose(menu.DoOpenApp, "payroll")
		l.choose(menu.DoPause, "for ever")
		l.happened()
		for _, m := range pauses(l.last().Items) {
			l.choose(m.Do.Kind, m.Do.Argument)
		}
		if n := len(l.agent.did); n != 12 || !strings.HasPrefix(l.agent.did[0], "pause ") {
			t.Errorf("pauses: %q", l.agent.did)
		}
		if len(l.told) != 0 {
			t.Errorf("told of what the person did: %+v", l.told)
		}
	})
}

func pauses(items []menu.Item) []menu.Item {
	var out []menu.Item
	for _, i := range items {
		if i.Do.Kind == menu.DoPause {
			out = append(out, i)
		}
		out = append(out, pauses(i.Items)...)
	}
	return out
}

func TestCheckShowsProof(t *testing.T) {
	inLab(t, well(), nil, func(l *lab) {
		l.agent.check = make(chan struct{})
		before := l.last()
		l.choose(menu.DoCheck, "")
		busy := l.last()
		close(l.agent.check)
		synctest.Wait()
		after := l.last()
		if before.Equal(busy) || busy.Equal(after) || before.Equal(after) {
			t.Error("the menu does not show that it was read again")
		}
	})
}

// led is where a browser that is given the address ends up, or why nowhere.
func led(address string) string {
	hc := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := hc.Get(address)
	if err != nil {
		return "the sign-in is over"
	}
	res.Body.Close()
	return res.Header.Get("Location")
}

// The receiver of a sign-in listens on the real loopback, which no bubble knows.
func TestSignInIsOneAtATime(t *testing.T) {
	a := &agent{status: localapi.Status{Revision: 1, State: localapi.StateSignedOut}.Filled(), changed: make(chan struct{}), hears: make(chan struct{}, 16)}
	opened := make(chan string, 8)
	d := New(Options{Agent: a, Base: view.Input{Language: "en", System: "linux"}, Draw: func(menu.Menu) {},
		Tell: func(_ context.Context, n view.Notice) error { opened <- "told " + n.Title; return nil },
		Open: func(_ context.Context, url string) error { go func() { opened <- led(url) }(); return nil }})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	choose := func(kind string) { d.Choose(ctx, menu.Action{Kind: kind}) }
	want := func(what string) {
		t.Helper()
		select {
		case got := <-opened:
			if got != what {
				t.Fatalf("got %q, want %q", got, what)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("no %q; the agent heard %q", what, a.heard())
		}
	}
	choose(menu.DoSignIn)
	choose(menu.DoSignIn)
	want("https://idp.example/")
	choose(menu.DoCancel)
	for !slices.Equal(a.heard(), []string{"start", "cancel"}) {
		a.waitHeard(t)
	}
	// The sign-in before may still be on its way out, and until it is, another
	// is not begun.
	for again := true; again; {
		choose(menu.DoSwitch)
		select {
		case url := <-opened:
			again = url != "https://idp.example/"
		case <-time.After(20 * time.Millisecond):
		}
	}
	if got := a.heard(); !slices.Equal(got, []string{"start", "cancel", "start as somebody else"}) {
		t.Errorf("the agent heard %q", got)
	}
	cancel()
	<-done
	select {
	case more := <-opened:
		t.Errorf("and then %q", more)
	default:
	}
}

func (a *agent) heard() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.did)
}

// waitHeard waits until the agent hears one thing more.
func (a *agent) waitHeard(t *testing.T) {
	t.Helper()
	select {
	case <-a.hears:
	case <-time.After(20 * time.Second):
		t.Fatalf("the agent heard only %q", a.heard())
	}
}

func TestWhatFailsIsTold(t *testing.T) {
	inLab(t, well(), func(o *Options) {
		o.Copy = nil
		o.Open = func(context.Context, string) error { return errors.New("exec /usr/bin/secret") }
	}, func(l *lab) {
		l.agent.refuse = &localapi.Refused{Code: "org/why", Message: "The broker is at lunch."}
		l.choose(menu.DoResume, "")
		l.choose(menu.DoCheck, "")
		l.choose(menu.DoOpenApp, "wiki")
		l.choose(menu.DoCopyApp, "wiki")
		if len(l.told) != 4 || !strings.Contains(l.told[0].Body, "lunch") || strings.Contains(l.told[2].Body, "secret") {
			t.Errorf("told %+v", l.told)
		}
	})
}

func TestNoticeChosen(t *testing.T) {
	inLab(t, well(), nil, func(l *lab) {
		for choice, want := range map[string]string{"": "details ", view.ChoiceDetails: "details ", "fix:firewall": "fix firewall", "nonsense": "details "} {
			l.NoticeChosen(context.Background(), choice)
			synctest.Wait()
			l.happened(want)
		}
	})
}
