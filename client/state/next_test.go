package state

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
)

const sec = time.Second

func TestSignInAttestsWithAKeyPerApp(t *testing.T) {
	r := start(t).headline(0, SignedOutHeadline).signIn(sec).open().headline(sec, StartingHeadline)
	a := r.attests(false)
	if len(a.Keys) != 2 || a.Keys["a"] == a.Keys["b"] || a.Keys["a"] == 0 {
		t.Errorf("keys %v", a.Keys)
	}
	if got := r.tunnels().Apps; !slices.Equal(got, known()) {
		t.Errorf("known apps %v", got)
	}
	r.both(2*sec).open("a", "b").headline(2*sec, CompliantHeadline)
	if w := r.tunnels().Wanted[0]; w.KeyGen != a.Keys["a"] || w.Until != 2*sec+ttlA {
		t.Errorf("tunnel of generation %d until %v", w.KeyGen, w.Until)
	}
	r.headline(2*sec+ttlA, LimitedHeadline).headline(2*sec+ttlB, StartingHeadline)
}

func TestWorseShutsThenAttests(t *testing.T) {
	r := start(t).signIn(sec).both(2 * sec)
	old := r.s.Apps["a"].KeyGen
	r.next(PostureChanged{At: 3 * sec, Worse: []string{"firewall.enabled"}}).open("b")
	if a := r.attests(false); a.Keys["a"] == old {
		t.Error("the key of a closed tunnel is sent again")
	}
	if got := r.s.LastRevocation; got == nil || got.Cause != CausePosture ||
		!slices.Equal(got.Apps, []string{"a"}) || !slices.Equal(got.Facts, []string{"firewall.enabled"}) {
		t.Errorf("revocation %+v", got)
	}
	r.headline(3*sec, LimitedHeadline)
	if r.s.Apps["a"].ClosedCause != CausePosture {
		t.Errorf("cause %q", r.s.Apps["a"].ClosedCause)
	}
	r.both(4*sec).open("a", "b") // and back without a new sign-in
	r.next(PostureChanged{At: 5 * sec, Worse: []string{"edr[falcon].running", "firewall.enabled"}}).open().
		headline(5*sec, NotCompliantHeadline)
}

func TestWorseVoidsWhatIsInTheAir(t *testing.T) {
	r := start(t).signIn(sec)
	first := r.s.Flight.ID
	r.next(PostureChanged{At: 2 * sec, Worse: []string{"disk.system_status"}}).open()
	if c, n := effect[CancelAttest](r); n != 1 || c.Flight != first {
		t.Errorf("effects %+v", r.effects)
	}
	r.attests(false)
	r.next(Answered{At: 3 * sec, SentAt: 2 * sec, Flight: first,
		Answer: api.Answer{Leases: []api.Lease{granted("a", ttlA)}}}).open().quiet()
}

func TestOtherChangeRunsOn(t *testing.T) {
	r := start(t).signIn(sec).both(2 * sec)
	r.next(Tick{At: r.s.NextAttest})
	renewal := r.attests(true)
	r.next(PostureChanged{At: r.s.Now}).open("a", "b")
	if c, _ := effect[CancelAttest](r); c.Flight != renewal.Flight {
		t.Error("a change did not cancel the renewal")
	}
	own := r.attests(false)
	// A second change waits for the report that is in the air.
	r.next(PostureChanged{At: r.s.Now}).quiet()
	r.next(BrokerSays{At: r.s.Now, Name: api.EventLeasesChanged}).quiet()
	if r.s.Flight.ID != own.Flight || !r.s.Dirty {
		t.Errorf("flight %+v, dirty %v", r.s.Flight, r.s.Dirty)
	}
	r.both(r.s.Now)
	r.attests(false)
	r.both(r.s.Now).quiet()
}

