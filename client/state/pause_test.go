package state

import (
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
)

func paused(t *testing.T) *run {
	t.Helper()
	r := start(t).signIn(time.Minute).both(time.Minute)
	r.open("a", "b")
	return r.next(Pause{At: time.Minute + time.Second, Until: 10 * time.Minute, Reason: "lunch"})
}

func TestPauseClosesAndTellsTheBroker(t *testing.T) {
	r := paused(t).open()
	if a := r.attests(false); len(a.Keys) != 0 || a.Pause != "lunch" {
		t.Errorf("the attestation carries %v, reason %q", a.Keys, a.Pause)
	}
	if got := r.s.Headline(r.s.Now); got != PausedHeadline {
		t.Errorf("headline %s", got)
	}
	if r.s.LastRevocation != nil {
		t.Error("a person's own wish counts as a revocation")
	}
	// Leases that come all the same open nothing, and nothing is asked for twice.
	r.both(time.Minute + 2*time.Second).open()
	if _, n := effect[Attest](r); n != 0 {
		t.Error("the broker is asked again at once")
	}
	r.next(Tick{At: r.s.NextAttest}).open()
	r.answer(r.s.Now, api.Answer{Denied: []api.DeniedApp{refused("a", api.ReasonNoTunnelKey), refused("b", "org/edr")}}).open()
	if a, b := r.s.Apps["a"], r.s.Apps["b"]; len(a.Denied) != 0 || a.ClosedCause != CausePaused || len(b.Denied) != 1 {
		t.Errorf("a is %+v, b is %+v", a, b)
	}
}

func TestPauseEnds(t *testing.T) {
	for name, end := range map[string]func(*run) *run{
		"by time": func(r *run) *run {
			w, n := effect[WakeAt](r)
			if n != 1 || w.At > 10*time.Minute {
				t.Errorf("wakes at %v", w.At)
			}
			return r.next(Tick{At: 10 * time.Minute})
		},
		"by wish": func(r *run) *run { return r.next(Resume{At: time.Minute + 2*time.Second}) },
	} {
		t.Run(name, func(t *testing.T) {
			r := end(paused(t))
			if a := r.open().attests(false); len(a.Keys) != 2 || a.Pause != "" {
				t.Errorf("the attestation carries %v, reason %q", a.Keys, a.Pause)
			}
			if got := r.s.Headline(r.s.Now); got != StartingHeadline {
				t.Errorf("headline %s", got)
			}
			r.both(r.s.Now).open("a", "b")
		})
	}
}

func TestPauseGoesWithTheSession(t *testing.T) {
	r := paused(t).next(SignedOut{At: 2 * time.Minute})
	if r.s.Pause != nil {
		t.Error("a pause outlived its session")
	}
	r.signIn(3*time.Minute).both(3*time.Minute).open("a", "b")
	if r.next(Resume{At: 3*time.Minute + time.Second}); len(r.effects) > 2 {
		t.Errorf("a resume of nothing does %v", r.effects)
	}
	if r.next(Pause{At: 3*time.Minute + time.Second, Until: 3*time.Minute + time.Second}).open("a", "b"); r.s.Pause != nil {
		t.Error("a pause of no length")
	}
}

func TestCheckAttestsUnchanged(t *testing.T) {
	r := start(t).signIn(time.Minute).both(time.Minute).next(CheckNow{At: time.Minute + time.Second})
	r.open("a", "b").attests(false)
}

// Pausing and resuming without end closes at once each time, and costs the
// broker one attestation a second; the last wish is what it hears.
func TestWishesDoNotFloodTheBroker(t *testing.T) {
	r := start(t).signIn(time.Minute).both(time.Minute).open("a", "b")
	told, at, wake := 0, time.Minute, time.Duration(0)
	count := func() {
		_, n := effect[Attest](r)
		told += n
		if w, ok := effect[WakeAt](r); ok == 1 {
			wake = w.At
		}
	}
	for range 500 {
		at += time.Millisecond
		r.next(Pause{At: at, Until: at + time.Hour, Reason: "lunch"}).open()
		count()
		at += time.Millisecond
		r.next(Resume{At: at}).open()
		count()
	}
	if told < 1 || told > 2 {
		t.Errorf("%d attestations in a second", told)
	}
	r.next(Pause{At: at, Until: at + time.Hour, Reason: "last"}).open()
	count()
	if wake > at+wishPause {
		t.Errorf("the broker hears of it in %v", wake-at)
	}
	if r.s.Flight == nil {
		r.next(Tick{At: wake})
	}
	if a := r.attests(false); a.Pause != "last" || len(a.Keys) != 0 {
		t.Errorf("the broker hears of %+v", a)
	}
	// A wish that does not follow another one is told at once.
	r.answer(r.s.Now, api.Answer{}).next(Resume{At: r.s.Now + wishPause}).attests(false)
}

func TestPauseIsProlonged(t *testing.T) {
	r := paused(t)
	since := r.s.Pause.Since
	r.next(Pause{At: 2 * time.Minute, Until: time.Hour, Reason: "and a walk"}).open()
	if p := r.s.Pause; p.Since != since || p.Until != time.Hour || p.Reason != "and a walk" {
		t.Errorf("%+v", p)
	}
}

// A pause ends at its time, whatever else is waited for.
func TestPauseWakesAtItsEnd(t *testing.T) {
	r := start(t).signIn(time.Minute).both(time.Minute)
	end := time.Minute + 5*time.Second
	r.next(Pause{At: time.Minute + time.Second, Until: end, Reason: "lunch"})
	r.answer(r.s.Now, api.Answer{AttestAfterMS: 60_000})
	if w, n := effect[WakeAt](r); n != 1 || w.At != end || r.s.NextAttest <= end {
		t.Errorf("wakes at %v, attests at %v", w.At, r.s.NextAttest)
	}
}

// The end of a pause takes away no other reason for being closed.
func TestPauseLeavesOtherReasons(t *testing.T) {
	r := start(t).signIn(time.Minute).both(time.Minute)
	r.next(PostureChanged{At: time.Minute + time.Second, Worse: []string{"firewall.enabled"}}).open("b")
	r.next(Pause{At: time.Minute + 2*time.Second, Until: time.Hour, Reason: "lunch"}).next(Resume{At: time.Minute + 3*time.Second})
	if a, b := r.s.Apps["a"].ClosedCause, r.s.Apps["b"].ClosedCause; a != CausePosture || b != "" {
		t.Errorf("a is closed for %q, b for %q", a, b)
	}
}

// Even a lease that stood on its own would open nothing in a pause.
func TestNothingIsLiveInAPause(t *testing.T) {
	r := start(t).signIn(time.Minute).both(time.Minute)
	s := r.s
	s.Pause = &Paused{Until: time.Hour}
	if !r.s.Live("a", r.s.Now) || s.Live("a", s.Now) || len(open(s, s.Now)) != 0 {
		t.Error("a lease is live in a pause")
	}
}
