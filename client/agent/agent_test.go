package agent

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/client/brokerclient"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/signin"
	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/platform/watch"
	"github.com/postern-zt/postern/posture/fact"
)

func TestSignInOpensEverything(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(kim, "kim")
		l.happens("begin kim", "uid:1 engine", "attest []", "attest [payroll wiki]", "uid:1 open [payroll wiki]")
		s := l.Status()
		if s.State != localapi.StateCompliant || s.User.Subject != "kim" || !s.Broker.Reachable || s.Posture.Verdict != "affirming" || !s.Posture.ObservedAt.Equal(day) {
			t.Errorf("status %+v", s)
		}
		if who, ok := l.Owner(); !ok || !who.Same(kim) {
			t.Errorf("owner %v %v", who, ok)
		}
		if kept, _ := l.broker.Session(); len(kept.Apps) != 2 {
			t.Errorf("remembered %v", kept.Apps)
		}
	})
}

// Law 3: the client closes first.
func TestDriftClosesBeforeAnythingIsSent(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(kim, "kim")
		l.journal.take()
		l.engines[0].slow = func() { l.clock.Advance(3 * time.Millisecond) }
		l.runs(false)
		l.tell(watch.CauseExit)
		lines := l.happens("uid:1 open [payroll]", "attest [payroll wiki]")
		if lines[0] != "uid:1 open [payroll]" {
			t.Errorf("before the gate was shut: %v", lines)
		}
		r := l.Status().LastRevocation
		if r == nil || r.App != "wiki" || r.Cause != state.CausePosture+": edr[falcon].running" || r.ClientMS != 3 {
			t.Errorf("revocation %+v", r)
		}
		if a := l.app("wiki"); a.State != localapi.AppDenied || !slices.Equal(a.Reasons, []string{"org/edr-not-running"}) || a.URL != "" || a.LeaseRemainingMS != 0 || a.LocalAddress == "" {
			t.Errorf("wiki %+v", a)
		}
		if a := l.app("payroll"); a.State != localapi.AppReady || a.URL != "http://127.0.0.1:1/" || a.LeaseRemainingMS <= 0 || a.TunnelPublicKey == "" {
			t.Errorf("payroll %+v", a)
		}
		if s := l.Status(); s.State != localapi.StateLimited {
			t.Errorf("state %s", s.State)
		}
	})
}

func TestComesBackByItself(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(kim, "kim")
		first := l.engines[0].tunnels()
		l.runs(false)
		l.tell(watch.CauseExit)
		before := l.posture.count(fact.SignalEDR)
		l.pass(10 * time.Second)
		if n := l.posture.count(fact.SignalEDR) - before; n < 9 || n > 18 {
			t.Errorf("looked %d times in 10 s for a product that is gone", n)
		}
		l.open("payroll")
		// The executable is opened; its process shows 4 ms later.
		l.journal.take()
		l.tell(watch.CauseExec)
		l.runs(true)
		l.clock.Advance(2 * time.Millisecond)
		synctest.Wait()
		l.open("payroll", "wiki")
		l.happens("attest [payroll wiki]", "uid:1 open [payroll wiki]")
		if !slices.Equal(l.watch.watched(), []int{8}) {
			t.Errorf("watched are %v", l.watch.watched())
		}
		now := l.engines[0].tunnels()
		if now[1].PublicKey == first[1].PublicKey || now[0].PublicKey != first[0].PublicKey {
			t.Error("the closed tunnel kept its key, or the other one lost it")
		}
		if _, err := l.keys.Private("wiki", first[1].KeyGen); err == nil {
			t.Error("the closed tunnel's key is still there")
		}
		before = l.posture.count(fact.SignalEDR)
		l.pass(20 * time.Second)
		if n := l.posture.count(fact.SignalEDR) - before; n > 2 {
			t.Errorf("looked %d times in 20 s though nothing is missing", n)
		}
	})
}

