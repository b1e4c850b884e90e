package desk

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
	menu "github.com/postern-zt/postern/tray/view"
)

// shown keeps which notices are on the screen, as a desktop does.
func shown(on map[string]view.Notice) func(*Options) {
	return func(o *Options) {
		o.Tell = func(_ context.Context, n view.Notice) error { on[n.ID] = n; return nil }
		o.Withdraw = func(_ context.Context, id string) error { delete(on, id); return nil }
	}
}

func (l *lab) closes(app string) {
	l.agent.set(func() {
		l.agent.status.State = localapi.StateNotCompliant
		l.agent.status.Apps = []localapi.App{{ID: app, Name: app, State: localapi.AppDenied, Reasons: []string{"org/disk"}}}
	})
	synctest.Wait()
}

func TestNoticesGoWithThePerson(t *testing.T) {
	signedOut := func(a *agent) {
		a.status.State, a.status.User, a.status.Apps = localapi.StateSignedOut, nil, nil
	}
	for name, change := range map[string]func(*agent){
		"nobody": signedOut,
		"another": func(a *agent) {
			was := a.status.Revision
			a.status = well()
			a.status.User.Subject, a.status.Revision = "eve", was
		},
		"another's user": func(a *agent) { a.err = &localapi.Refused{Code: localapi.CodeNotOwner} },
	} {
		t.Run(name, func(t *testing.T) {
			on := map[string]view.Notice{}
			st := well()
			st.User.Subject = "ada"
			inLab(t, st, shown(on), func(l *lab) {
				l.closes("wiki")
				if len(on) != 1 {
					t.Fatalf("on the screen: %+v", on)
				}
				l.agent.set(func() { change(l.agent) })
				synctest.Wait()
				for _, n := range on {
					if strings.Contains(n.Title+n.Body, "wiki") {
						t.Errorf("still on the screen: %+v", n)
					}
				}
				if _, told := on["sign-in"]; told != (name == "nobody") {
					t.Errorf("on the screen: %+v", on)
				}
			})
		})
	}
	on := map[string]view.Notice{}
	st := well()
	st.User.Subject = "ada"
	inLab(t, st, shown(on), func(l *lab) {
		l.closes("wiki")
		l.agent.set(func() { l.agent.err = localapi.ErrNotRunning })
		time.Sleep(10 * time.Minute)
		if len(on) != 2 { // nobody knows whose session it is by now
			t.Errorf("the agent is gone, and on the screen is %+v", on)
		}
	})
}

// Somebody else signs in with another program, and with it the applications
// change: that is nothing to tell them of.
func TestAnotherPersonIsNotToldOfTheOnesBefore(t *testing.T) {
	on := map[string]view.Notice{}
	st := well()
	st.User.Subject = "ada"
	inLab(t, st, shown(on), func(l *lab) {
		l.choose(menu.DoCheck, "")
		if !slices.ContainsFunc(l.last().Items, func(i menu.Item) bool { return i.ID == "check.proof" }) {
			t.Fatal("no proof")
		}
		l.agent.set(func() {
			l.agent.status = well()
			l.agent.status.User.Subject = "eve"
			l.agent.status.Apps[0].ID, l.agent.status.Apps[0].Name = "payroll", "Payroll"
		})
		synctest.Wait()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if len(on) != 0 {
			t.Errorf("eve is told %+v", on)
		}
		if slices.ContainsFunc(l.last().Items, func(i menu.Item) bool { return i.ID == "check.proof" }) {
			t.Error("eve is shown ada's proof")
		}
		l.closes("payroll")
		if len(on) != 1 {
			t.Errorf("of what closes for her eve is told %+v", on)
		}
	})
}