func TestDelayOnlyShortens(t *testing.T) {
	for name, c := range map[string]struct {
		sent, at time.Duration
		ttl      int64
		want     time.Duration // end; 0: not open
	}{
		"at once":            {2 * sec, 2 * sec, 10_000, 12 * sec},
		"late":               {2 * sec, 9 * sec, 10_000, 12 * sec},
		"too late":           {2 * sec, 12 * sec, 10_000, 0},
		"sent in the future": {99 * sec, 2 * sec, 10_000, 12 * sec},
		"no time":            {2 * sec, 2 * sec, 0, 0},
		"negative":           {2 * sec, 2 * sec, -5, 0},
		"for ever":           {2 * sec, 2 * sec, math.MaxInt64, 2*sec + maxTTL},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t).signIn(sec)
			l := granted("a", 0)
			l.TTLMS = c.ttl
			r.next(Answered{At: c.at, SentAt: c.sent, Flight: r.s.Flight.ID,
				Answer: api.Answer{Leases: []api.Lease{l}, AttestAfterMS: 1}})
			if c.want == 0 {
				r.open().quiet()
				return
			}
			r.open("a")
			if got := r.tunnels().Wanted[0].Until; got != c.want {
				t.Errorf("until %v, want %v", got, c.want)
			}
		})
	}
}

func TestRenewalTakesTheAnswersEnd(t *testing.T) {
	r := start(t).signIn(sec).both(2 * sec)
	r.next(Tick{At: r.s.NextAttest})
	at := r.s.Now
	r.answer(at, api.Answer{Leases: []api.Lease{granted("a", 5*sec), granted("b", ttlB)}}).open("a", "b")
	if got := r.tunnels().Wanted[0].Until; got != at+5*sec {
		t.Errorf("until %v, want %v", got, at+5*sec)
	}
}

func TestAnswerWithoutALeaseCloses(t *testing.T) {
	r := start(t).signIn(sec).both(2 * sec)
	r.next(Tick{At: r.s.NextAttest})
	r.answer(r.s.Now, api.Answer{Leases: []api.Lease{granted("b", ttlB)},
		Denied: []api.DeniedApp{refused("a", "org/patch", api.ReasonTooOld)}}).open("b")
	a := r.s.Apps["a"]
	if a.ClosedCause != "org/patch" || !slices.Equal(a.Denied, []string{"org/patch", api.ReasonTooOld}) {
		t.Errorf("app %+v", a)
	}
	if v := r.s.LastRevocation; v == nil || v.Cause != "org/patch" {
		t.Errorf("revocation %+v", v)
	}
	// The broker no longer speaks of b at all, and calls a both leased and denied.
	r.next(PostureChanged{At: r.s.Now})
	r.answer(r.s.Now, api.Answer{Leases: []api.Lease{granted("a", ttlA)},
		Denied: []api.DeniedApp{refused("a")}}).open().headline(r.s.Now, NotCompliantHeadline)
	if _, there := r.s.Apps["b"]; there {
		t.Error("b is still known")
	}
}

func TestUnusableLeaseIsADenial(t *testing.T) {
	r := start(t).signIn(sec)
	l := granted("a", ttlA)
	l.Tunnel.Virtual = []string{"0.0.0.0/0"}
	r.answer(2*sec, api.Answer{Leases: []api.Lease{l, granted("b", ttlB)}}).open("b")
	if a := r.s.Apps["a"]; !slices.Equal(a.Denied, []string{CauseUnusable}) {
		t.Errorf("app %+v", a)
	}
	r.headline(2*sec, LimitedHeadline)
}

func TestAnotherTunnelNeedsAnotherKey(t *testing.T) {
	r := start(t).signIn(sec).both(2 * sec)
	old := r.s.Apps["a"].KeyGen
	r.next(Tick{At: r.s.NextAttest})
	l := granted("a", ttlA)
	l.Tunnel.ID = "tunnel-a2"
	r.answer(r.s.Now, api.Answer{Leases: []api.Lease{l, granted("b", ttlB)}}).open("b")
	if a := r.attests(true); a.Keys["a"] == old {
		t.Error("the same key for another tunnel")
	}
	r.answer(r.s.Now, api.Answer{Leases: []api.Lease{l, granted("b", ttlB)}}).open("a", "b").quiet()
}

