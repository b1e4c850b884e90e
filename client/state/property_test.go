package state

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
)

// happening is one letter of the alphabet: how long after the one before it
// comes, and what it is, given the last flight that began.
type happening struct {
	name  string
	after time.Duration
	event func(at time.Duration, last int64, sent time.Duration) Event
}

func answering(leases []api.Lease, denied ...api.DeniedApp) func(time.Duration, int64, time.Duration) Event {
	answer := api.Answer{Verdict: api.TierAffirming, Leases: leases, Denied: denied}
	return func(at time.Duration, last int64, sent time.Duration) Event {
		return Answered{At: at, Flight: last, SentAt: sent, Answer: answer}
	}
}

func plain(make func(at time.Duration) Event) func(time.Duration, int64, time.Duration) Event {
	return func(at time.Duration, _ int64, _ time.Duration) Event { return make(at) }
}

func alphabet() []happening {
	a, b, c := granted("a", ttlA), granted("b", ttlB), granted("c", ttlB)
	late := answering([]api.Lease{a, b})
	return []happening{
		{"sign-in", time.Second, plain(func(at time.Duration) Event {
			return SignedIn{At: at, Person: api.Person{Issuer: "i", Subject: "s"}, KnownApps: known()}
		})},
		{"sign-out", time.Second, plain(func(at time.Duration) Event { return SignedOut{At: at} })},
		{"firewall-worse", time.Second, plain(func(at time.Duration) Event {
			return PostureChanged{At: at, Worse: []string{"disk.system_status", "firewall.enabled"}}
		})},
		{"edr-worse", time.Second, plain(func(at time.Duration) Event {
			return PostureChanged{At: at, Worse: []string{"edr[falcon].running"}}
		})},
		{"posture-other", time.Second, plain(func(at time.Duration) Event { return PostureChanged{At: at} })},
		{"answer-ab", time.Second, answering([]api.Lease{a, b})},
		{"answer-a", time.Second, answering([]api.Lease{a}, refused("b", "org/edr"))},
		{"answer-old", time.Second, func(at time.Duration, last int64, sent time.Duration) Event {
			return late(at, last-1, sent)
		}},
		{"rejected", time.Second, func(at time.Duration, last int64, _ time.Duration) Event {
			return Rejected{At: at, Flight: last, Code: api.CodeQuarantined}
		}},
		{"unreachable", time.Second, func(at time.Duration, last int64, _ time.Duration) Event {
			return Unreachable{At: at, Flight: last, Text: "no route"}
		}},
		{"sleep", 15 * time.Second, plain(func(at time.Duration) Event { return Tick{At: at} })},
		{"revoked-a", time.Second, plain(func(at time.Duration) Event {
			return BrokerSays{At: at, Name: api.EventLeaseRevoked, Event: api.Event{Lease: "lease-a"}}
		})},
		{"stop", time.Second, plain(func(at time.Duration) Event { return Stop{At: at} })},
		{"answer-abc", time.Second, answering([]api.Lease{a, b, c})},
		// What follows comes in shorter sequences only.
		{"session-rejected", time.Second, func(at time.Duration, last int64, _ time.Duration) Event {
			return Rejected{At: at, Flight: last, Code: api.CodeSignedOut}
		}},
		{"told-to-attest", time.Second, plain(func(at time.Duration) Event {
			return BrokerSays{At: at, Name: api.EventAttestNow}
		})},
		{"network", time.Second, plain(func(at time.Duration) Event { return NetworkWoke{At: at} })},
		{"pause", time.Second, plain(func(at time.Duration) Event {
			return Pause{At: at, Until: at + 17*time.Second, Reason: "lunch"}
		})},
		{"resume", time.Second, plain(func(at time.Duration) Event { return Resume{At: at} })},
		{"start-paused", time.Second, plain(func(at time.Duration) Event {
			return SignedIn{At: at, Person: api.Person{Issuer: "i", Subject: "s"}, KnownApps: known(), Pause: &Paused{Reason: "lunch", Until: at + 17*time.Second}}
		})},
		{"check", time.Second, plain(func(at time.Duration) Event { return CheckNow{At: at} })},
		{"long-sleep", 46 * time.Second, plain(func(at time.Duration) Event { return Tick{At: at} })},
	}
}

// moment is what happened, as somebody sees it who knows no State: the letter,
// the time, and which attestation began and was in the air.
type moment struct {
	name   string
	at     time.Duration
	last   int64 // the flight that an answer here is to
	inAir  int64 // before the event; 0: none
	began  int64 // the flight that began here; 0: none
	cancel bool  // the flight in the air was given up here
	keys   map[string]int
}