func TestOnlyAddressesHereAreOpened(t *testing.T) {
	for _, address := range []string{
		"javascript:alert(1)", "file:///etc/passwd", "https://evil.example/", "http://192.0.2.1/", "http://localhost/", "http://user@127.0.0.1/",
		"https://127.0.0.1@evil.example/", "http://127.0.0.1.evil.example/", "ftp://127.0.0.1/", "//127.0.0.1/", "127.0.0.1:80", "http://[::ffff:192.0.2.1]/", "https://127.0.0.1%2eevil.example/",
	} {
		st := well()
		st.Apps[0].URL = address
		inLab(t, st, nil, func(l *lab) {
			l.choose(menu.DoOpenApp, "wiki")
			l.happened()
		})
	}
	for _, address := range []string{"http://127.0.0.1:4000/", "https://127.0.0.2/x?y=z", "http://[::1]:80/"} {
		if !here(address) {
			t.Errorf("%s is not opened", address)
		}
	}
}

// The same revision after a restart of the agent is not the same status.
func TestAgentComesBackWithTheSameRevision(t *testing.T) {
	inLab(t, well(), nil, func(l *lab) {
		was := l.agent.status.Revision
		l.agent.set(func() { l.agent.err = localapi.ErrNotRunning })
		synctest.Wait()
		l.agent.set(func() { l.agent.err, l.agent.status.Revision = nil, was-1 })
		time.Sleep(late + time.Millisecond)
		synctest.Wait()
		if m := l.last(); m.Icon != menu.IconHealthy {
			t.Errorf("back: %+v", m)
		}
	})
}

// What time alone brings is told though the agent says nothing.
func TestTheEndOfTheSignInIsTold(t *testing.T) {
	inLab(t, well(), nil, func(l *lab) {
		l.agent.set(func() { l.agent.status.SessionEnds = time.Now().Add(25 * time.Minute) })
		for i, wait := range []time.Duration{14 * time.Minute, 2 * time.Minute, 8 * time.Minute} {
			time.Sleep(wait)
			synctest.Wait()
			l.mu.Lock()
			if len(l.told) != i {
				t.Errorf("after %v more: %+v", wait, l.told)
			}
			l.mu.Unlock()
		}
	})
}

func TestMenuSaysThatASignInIsUnderWay(t *testing.T) {
	s := &desktop{in: view.Input{Language: "en", Status: localapi.Status{State: localapi.StateSignedOut, API: localapi.API, Broker: localapi.Broker{URL: "https://b"}}}}
	d := New(Options{})
	has := func(id string) bool {
		return slices.ContainsFunc(menu.New(d.look(s), d.menuOptions(s)).Items, func(i menu.Item) bool { return i.ID == id })
	}
	if has("cancel") || !has("sign_in") {
		t.Error("before it")
	}
	s.signing = func() {}
	if !has("cancel") || has("sign_in") {
		t.Error("while it is under way")
	}
}

// Where another user is signed in, nothing of what was there before can be
// chosen, and the agent is asked rarely.
func TestAnotherUsersSession(t *testing.T) {
	inLab(t, well(), nil, func(l *lab) {
		l.agent.set(func() { l.agent.err = &localapi.Refused{Code: localapi.CodeNotOwner} })
		synctest.Wait()
		l.choose(menu.DoOpenApp, "wiki")
		l.choose(menu.DoCopyApp, "wiki")
		l.happened()
		asked := func() int { l.agent.mu.Lock(); defer l.agent.mu.Unlock(); return l.agent.asked }
		before := asked()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := asked() - before; n > int(time.Minute/notMine)+1 {
			t.Errorf("asked %d times in a minute", n)
		}
	})
}

// What closes because of a pause that was chosen here is no news, were the agent
// to say so in two steps.
func TestOwnPauseIsNoNews(t *testing.T) {
	on := map[string]view.Notice{}
	inLab(t, well(), shown(on), func(l *lab) {
		l.choose(menu.DoPause, pauses(l.last().Items)[0].Do.Argument)
		l.closes("wiki")
		if len(on) != 0 {
			t.Errorf("told %+v", on)
		}
	})
}
