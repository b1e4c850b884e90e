package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/platform/watch"
)

// follower is a tray: it waits for changes and keeps what it was last shown.
func (l *lab) follower(ctx context.Context) (last func() localapi.Status, wakes func() int) {
	type seen struct {
		s localapi.Status
		n int
	}
	box := make(chan seen, 1)
	box <- seen{s: l.Status()}
	go func() {
		for ctx.Err() == nil {
			was := <-box
			box <- was
			s := l.WaitChange(ctx, was.s.Revision)
			if ctx.Err() != nil {
				return
			}
			<-box
			box <- seen{s, was.n + 1}
		}
	}()
	look := func() seen {
		s := <-box
		box <- s
		return s
	}
	return func() localapi.Status { return look().s }, func() int { return look().n }
}

// lasting is a status without what counts down.
func lasting(s localapi.Status) string {
	for i := range s.Apps {
		s.Apps[i].LeaseRemainingMS, s.Apps[i].RxBytes, s.Apps[i].TxBytes = 0, 0, 0
	}
	data, _ := json.Marshal(s)
	return string(data)
}

// Whoever follows sees every change, and nothing turns without one.
func TestFollowersSeeEveryChange(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		ctx, cancel := context.WithCancel(l.t.Context())
		last, wakes := l.follower(ctx)
		check := func(what string) {
			t.Helper()
			synctest.Wait()
			if now, shown := lasting(l.Status()), lasting(last()); now != shown {
				t.Errorf("%s: shown %s\nnow   %s", what, shown, now)
			}
		}
		l.signIn(kim, "kim")
		check("signed in")
		l.runs(false)
		l.tell(watch.CauseExit)
		check("drift")
		l.pass(time.Minute)
		check("renewals")
		l.runs(true)
		l.tell(watch.CauseExec)
		check("recovery")
		l.broker.set(func() {
			l.broker.onAttest = func(context.Context, int, func() api.Answer) (api.Answer, error) {
				return api.Answer{}, errDown
			}
		})
		for range 70 {
			l.pass(time.Second)
			check("outage")
		}
		l.broker.set(func() { l.broker.onAttest, l.broker.skew = nil, time.Hour })
		l.pass(time.Minute)
		check("back")
		if s := last(); s.Broker.ClockSkewMS != time.Hour.Milliseconds() || !s.Broker.Reachable {
			t.Errorf("broker %+v", s.Broker)
		}
		before := wakes()
		l.broker.set(func() { l.broker.skew += time.Second }) // within what is known
		for range 200 {
			l.clock.Advance(time.Millisecond)
			synctest.Wait()
		}
		if n := wakes() - before; n > 2 {
			t.Errorf("woke %d times while nothing changed", n)
		}
		if err := l.SignOut(ctx, kim); err != nil {
			t.Error(err)
		}
		check("signed out")
		cancel()
	})
}

func TestWaitChangeEndsWithItsContext(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		ctx, cancel := context.WithCancel(l.t.Context())
		cancel()
		s := l.Status()
		if got := l.WaitChange(ctx, s.Revision); got.Revision != s.Revision {
			t.Errorf("revision %d, was %d", got.Revision, s.Revision)
		}
		if got := l.WaitChange(l.t.Context(), s.Revision-1); got.Revision != s.Revision {
			t.Errorf("revision %d, was %d", got.Revision, s.Revision)
		}
	})
}

// A restarted agent's revisions are not those of the one before.
func TestRevisionBeginsAnywhere(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		first := l.Status().Revision
		l.stop()
		l.start()
		synctest.Wait()
		if now := l.Status().Revision; now == first || now <= 0 || now >= 1<<53 {
			t.Errorf("revision %d after %d", now, first)
		}
	})
}

func TestSameFace(t *testing.T) {
	base := func() state.State {
		return state.State{Online: true, Session: state.Session{SignedIn: true}, Apps: map[string]state.App{"a": {Info: api.AppInfo{ID: "a"}}}}
	}
	if !sameFace(base(), base()) {
		t.Error("the same state looks different")
	}
	for i, change := range []func(*state.State){
		func(s *state.State) { s.Online = false },
		func(s *state.State) { s.BrokerError = "x" },
		func(s *state.State) { s.Verdict = api.TierWarning },
		func(s *state.State) { s.Session.Person.Name = "Kim" },
		func(s *state.State) { s.Session.SignedIn = false },
		func(s *state.State) { s.Rejection = &state.Rejection{Code: "c"} },
		func(s *state.State) { s.Checks = []api.Check{{Code: "c"}} },
		func(s *state.State) { s.Forecast = []api.Forecast{{Code: "c"}} },
		func(s *state.State) { s.LastRevocation = &state.Revocation{} },
		func(s *state.State) { s.Apps["a"] = state.App{Info: api.AppInfo{ID: "a", Name: "A"}} },
		func(s *state.State) { s.Apps["a"] = state.App{Info: api.AppInfo{ID: "a"}, Denied: []string{"c"}} },
		func(s *state.State) { s.Apps["a"] = state.App{Info: api.AppInfo{ID: "a"}, ClosedCause: "c"} },
		func(s *state.State) { s.Apps["b"] = state.App{} },
	} {
		s := base()
		if change(&s); sameFace(base(), s) {
			t.Errorf("change %d cannot be seen", i)
		}
	}
}

func TestManyApplicationsStillAttest(t *testing.T) {
	inLab(t, func(l *lab) {
		kept(l)
		for n := range 100 {
			l.broker.session.Apps = append(l.broker.session.Apps, api.AppInfo{ID: fmt.Sprintf("x%02d", n)})
		}
	}, func(l *lab) {
		if n := len(l.broker.attested()[0].Wanted); n != 64 {
			t.Errorf("%d keys", n)
		}
		l.open("payroll", "wiki")
	})
}

func TestOwnersAsText(t *testing.T) {
	for _, p := range []ipc.Peer{{Known: true, UID: 0}, {Known: true, UID: 4294967295}, {Known: true, SID: "S-1-5-21"}} {
		if got, ok := parseOwner(ownerOf(p)); !ok || !got.Same(p) {
			t.Errorf("%v came back as %v", p, got)
		}
	}
	for _, text := range []string{"", "uid:", "uid:-1", "uid:4294967296", "uid:1 ", "sid:", "0", "UID:1"} {
		if p, ok := parseOwner(text); ok {
			t.Errorf("%q is %v", text, p)
		}
	}
	if got := address("https:/x/y", "127.0.0.1:9"); got != "https://127.0.0.1:9/x/y" {
		t.Errorf("address %s", got)
	}
	if got := address("", "127.0.0.1:9"); !strings.HasPrefix(got, "http://127") {
		t.Errorf("address %s", got)
	}
}

// Whatever a policy says to open, an application's address is on this computer.
func TestAddressStaysHere(t *testing.T) {
	for _, open := range []string{"https:@evil.example/", "http:5/", "http:.evil.example/", "https:evil.example", "http://evil.example/", "http:\\evil.example/", "http:?q", "http:#f"} {
		u, err := url.Parse(address(open, "127.0.0.1:9"))
		if err != nil || u.Host != "127.0.0.1:9" || u.User != nil {
			t.Errorf("%s leads to %v, %v", open, u, err)
		}
	}
}