func TestMissingKeyIsSentOnceAtOnce(t *testing.T) {
	r := start(t).next(SignedIn{At: sec, Person: api.Person{Subject: "s"}})
	if a := r.attests(false); len(a.Keys) != 0 {
		t.Errorf("keys %v", a.Keys)
	}
	r.answer(2*sec, api.Answer{Denied: []api.DeniedApp{refused("a", api.ReasonNoTunnelKey)}}).open()
	if a := r.attests(true); len(a.Keys) != 1 || a.Keys["a"] == 0 {
		t.Errorf("keys %v", a.Keys)
	}
	r.answer(2*sec, api.Answer{Leases: []api.Lease{granted("a", ttlA)}}).open("a").quiet()
}

// A key that the broker knows already (the answer that opened its tunnel was
// lost) is given up, or the application would stay denied for good.
func TestUsedKeyIsReplacedAtOnce(t *testing.T) {
	r := start(t).signIn(sec)
	old := r.s.Apps["a"].KeyGen
	r.answer(2*sec, api.Answer{Leases: []api.Lease{granted("b", ttlB)}, Denied: []api.DeniedApp{refused("a", api.ReasonKeyUsed)}}).open("b")
	if a := r.attests(true); a.Keys["a"] == old {
		t.Error("the used key is sent again")
	}
	r.both(2*sec).open("a", "b").quiet()
}

func TestBrokerThatAlwaysWantsMoreKeysMustWait(t *testing.T) {
	r := start(t).signIn(sec)
	atOnce := 0
	for i := range 50 {
		at := r.s.Now
		r.answer(at, api.Answer{AttestAfterMS: 1,
			Denied: []api.DeniedApp{refused(fmt.Sprint("new", i), api.ReasonNoTunnelKey)}})
		if _, n := effect[Attest](r); n == 1 {
			atOnce++
			continue
		}
		if wait := r.s.NextAttest - at; wait < minPause {
			t.Fatalf("next attestation after %v", wait)
		}
		r.next(Tick{At: r.s.NextAttest})
	}
	if atOnce > 25 {
		t.Errorf("%d of 50 attestations at once", atOnce)
	}
}

func TestExpiryUnderWayLacksAKey(t *testing.T) {
	r := start(t).signIn(sec).both(2 * sec)
	r.next(Tick{At: 21 * sec}) // renewal, sent before a's end at 22 s
	r.next(Answered{At: 23 * sec, SentAt: 21 * sec, Flight: r.s.Flight.ID, Answer: api.Answer{
		Leases: []api.Lease{granted("a", ttlA), granted("b", ttlB)}}}).open("b")
	r.attests(true)
	r.both(23*sec).open("a", "b")
}

func TestRejectedIsNotUnreachable(t *testing.T) {
	t.Run("unreachable", func(t *testing.T) {
		r := start(t).signIn(sec).both(2 * sec)
		r.next(Tick{At: r.s.NextAttest})
		r.next(Unreachable{At: r.s.Now, Flight: r.s.Flight.ID, Text: "no route"}).open("a", "b").quiet()
		if r.s.Online || r.s.BrokerError != "no route" || r.s.LastRevocation != nil {
			t.Errorf("state %+v", r.s)
		}
		r.next(Tick{At: 2*sec + ttlA - 1}).open("a", "b")
		r.next(Tick{At: 2*sec + ttlA}).open("b")
		r.next(Tick{At: 2*sec + ttlB}).open()
		r.next(Unreachable{At: r.s.Now, Flight: r.s.Flight.ID, Text: "no route"}).headline(r.s.Now, OfflineHeadline)
		r.next(Tick{At: r.s.NextAttest}).both(r.s.Now).open("a", "b").headline(r.s.Now, CompliantHeadline)
	})
	t.Run("rejected", func(t *testing.T) {
		r := start(t).signIn(sec).both(2 * sec)
		r.next(Tick{At: r.s.NextAttest})
		r.next(Rejected{At: r.s.Now, Flight: r.s.Flight.ID, Code: api.CodeDeviceRevoked, Text: "revoked"}).
			open().quiet().headline(r.s.Now, NotCompliantHeadline)
		if !r.s.Session.SignedIn || r.s.Rejection == nil || r.s.NextAttest <= r.s.Now ||
			r.s.Apps["a"].ClosedCause != api.CodeDeviceRevoked {
			t.Errorf("state %+v", r.s)
		}
		r.next(Tick{At: r.s.NextAttest})
		r.attests(false)
		r.both(r.s.Now).open("a", "b")
		if r.s.Rejection != nil {
			t.Error("the rejection outlives an answer")
		}
	})
	for _, code := range []string{api.CodeSignedOut, api.CodeUnauthorized, api.OAuthInvalidGrant} {
		t.Run(code, func(t *testing.T) {
			r := start(t).signIn(sec).both(2 * sec)
			r.next(PostureChanged{At: 3 * sec})
			r.next(Rejected{At: 3 * sec, Flight: r.s.Flight.ID, Code: code}).open().quiet()
			if f, n := effect[ForgetSession](r); n != 1 || f.Cause != code || r.s.Session.SignedIn {
				t.Errorf("effects %+v", r.effects)
			}
			r.headline(3*sec, SignedOutHeadline)
		})
	}
}