func TestAnswerToACancelledAttestationReopensNothing(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(kim, "kim")
		goOn := make(chan struct{})
		l.broker.set(func() {
			l.broker.onAttest = func(ctx context.Context, n int, usual func() api.Answer) (api.Answer, error) {
				if len(l.broker.sent)%2 == 1 { // the one with the good report: deaf to its end
					<-goOn
				}
				return usual(), nil
			}
		})
		l.pass(40 * time.Second) // a renewal hangs
		n := len(l.broker.attested())
		l.runs(false)
		l.tell(watch.CauseExit)
		l.open("payroll")
		if len(l.broker.attested()) != n+1 {
			t.Errorf("%d attestations after %d", len(l.broker.attested()), n)
		}
		close(goOn)
		synctest.Wait()
		l.open("payroll")
		if a := l.app("wiki"); a.State != localapi.AppDenied {
			t.Errorf("wiki %+v", a)
		}
	})
}

// Law 15: a broker that can be reached again is asked at once, not at the next
// attempt's turn; a stream that merely began anew asks nothing.
func TestStreamThatOpensEndsAnOutage(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(kim, "kim")
		l.broker.say(brokerclient.EventOpened, api.Event{})
		synctest.Wait()
		before := len(l.broker.attested())
		l.pass(time.Second)
		if n := len(l.broker.attested()); n != before {
			t.Errorf("%d attestations for a stream that opened", n-before)
		}
		l.broker.set(func() {
			l.broker.onAttest = func(context.Context, int, func() api.Answer) (api.Answer, error) { return api.Answer{}, errDown }
		})
		l.pass(5 * time.Minute) // attempts are half a minute apart by now
		l.open()
		l.broker.set(func() { l.broker.onAttest = nil })
		l.broker.say(brokerclient.EventOpened, api.Event{})
		synctest.Wait()
		l.open("payroll", "wiki")
	})
}

// An application that was not known when the attestation went out has no key
// in it: that is no denial that a person could do anything about.
func TestAppThatLacksAKeyIsConnecting(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.broker.set(func() {
			l.broker.onAttest = func(context.Context, int, func() api.Answer) (api.Answer, error) {
				return api.Answer{NextNonce: "n", AttestAfterMS: 30_000, Denied: []api.DeniedApp{{App: api.AppInfo{ID: "wiki", Name: "Wiki"}, Reasons: []string{api.ReasonNoTunnelKey}}}}, nil
			}
		})
		l.signIn(kim, "kim")
		if a := l.app("wiki"); a.State != localapi.AppConnecting || len(a.Reasons) != 0 {
			t.Errorf("wiki %+v", a)
		}
	})
}

// Law 13.
func TestRejectedIsNotUnreachable(t *testing.T) {
	down := func(context.Context, int, func() api.Answer) (api.Answer, error) { return api.Answer{}, errDown }
	inLab(t, nil, func(l *lab) {
		l.signIn(kim, "kim")
		l.broker.set(func() { l.broker.onAttest = down })
		l.pass(59 * time.Second)
		l.open("payroll", "wiki")
		if s := l.Status(); s.Broker.Reachable || s.Reasons[0] != localapi.CodeUnreachable || !strings.Contains(s.Message, "connection refused") {
			t.Errorf("status %+v", s)
		}
		l.pass(time.Second)
		l.open()
		if s := l.Status(); s.State != localapi.StateOffline {
			t.Errorf("state %s", s.State)
		}
		l.broker.set(func() { l.broker.onAttest = nil })
		l.pass(40 * time.Second)
		l.open("payroll", "wiki")

		l.broker.set(func() {
			l.broker.onAttest = func(context.Context, int, func() api.Answer) (api.Answer, error) {
				return api.Answer{}, &apiclient.Rejected{Code: api.CodeDeviceRevoked, Detail: "no"}
			}
		})
		l.broker.say(api.EventAttestNow, api.Event{})
		synctest.Wait()
		l.open()
		if s := l.Status(); s.State != localapi.StateNotCompliant || s.Reasons[0] != api.CodeDeviceRevoked || s.User == nil || !s.Broker.Reachable || s.Message != "The broker refused: no." {
			t.Errorf("status %+v", s)
		}
		l.broker.set(func() { l.broker.onAttest = nil })
		l.pass(5 * time.Second)
		l.open("payroll", "wiki")
	})
	inLab(t, nil, func(l *lab) { // a session that is over
		l.signIn(kim, "kim")
		l.broker.set(func() {
			l.broker.onAttest = func(context.Context, int, func() api.Answer) (api.Answer, error) {
				return api.Answer{}, &apiclient.Rejected{Code: api.CodeSignedOut}
			}
		})
		l.broker.say(api.EventAttestNow, api.Event{})
		synctest.Wait()
		l.open()
		if s := l.Status(); s.State != localapi.StateSignedOut || s.User != nil {
			t.Errorf("status %+v", s)
		}
		if _, kept := l.broker.Session(); kept {
			t.Error("the session is still kept")
		}
	})
}