// world is one path through the tree of all sequences.
type world struct {
	t     *testing.T
	h     []happening
	state State
	path  []moment
	dead  []int          // key generations whose tunnels were closed
	alive map[string]int // key generation of each open tunnel
	nodes *int
}

func (w *world) story() string {
	var names []string
	for _, m := range w.path {
		names = append(names, m.name)
	}
	return strings.Join(names, " ")
}

// inAir is which attestation nobody has ended yet.
func inAir(path []moment) int64 {
	for i := len(path) - 1; i >= 0; i-- {
		m := path[i]
		if m.began != 0 {
			return m.began
		}
		if m.cancel || ends(m) {
			return 0
		}
	}
	return 0
}

// ends tells whether the letter is an answer of any kind to the flight in the air.
func ends(m moment) bool {
	if m.inAir == 0 || m.cancel {
		return false
	}
	switch m.name {
	case "answer-ab", "answer-a", "answer-abc", "rejected", "unreachable", "session-rejected":
		return m.last == m.inAir
	case "answer-old":
		return m.last-1 == m.inAir
	}
	return false
}

// The oracle. It looks back over the whole story each time and keeps nothing.

// grant says that the moment i of the path gave the app a lease, and its end.
func grant(path []moment, i int, app string) (end time.Duration, ok bool) {
	m := path[i]
	apps := map[string]string{"answer-ab": "ab", "answer-a": "a", "answer-abc": "abc"}[m.name]
	if !strings.Contains(apps, app) || !ends(m) {
		return 0, false
	}
	from := slices.IndexFunc(path, func(x moment) bool { return x.began == m.last })
	if _, carried := path[from].keys[app]; !carried {
		return 0, false
	}
	// Its key died under way if a lease from before ended meanwhile.
	if before, open := openUntil(path[:from+1], app); open && before <= m.at {
		return 0, false
	}
	ttl := map[string]time.Duration{"a": ttlA, "b": ttlB, "c": ttlB}[app]
	end = path[from].at + ttl
	return end, end > m.at
}

// kills says that at moment i every lease of the app was ended, other than by
// time.
func kills(path []moment, i int, app string) bool {
	m := path[i]
	switch m.name {
	case "sign-in", "sign-out", "stop", "pause", "start-paused":
		return true
	case "firewall-worse", "revoked-a":
		return app == "a"
	case "edr-worse":
		return app == "b"
	case "rejected", "session-rejected":
		return ends(m)
	case "answer-ab":
		return ends(m) && app == "c"
	case "answer-a":
		return ends(m) && app != "a"
	}
	return false
}

// openUntil says whether the app may be open after the path, and how long.
func openUntil(path []moment, app string) (end time.Duration, open bool) {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i].name == "stop" {
			return 0, false
		}
	}
	for i := len(path) - 1; i >= 0; i-- {
		if kills(path, i, app) {
			return 0, false
		}
		if end, ok := grant(path, i, app); ok {
			return end, end > path[len(path)-1].at
		}
	}
	return 0, false
}

func (w *world) step(h happening) {
	at, last, sent := time.Minute, int64(0), time.Minute
	if n := len(w.path); n > 0 {
		at = w.path[n-1].at + h.after
	}
	for _, m := range w.path {
		if m.began != 0 {
			last, sent = m.began, m.at
		}
	}
	m := moment{name: h.name, at: at, last: last, inAir: inAir(w.path)}
	next, effects := Next(w.state, h.event(at, last, sent))
	w.state = next
	*w.nodes++
	tunnels := w.look(effects, &m)
	w.path = append(w.path, m)
	w.checkOpen(tunnels)
	w.checkKeys(tunnels, m)
}

// look reads the effects: one list of tunnels, first; one flight at a time.
func (w *world) look(effects []Effect, m *moment) Tunnels {
	var tunnels Tunnels
	flying := m.inAir
	if flying != 0 && ends(*m) {
		flying = 0
	}
	for i, e := range effects {
		switch e := e.(type) {
		case Tunnels:
			if i != 0 {
				w.t.Fatalf("%s, %s: tunnels are effect %d", w.story(), m.name, i)
			}
			tunnels = e
		case CancelAttest:
			if e.Flight != m.inAir {
				w.t.Fatalf("%s, %s: cancel of flight %d, in the air is %d", w.story(), m.name, e.Flight, m.inAir)
			}
			m.cancel, flying = true, 0
		case Attest:
			if flying != 0 {
				w.t.Fatalf("%s, %s: flight %d begins beside %d", w.story(), m.name, e.Flight, flying)
			}
			if e.Flight <= m.last {
				w.t.Fatalf("%s, %s: flight %d after %d", w.story(), m.name, e.Flight, m.last)
			}
			m.began, m.keys, flying = e.Flight, e.Keys, e.Flight
		}
	}
	if _, ok := effects[0].(Tunnels); !ok {
		w.t.Fatalf("%s, %s: first effect %T", w.story(), m.name, effects[0])
	}
	return tunnels
}