func TestBackoff(t *testing.T) {
	r := start(t).signIn(sec)
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30, 30} {
		want *= sec
		r.next(Unreachable{At: r.s.Now, Flight: r.s.Flight.ID, Text: "x"}).quiet()
		wait := r.s.NextAttest - r.s.Now
		if wait < want*8/10 || wait > min(want*12/10, 30*sec) {
			t.Errorf("wait %d is %v, want about %v", i+1, wait, want)
		}
		r.next(Tick{At: r.s.NextAttest - 1}).quiet()
		r.next(Tick{At: r.s.NextAttest})
		r.attests(false)
	}
	r.both(r.s.Now)
	if r.s.Failures != 0 || !r.s.Online {
		t.Error("an answer did not end the backoff")
	}
}

func TestNextAttestation(t *testing.T) {
	for name, c := range map[string]struct {
		after    int64
		leases   []api.Lease
		min, max time.Duration
	}{
		"as the broker says":   {10_000, []api.Lease{granted("a", ttlA)}, 8 * sec, 12 * sec},
		"half-life by default": {0, []api.Lease{granted("a", ttlA), granted("b", ttlB)}, 8 * sec, 12 * sec},
		"not too late":         {60_000, []api.Lease{granted("a", ttlA)}, 15 * sec, 15 * sec},
		"not too soon":         {1, []api.Lease{granted("a", ttlA)}, 5 * sec, 5 * sec},
		"nothing granted":      {0, nil, 24 * sec, 36 * sec},
		"nothing, and at once": {1, nil, sec, sec},
		"nothing, and never":   {math.MaxInt64, nil, maxIdle, maxIdle},
		"a tiny lease":         {0, []api.Lease{granted("a", 8*time.Millisecond)}, minPause, minPause},
	} {
		t.Run(name, func(t *testing.T) {
			seen := map[time.Duration]bool{}
			for seed := range uint64(50) {
				r := &run{t: t, s: New(seed)}
				r.signIn(sec).answer(sec, api.Answer{Leases: c.leases, AttestAfterMS: c.after})
				wait := r.s.NextAttest - sec
				if wait < c.min || wait > c.max {
					t.Fatalf("next after %v, want %v to %v", wait, c.min, c.max)
				}
				seen[wait] = true
				if w, _ := effect[WakeAt](r); w.At > r.s.NextAttest {
					t.Errorf("wakes at %v, next is due at %v", w.At, r.s.NextAttest)
				}
			}
			if c.min != c.max && len(seen) < 20 {
				t.Errorf("only %d different waits for 50 seeds", len(seen))
			}
		})
	}
}