func TestBrokerDownAtTheStart(t *testing.T) {
	down := func(context.Context) error { return errDown }
	inLab(t, func(l *lab) { l.broker.onEnrol = down }, func(l *lab) {
		s := l.Status()
		if s.Broker.Reachable || s.Device.Enrolled || !strings.HasPrefix(s.Message, "This device is not enrolled yet: ") || !slices.Equal(s.Reasons, []string{localapi.CodeUnreachable}) {
			t.Errorf("status %+v", s)
		}
		l.pass(5 * time.Second)
		if now := l.Status(); now.Revision != s.Revision {
			t.Errorf("the same failure was told %d times", now.Revision-s.Revision)
		}
		if _, err := l.StartSignIn(l.t.Context(), kim, localapi.SignInRequest{RedirectURI: "http://127.0.0.1:1/"}); code(err) != localapi.CodeUnreachable {
			t.Errorf("sign-in: %v", err)
		}
		l.broker.set(func() { l.broker.onEnrol = nil })
		l.pass(11 * time.Second)
		if s := l.Status(); !s.Broker.Reachable || !s.Device.Enrolled || s.Message != "Nobody is signed in. Run `postern login`." || len(s.Reasons) != 0 {
			t.Errorf("status %+v", s)
		}
		if _, err := l.StartSignIn(l.t.Context(), kim, localapi.SignInRequest{RedirectURI: "http://127.0.0.1:1/"}); code(err) != "no_provider" {
			t.Errorf("sign-in: %v", err)
		}
	})
	refused := func(context.Context) error { return &apiclient.Rejected{Code: api.CodeAdmission, Detail: "used up"} }
	inLab(t, func(l *lab) { l.broker.onEnrol = refused }, func(l *lab) {
		if s := l.Status(); !s.Broker.Reachable || s.Reasons[0] != api.CodeAdmission || s.Message != "The broker did not take this device: used up." {
			t.Errorf("status %+v", s)
		}
	})
}

func code(err error) string {
	var r *localapi.Refused
	if errors.As(err, &r) {
		return r.Code
	}
	return ""
}

func kept(l *lab) {
	l.broker.record.DeviceID = "dev_1"
	l.broker.session = brokerclient.Session{Refresh: "h", Owner: "uid:1", Person: api.Person{Issuer: "i", Subject: "kim"},
		Ends: day.Add(-time.Hour), // by a clock that nobody has told the time
		Apps: []api.AppInfo{{ID: "payroll"}, {ID: "wiki"}}}
}

func TestKeptSessionResumes(t *testing.T) {
	inLab(t, kept, func(l *lab) {
		lines := l.happens("uid:1 engine", "attest [payroll wiki]", "uid:1 open [payroll wiki]")
		if slices.Contains(lines, "attest []") {
			t.Errorf("an attestation without the known keys: %v", lines)
		}
		if first := l.broker.attested()[0]; !running(first.Report) {
			t.Errorf("the first attestation says %+v", first.Report)
		}
		if who, ok := l.Owner(); !ok || !who.Same(kim) {
			t.Errorf("owner %v %v", who, ok)
		}
	})
	inLab(t, func(l *lab) { // and when the broker comes only later
		kept(l)
		l.broker.onProviders = func(context.Context) error { return errDown }
		l.broker.onAttest = func(_ context.Context, n int, usual func() api.Answer) (api.Answer, error) {
			if n < 3 {
				return api.Answer{}, errDown
			}
			return usual(), nil
		}
	}, func(l *lab) {
		if s := l.Status(); s.Broker.Reachable || s.State != localapi.StateOffline {
			t.Errorf("status %+v", s)
		}
		l.pass(10 * time.Second)
		l.open("payroll", "wiki")
	})
	for _, owner := range []string{"", "uid:x", "sid:"} {
		inLab(t, func(l *lab) { kept(l); l.broker.session.Owner = owner }, func(l *lab) {
			if s := l.Status(); s.State != localapi.StateSignedOut || len(l.engines) != 0 {
				t.Errorf("a session of %q runs: %+v", owner, s)
			}
		})
	}
}

