package state

import (
	"encoding/base64"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
)

const (
	ttlA = 20 * time.Second
	ttlB = 40 * time.Second
)

func key(fill byte) string {
	return base64.StdEncoding.EncodeToString(slices.Repeat([]byte{fill}, 32))
}

// granted is a lease as a broker would give it. What stands on what: a on the
// firewall and the system's version, b on any EDR product that runs.
func granted(app string, ttl time.Duration) api.Lease {
	n := app[0]
	stands := map[string][]string{
		"a": {"firewall.enabled", "os_version.version"},
		"b": {"edr[*].running"},
	}
	return api.Lease{
		ID: "lease-" + app, App: api.AppInfo{ID: app, Name: app}, TTLMS: ttl.Milliseconds(), StandsOn: stands[app],
		Tunnel: api.Tunnel{
			ID: "tunnel-" + app, PublicKey: key(n), PresharedKey: key(200),
			Gateway:   api.GatewayEndpoint{ID: "g", Epoch: "1", PublicKey: key(100), Endpoints: []string{"127.0.0.1:51820"}},
			Addresses: []string{"100.64.0.2"}, Virtual: []string{"100.127.0.1"}, Ports: []int{80}, Primary: 80,
		},
	}
}

func refused(app string, reasons ...string) api.DeniedApp {
	return api.DeniedApp{App: api.AppInfo{ID: app, Name: app}, Reasons: reasons}
}

func known() []api.AppInfo {
	return []api.AppInfo{{ID: "a", Name: "a"}, {ID: "b", Name: "b"}}
}

// run is a state with what its last event caused.
type run struct {
	t       *testing.T
	s       State
	effects []Effect
}

func start(t *testing.T) *run { return &run{t: t, s: New(7)} }

func (r *run) next(e Event) *run {
	r.t.Helper()
	r.s, r.effects = Next(r.s, e)
	return r
}

// signIn signs in at moment at with both applications known.
func (r *run) signIn(at time.Duration) *run {
	r.t.Helper()
	return r.next(SignedIn{At: at, Person: api.Person{Issuer: "i", Subject: "s"}, KnownApps: known()})
}

// answer answers the flight in the air, sent when it began.
func (r *run) answer(at time.Duration, a api.Answer) *run {
	r.t.Helper()
	if r.s.Flight == nil {
		r.t.Fatal("nothing in the air to answer")
	}
	return r.next(Answered{At: at, SentAt: at, Flight: r.s.Flight.ID, Answer: a})
}

func (r *run) both(at time.Duration) *run {
	r.t.Helper()
	return r.answer(at, api.Answer{Verdict: api.TierAffirming,
		Leases: []api.Lease{granted("a", ttlA), granted("b", ttlB)}})
}

func (r *run) open(want ...string) *run {
	r.t.Helper()
	var got []string
	for _, w := range r.tunnels().Wanted {
		got = append(got, w.App)
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("open are %v, want %v", got, want)
	}
	return r
}

func (r *run) tunnels() Tunnels {
	r.t.Helper()
	list, ok := r.effects[0].(Tunnels)
	if !ok {
		r.t.Fatalf("the first effect is %T", r.effects[0])
	}
	return list
}

// effect finds the one effect of its type.
func effect[E Effect](r *run) (found E, n int) {
	for _, e := range r.effects {
		if x, ok := e.(E); ok {
			found = x
			n++
		}
	}
	return found, n
}

// attests checks that an attestation of that kind began.
func (r *run) attests(renewal bool) Attest {
	r.t.Helper()
	a, n := effect[Attest](r)
	if n != 1 || a.Renewal != renewal {
		r.t.Fatalf("effects %+v, want one attestation with renewal %v", r.effects, renewal)
	}
	if r.s.Flight == nil || r.s.Flight.ID != a.Flight || !maps.Equal(r.s.Flight.Gens, a.Keys) {
		r.t.Errorf("flight %+v, effect %+v", r.s.Flight, a)
	}
	return a
}

func (r *run) quiet() *run {
	r.t.Helper()
	if _, n := effect[Attest](r); n != 0 {
		r.t.Errorf("effects %+v, want no attestation", r.effects)
	}
	return r
}

func (r *run) headline(at time.Duration, want string) *run {
	r.t.Helper()
	if got := r.s.Headline(at); got != want {
		r.t.Errorf("headline %s, want %s", got, want)
	}
	return r
}