func TestBrokerSays(t *testing.T) {
	r := start(t).signIn(sec).both(2 * sec)
	r.next(BrokerSays{At: 3 * sec, Name: api.EventLeaseRevoked, Event: api.Event{Lease: "of another"}}).
		open("a", "b").quiet()
	r.next(BrokerSays{At: 3 * sec, Name: api.EventLeaseRevoked, Event: api.Event{Lease: "lease-b"}}).open("a")
	first := r.attests(false)
	if v := r.s.LastRevocation; v.Cause != CauseRevoked || !slices.Equal(v.Apps, []string{"b"}) {
		t.Errorf("revocation %+v", v)
	}
	// A lease that is on its way to us is revoked before it arrives.
	r.next(BrokerSays{At: 3 * sec, Name: api.EventLeaseRevoked, Event: api.Event{Lease: "new"}})
	if c, _ := effect[CancelAttest](r); c.Flight != first.Flight {
		t.Error("its answer may still come")
	}
	r.attests(false)
	r.both(4 * sec)
	for _, name := range []string{api.EventObservations, api.EventMessage, "from a newer broker"} {
		r.next(BrokerSays{At: 4 * sec, Name: name}).open("a", "b").quiet()
	}
	r.next(BrokerSays{At: 4 * sec, Name: api.EventAttestNow}).open("a", "b").attests(false)
	r.next(BrokerSays{At: 5 * sec, Name: api.EventSignedOut}).open().headline(5*sec, SignedOutHeadline)
	if _, n := effect[ForgetSession](r); n != 1 {
		t.Errorf("effects %+v", r.effects)
	}
}

func TestNetworkWoke(t *testing.T) {
	r := start(t).signIn(sec)
	r.next(NetworkWoke{At: 2 * sec}).quiet()
	// What was asked over the old network is asked again without waiting.
	r.next(Unreachable{At: 3 * sec, Flight: r.s.Flight.ID, Text: "x"}).attests(false)
	r.next(Unreachable{At: 4 * sec, Flight: r.s.Flight.ID, Text: "x"}).quiet()
	r.next(NetworkWoke{At: 4 * sec}).attests(false)
	r.both(5 * sec)
	r.next(NetworkWoke{At: 6 * sec}).quiet().next(Tick{At: 6*sec + wakePause}).attests(true)
	// After a long sleep everything is over by its own time.
	r.both(9 * sec)
	r.next(NetworkWoke{At: 9 * time.Hour}).open().attests(true)
}

func TestSessionEndsByTime(t *testing.T) {
	r := start(t).next(SignedIn{At: sec, Person: api.Person{Subject: "s"}, KnownApps: known(), Ends: 10 * sec})
	r.both(2 * sec)
	if w, _ := effect[WakeAt](r); w.At > 10*sec {
		t.Errorf("wakes at %v", w.At)
	}
	r.next(Tick{At: 10*sec - 1}).open("a", "b")
	r.next(Tick{At: 10 * sec}).open().headline(10*sec, SignedOutHeadline)
	if f, _ := effect[ForgetSession](r); f.Cause != CauseSessionEnded {
		t.Errorf("effects %+v", r.effects)
	}
}

func TestLostFlight(t *testing.T) {
	r := start(t).signIn(sec)
	id := r.s.Flight.ID
	r.next(Tick{At: sec + flightLimit - 1}).quiet()
	r.next(Tick{At: sec + flightLimit}).quiet()
	if c, _ := effect[CancelAttest](r); c.Flight != id || r.s.Online {
		t.Errorf("effects %+v", r.effects)
	}
	r.next(Tick{At: r.s.NextAttest}).attests(false)
}

func TestAnotherPersonStartsAnew(t *testing.T) {
	r := start(t).signIn(sec).both(2 * sec)
	gens := maps.Clone(r.s.keyGens())
	r.next(SignedIn{At: 3 * sec, Person: api.Person{Issuer: "i", Subject: "other"}}).open()
	if a := r.attests(false); len(a.Keys) != 0 || len(r.tunnels().Apps) != 0 {
		t.Errorf("keys %v, apps %v", a.Keys, r.tunnels().Apps)
	}
	r.answer(4*sec, api.Answer{Denied: []api.DeniedApp{refused("a", api.ReasonNoTunnelKey)}})
	if a := r.attests(true); a.Keys["a"] == gens["a"] {
		t.Error("a key of another person is used again")
	}
}

func TestSameSignInGetsNewKeys(t *testing.T) {
	r := start(t).signIn(sec).answer(2*sec, api.Answer{Leases: []api.Lease{granted("a", ttlA)},
		Denied: []api.DeniedApp{refused("b", "org/edr")}})
	before := r.s.keyGens()
	r.signIn(3 * sec).open()
	a := r.attests(false)
	for app, gen := range a.Keys {
		if before[app] == gen {
			t.Errorf("the key of %s is used in two sessions", app)
		}
	}
}