func TestFirstAttestationWaitsForTheFirstReading(t *testing.T) {
	hang := func(l *lab) { kept(l); l.posture.blocked[fact.SignalOS] = make(chan struct{}) }
	inLab(t, hang, func(l *lab) {
		l.pass(firstReading - 100*time.Millisecond)
		if n := len(l.broker.attested()); n != 0 {
			t.Fatalf("%d attestations of a machine that was not read", n)
		}
		l.pass(100 * time.Millisecond)
		if n := len(l.broker.attested()); n != 1 {
			t.Errorf("%d attestations after the longest wait", n)
		}
	})
	inLab(t, hang, func(l *lab) {
		close(l.posture.blocked[fact.SignalOS])
		synctest.Wait()
		l.open("payroll", "wiki")
	})
}

func TestHungCollectorDoesNotDelayTheOthers(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(kim, "kim")
		hang := make(chan struct{})
		l.posture.set(func() { l.posture.blocked[fact.SignalOS] = hang })
		l.pass(backstop) // the reading of everything hangs
		l.open("payroll", "wiki")
		l.journal.take()
		l.runs(false)
		l.tell(watch.CauseExit)
		l.happens("uid:1 open [payroll]", "attest [payroll wiki]")
	})
}

func TestKeysAreNeverUsedAgain(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(kim, "kim")
		seen := map[string]int{}
		for round := range 4 {
			l.runs(false)
			l.tell(watch.CauseExit)
			l.runs(true)
			l.tell(watch.CauseExec)
			l.open("payroll", "wiki")
			key := l.engines[0].tunnels()[1].PublicKey.String()
			if was, twice := seen[key]; twice {
				t.Errorf("round %d uses the key of round %d", round, was)
			}
			seen[key] = round
		}
		if n := len(l.keys.keys["wiki"]); n != 1 {
			t.Errorf("%d keys are held", n)
		}
		if err := l.SignOut(l.t.Context(), kim); err != nil || len(l.keys.keys) != 0 {
			t.Errorf("%v; after the end of the session %d applications have keys", err, len(l.keys.keys))
		}
	})
}

func TestAnotherPersonSignsIn(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(kim, "kim")
		keys := l.broker.attested()
		l.journal.take()
		l.signIn(kim, "lou") // the same OS user
		l.happens("begin lou", "uid:1 close", "uid:1 engine", "attest []", "attest [payroll wiki]", "uid:1 open [payroll wiki]")
		if s := l.Status(); s.User.Subject != "lou" || len(l.engines) != 2 {
			t.Errorf("status %+v", s)
		}
		now := l.broker.attested()
		if now[len(now)-1].Wanted[0] == keys[len(keys)-1].Wanted[0] {
			t.Error("lou got kim's key")
		}
	})
	inLab(t, nil, func(l *lab) { // another OS user
		l.signIn(kim, "kim")
		l.journal.take()
		err := l.accept(l.t.Context(), lee, signin.Done{IDToken: "lou"})
		if code(err) != localapi.CodeNotOwner {
			t.Errorf("accepted: %v", err)
		}
		synctest.Wait()
		l.happens("revoke handle-2")
		for _, err := range []error{
			l.SignOut(l.t.Context(), lee),
			l.FinishSignIn(l.t.Context(), lee, localapi.Finish{}),
			func() error { _, err := l.StartSignIn(l.t.Context(), lee, localapi.SignInRequest{}); return err }(),
		} {
			if code(err) != localapi.CodeNotOwner {
				t.Errorf("another user may: %v", err)
			}
		}
		l.open("payroll", "wiki")
		if err := l.SignOut(l.t.Context(), kim); err != nil {
			t.Error(err)
		}
		l.signIn(lee, "lou")
		l.open("payroll", "wiki")
		if who, _ := l.Owner(); !who.Same(lee) {
			t.Errorf("owner %v", who)
		}
	})
}