func (w *world) checkOpen(tunnels Tunnels) {
	got := map[string]time.Duration{}
	for _, x := range tunnels.Wanted {
		got[x.App] = x.Until
	}
	want := map[string]time.Duration{}
	for _, app := range []string{"a", "b", "c"} {
		if end, open := openUntil(w.path, app); open {
			want[app] = end
		}
	}
	if !maps.Equal(got, want) {
		w.t.Fatalf("after %s\nopen: %v\nallowed: %v", w.story(), got, want)
	}
}

func (w *world) checkKeys(tunnels Tunnels, m moment) {
	now := map[string]int{}
	for _, x := range tunnels.Wanted {
		now[x.App] = x.KeyGen
	}
	for app, gen := range w.alive {
		if now[app] != gen {
			w.dead = append(w.dead, gen)
		}
	}
	w.alive = now
	for _, gen := range slices.Concat(slices.Collect(maps.Values(now)), slices.Collect(maps.Values(m.keys))) {
		if slices.Contains(w.dead, gen) || gen == 0 {
			w.t.Fatalf("after %s: key generation %d is used again", w.story(), gen)
		}
	}
}

// explore goes through every sequence of depth letters from here.
func explore(w world, depth int) {
	if depth == 0 || w.state.Stopped && depth > 2 {
		return // two letters show that nothing comes after a stop
	}
	before := copyDeep(w.state)
	for _, h := range w.h {
		child := w
		child.path, child.dead = slices.Clip(w.path), slices.Clip(w.dead)
		child.step(h)
		explore(child, depth-1)
	}
	if !reflect.DeepEqual(before, w.state) {
		w.t.Fatalf("after %s: a later event changed this state", w.story())
	}
}

// copyDeep shares nothing with s that can be written to.
func copyDeep(s State) State {
	if s.Apps == nil {
		return s // nothing has happened yet
	}
	s = s.clone()
	for id, a := range s.Apps {
		a.Denied = slices.Clone(a.Denied)
		if a.Lease != nil {
			l := *a.Lease
			l.Tunnel, l.StandsOn = l.Tunnel.Clone(), slices.Clone(l.StandsOn)
			a.Lease = &l
		}
		s.Apps[id] = a
	}
	s.Checks, s.Needs, s.Forecast = slices.Clone(s.Checks), maps.Clone(s.Needs), slices.Clone(s.Forecast)
	if s.Flight != nil {
		f := *s.Flight
		f.Gens = maps.Clone(f.Gens)
		s.Flight = &f
	}
	if s.LastRevocation != nil {
		r := *s.LastRevocation
		r.Apps, r.Facts = slices.Clone(r.Apps), slices.Clone(r.Facts)
		s.LastRevocation = &r
	}
	return s
}

// TestAllSequences tries every sequence of events, from several beginnings.
func TestAllSequences(t *testing.T) {
	all := alphabet()
	find := func(name string) happening {
		return all[slices.IndexFunc(all, func(h happening) bool { return h.name == name })]
	}
	for _, c := range []struct {
		begin   []string
		letters int
		depth   int
	}{
		{nil, len(all), 4},
		{[]string{"sign-in"}, 14, 5},
		{[]string{"sign-in", "answer-ab"}, len(all), 4},
		{[]string{"sign-in", "answer-ab", "sleep"}, len(all), 4},
		{[]string{"sign-in", "answer-abc"}, len(all), 4},
		{[]string{"sign-in", "answer-ab", "unreachable", "long-sleep"}, len(all), 3},
	} {
		t.Run(fmt.Sprint(strings.Join(c.begin, " "), "+", c.depth), func(t *testing.T) {
			t.Parallel()
			nodes := 0
			w := world{t: t, h: all[:c.letters], state: New(7), nodes: &nodes}
			if len(c.begin) == 0 {
				w.state = State{}
			}
			for _, name := range c.begin {
				w.step(find(name))
			}
			explore(w, c.depth)
			t.Logf("%d events", nodes)
		})
	}
}