// keyGens lists the keys that the applications have now.
func (s State) keyGens() map[string]int {
	gens := map[string]int{}
	for id, a := range s.Apps {
		gens[id] = a.KeyGen
	}
	return gens
}

func TestStopIsTheEnd(t *testing.T) {
	r := start(t).signIn(sec).both(2 * sec)
	r.next(PostureChanged{At: 3 * sec})
	r.next(Stop{At: 3 * sec}).open()
	if _, n := effect[CancelAttest](r); n != 1 {
		t.Errorf("effects %+v", r.effects)
	}
	if _, n := effect[ForgetSession](r); n != 0 {
		t.Error("stopping the agent ended the session")
	}
	if _, n := effect[WakeAt](r); n != 0 {
		t.Error("wakes after the end")
	}
	r.signIn(4 * sec).open().quiet()
}

func TestTimeDoesNotGoBack(t *testing.T) {
	r := start(t).signIn(sec).both(2 * sec)
	r.next(Tick{At: 2*sec + ttlA}).open("b")
	r.next(Tick{At: 3 * sec}).open("b")
	if r.s.Now != 2*sec+ttlA {
		t.Errorf("now is %v", r.s.Now)
	}
}

func TestStateSharesNothingWithTheAnswer(t *testing.T) {
	r := start(t).signIn(sec)
	answer := api.Answer{Checks: []api.Check{{Code: "org/x"}},
		Leases: []api.Lease{granted("a", ttlA)}, Denied: []api.DeniedApp{refused("b", "org/edr")}}
	r.answer(2*sec, answer)
	before := copyDeep(r.s)
	answer.Checks[0].Code = "changed"
	answer.Leases[0].StandsOn[0] = "changed"
	answer.Leases[0].Tunnel.Ports[0] = 1
	answer.Denied[0].Reasons[0] = "changed"
	r.tunnels().Wanted[0].Ports[0] = 2
	if !reflect.DeepEqual(before, r.s) {
		t.Error("the state changed with what it was made from")
	}
}

func TestSameArgumentsSameResults(t *testing.T) {
	for range 20 {
		x, y := start(t).signIn(sec).both(2*sec), start(t).signIn(sec).both(2*sec)
		for _, e := range []Event{Tick{At: time.Hour}, SignedIn{At: time.Hour}, Rejected{At: 3 * sec}} {
			sx, fx := Next(x.s, e)
			sy, fy := Next(y.s, e)
			if !reflect.DeepEqual(sx, sy) || !reflect.DeepEqual(fx, fy) {
				t.Fatalf("%T gives %+v and %+v", e, fx, fy)
			}
		}
	}
}

func TestLimitedHeadline(t *testing.T) {
	r := start(t).signIn(sec)
	l := granted("a", ttlA)
	l.Limited = true
	r.answer(2*sec, api.Answer{Leases: []api.Lease{l, granted("b", ttlB)}}).headline(2*sec, LimitedHeadline)
	r.next(PostureChanged{At: 3 * sec}).answer(3*sec, api.Answer{Verdict: api.TierContraindicated}).
		headline(3*sec, NotCompliantHeadline)
	r.next(PostureChanged{At: 4 * sec}).answer(4*sec, api.Answer{Verdict: api.TierAffirming}).
		headline(4*sec, CompliantHeadline)
}

// TestNextPersonLearnsNothing: what was taken from whom is theirs who were
// signed in, and with the session it is gone.
func TestNextPersonLearnsNothing(t *testing.T) {
	bob := SignedIn{At: 4 * time.Second, Person: api.Person{Issuer: "i", Subject: "bob"}}
	for name, e := range map[string]Event{
		"signed out": SignedOut{At: 4 * time.Second}, "told so": BrokerSays{At: 4 * time.Second, Name: api.EventSignedOut}, "another person": bob,
	} {
		r := start(t).signIn(1 * time.Second).both(2 * time.Second)
		r.next(PostureChanged{At: 3 * time.Second, Worse: []string{"firewall.enabled"}})
		if r.s.LastRevocation == nil {
			t.Fatal("nothing was closed")
		}
		if r.next(e); r.s.LastRevocation != nil {
			t.Errorf("%s: %+v", name, r.s.LastRevocation)
		}
	}
}