// The same person again: nothing that is known of the applications is lost.
func TestSamePersonSignsInAgain(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.pass(time.Second) // the first looks are over
		timers := l.clock.Pending()
		l.signIn(kim, "kim")
		first := l.engines[0].tunnels()
		l.journal.take()
		l.signIn(kim, "kim")
		l.happens("uid:1 close", "uid:1 engine", "attest [payroll wiki]", "uid:1 open [payroll wiki]")
		if now := l.engines[1].tunnels(); now[0].PublicKey == first[0].PublicKey || now[1].PublicKey == first[1].PublicKey {
			t.Error("a key lived over a sign-in")
		}
		if s, _ := l.broker.Session(); len(s.Apps) != 2 || s.Refresh != "handle-2" {
			t.Errorf("kept %+v", s.Apps)
		}
		if err := l.SignOut(l.t.Context(), kim); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := l.clock.Pending(); n != timers {
			t.Errorf("%d timers wait after the session, %d before", n, timers)
		}
	})
}

func TestSignInThatCannotBeKept(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(kim, "kim")
		full := errors.New("no space left")
		l.broker.set(func() { l.broker.onBegin = func() error { return full } })
		if err := l.accept(l.t.Context(), kim, signin.Done{IDToken: "lou"}); !errors.Is(err, full) {
			t.Errorf("begun: %v", err)
		}
		if s := l.Status(); s.User.Subject != "kim" {
			t.Errorf("status %+v", s)
		}
	})
}

// The end of one session, found out late, must not take the next one with it.
func TestLateWordOfAnOlderSession(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(kim, "kim")
		old := hook(l.broker, &l.broker.on)
		goOn := make(chan struct{})
		l.broker.set(func() {
			l.broker.onAttest = func(_ context.Context, n int, usual func() api.Answer) (api.Answer, error) {
				if l.broker.sent[n-1].LastDigest != "" && len(l.broker.sent) == n && hook(l.broker, &l.broker.sessions) == 1 {
					<-goOn
					return api.Answer{}, &apiclient.Rejected{Code: api.CodeSignedOut}
				}
				return usual(), nil
			}
		})
		l.broker.say(api.EventAttestNow, api.Event{})
		synctest.Wait()
		l.signIn(kim, "lou")
		close(goOn)
		for range 50 { // a cancelled stream has nothing to say, however often it is tried
			old(api.EventSignedOut, api.Event{})
		}
		synctest.Wait()
		l.open("payroll", "wiki")
		if s, ok := l.broker.Session(); !ok || s.Person.Subject != "lou" {
			t.Errorf("session %v %v", s, ok)
		}
	})
}

func TestSignOutWithABrokerThatDoesNotAnswer(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(kim, "kim")
		hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		l.broker.set(func() {
			l.broker.onRevoke = hang
			l.broker.onAttest = func(ctx context.Context, _ int, _ func() api.Answer) (api.Answer, error) {
				return api.Answer{}, hang(ctx)
			}
		})
		l.broker.say(api.EventAttestNow, api.Event{})
		synctest.Wait()
		l.journal.take()
		before := l.clock.Boot()
		if err := l.SignOut(l.t.Context(), kim); err != nil || l.clock.Boot() != before {
			t.Errorf("%v, after %v", err, l.clock.Boot()-before)
		}
		l.open()
		if s := l.Status(); s.State != localapi.StateSignedOut || s.User != nil || len(s.Apps) != 0 {
			t.Errorf("status %+v", s)
		}
		if _, ok := l.Owner(); ok {
			t.Error("somebody owns no session")
		}
		synctest.Wait()
		if lines := l.happens("uid:1 open []", "revoke handle-1"); lines[0] != "uid:1 open []" {
			t.Errorf("before closing: %v", lines)
		}
		if _, kept := l.broker.Session(); kept {
			t.Error("the session is still kept")
		}
	})
}

func TestStopShutsEverything(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(kim, "kim")
		l.journal.take()
		l.stop()
		l.happens("uid:1 open []", "uid:1 close")
		if n := l.clock.Pending(); n != 0 {
			t.Errorf("%d timers are left", n)
		}
		if err := l.SignOut(l.t.Context(), kim); !errors.Is(err, errEnded) {
			t.Errorf("a stopped agent signs out: %v", err)
		}
		if _, kept := l.broker.Session(); !kept {
			t.Error("stopping ended the session")
		}
	})
}

func TestSleepClosesAndWakingReopens(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(kim, "kim")
		l.journal.take()
		l.clock.Sleep(time.Hour)
		synctest.Wait()
		l.happens("uid:1 open []", "attest [payroll wiki]", "uid:1 open [payroll wiki]")
	})
}
