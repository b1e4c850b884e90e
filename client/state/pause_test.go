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
