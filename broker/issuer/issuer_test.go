package issuer

import (
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/policy"
	"github.com/postern-zt/postern/broker/store"
)

func TestGatewayFor(t *testing.T) {
	a := Ask{
		Gateways: []store.Gateway{{ID: "new", Name: "berlin"}, {ID: "old", Name: "berlin"}, {ID: "dead", Name: "berlin"}, {ID: "paris", Name: "paris"}},
		Away:     map[string]bool{"dead": true},
	}
	for _, c := range []struct{ app, current, want string }{
		{"berlin", "", "new"},
		{"berlin", "old", "old"}, // moving would end what is flowing
		{"berlin", "dead", "new"},
		{"paris", "old", "paris"},
		{"", "paris", "paris"},
		{"rome", "", ""},
	} {
		got, found := a.gatewayFor(policy.App{Gateway: c.app}, c.current)
		if got.ID != c.want || found != (c.want != "") {
			t.Errorf("%q with a tunnel at %q: %q", c.app, c.current, got.ID)
		}
	}
	a.Away = map[string]bool{"new": true, "old": true, "dead": true}
	if got, _ := a.gatewayFor(policy.App{Gateway: "berlin"}, "old"); got.ID != "old" {
		t.Errorf("while all are away: %q", got.ID)
	}
}

func TestTTLs(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	i := &Issuer{Config: Config{Now: func() time.Time { return now }, Lease: time.Minute}}
	ends := store.Session{Ends: now.Add(40 * time.Second).UnixMilli()}
	if got := i.ttl(policy.AppDecision{}, ends, now); got != 40*time.Second {
		t.Errorf("session of 40 s: %s", got)
	}
	if got := i.ttl(policy.AppDecision{ValidFor: 5 * time.Second}, ends, now); got != 5*time.Second {
		t.Errorf("rule that flips in 5 s: %s", got)
	}
	one := store.Tunnel{ID: "tun", LeaseEnds: now.Add(30 * time.Second).UnixMilli()}
	now = now.Add(10 * time.Second)
	if r := i.Renewals([]store.Tunnel{one}); r[0].TTLMS != 20_000 {
		t.Errorf("of a lease of 30 s there are %d ms after 10 s", r[0].TTLMS)
	}
	now = now.Add(-time.Hour) // somebody set the clock back
	if r := i.Renewals([]store.Tunnel{one}); r[0].TTLMS != 60_000 {
		t.Errorf("a lease of a minute became %d ms", r[0].TTLMS)
	}
	now = now.Add(2 * time.Hour)
	if r := i.Renewals([]store.Tunnel{one}); r[0].TTLMS != 0 {
		t.Errorf("a lease that is over has %d ms", r[0].TTLMS)
	}
}

func TestAddressPlan(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range []int64{1, 255, 256, 65_535, maxInner} {
		inner, err := Inner(n)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range inner {
			if seen[a.String()] || (!innerV4.Contains(a) && !innerV6.Contains(a)) || virtualV4.Contains(a) || virtualV6.Contains(a) {
				t.Errorf("inner %d is %s", n, a)
			}
			seen[a.String()] = true
		}
	}
	for _, n := range []int64{0, -1, maxInner + 1} {
		if _, err := Inner(n); err == nil {
			t.Errorf("inner %d is in the plan", n)
		}
	}
	for _, n := range []int64{0, -1, 65_535} {
		if _, err := Virtual(n); err == nil {
			t.Errorf("virtual %d is in the plan", n)
		}
	}
	if a, err := Virtual(65_534); err != nil || !virtualV4.Contains(a[0]) || !virtualV6.Contains(a[1]) {
		t.Error(a, err)
	}
}
