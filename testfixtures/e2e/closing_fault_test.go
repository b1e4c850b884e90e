package e2e

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/testfixtures/rig"
)

// flowing opens the wiki on a new device with a flow through it.
func flowing(t *testing.T, w *rig.World, d *rig.Device) (api.Lease, *rig.Flow) {
	t.Helper()
	before := w.Apps["wiki"].Open()
	l := d.Lease("wiki")
	f := d.Stream(d.Tunnel(l), l)
	w.Await("the flow is at the app", func() bool { return w.Apps["wiki"].Open() == before+1 })
	return l, f
}

// more waits until more has come through a flow.
func more(w *rig.World, f *rig.Flow) {
	w.T.Helper()
	was := f.Bytes()
	w.Await("the flow goes on", func() bool { return f.Bytes() > was+1000 })
}

const twoApps = wikiPolicy + `  - id: other
    name: Other
    gateway: dev
    destinations: ["unix:${APPS}/other.sock"]
    ports: [80]
    checks: [disk]
`

func TestPolicyReload(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: twoApps, Apps: []string{"wiki", "other"}})
	d := w.SignedIn(rig.DeviceOptions{})
	a, err := d.Attest(d.Healthy(), "wiki", "other")
	if err != nil {
		t.Fatal(err)
	}
	wiki, other := rig.LeaseOf(t, a, "wiki"), rig.LeaseOf(t, a, "other")
	stays, goes := d.Stream(d.Tunnel(wiki), wiki), d.Stream(d.Tunnel(other), other)
	w.Await("both flows are there", func() bool { return w.Apps["wiki"].Open() == 1 && w.Apps["other"].Open() == 1 })
	told := make(chan string, 16)
	d.Events(func(name string, _ api.Event) { told <- name })

	if _, err := w.LoadPolicy(strings.Replace(twoApps, "device.encryption_status", "device.encryption_statsu", 1)); err == nil {
		t.Fatal("a wrong policy was loaded")
	}
	more(w, goes) // the one before stays in force

	w.SetPolicy(wikiPolicy)
	w.Await("the flow of the app that is gone has ended", func() bool { return w.Apps["other"].Open() == 0 })
	more(w, stays)
	for _, want := range []string{api.EventLeaseRevoked, api.EventAttestNow} {
		select {
		case got := <-told:
			if got != want {
				t.Errorf("the agent was told %s, want %s", got, want)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("the agent was not told %s", want)
		}
	}
	shut(t, d, other)
	if a, err = d.Attest(d.Healthy(), "wiki", "other"); err != nil || len(a.Leases) != 1 {
		t.Errorf("%d leases, %v", len(a.Leases), err)
	}
}

// TestPolicyMovesAnApp: a tunnel that lives on must not go on to where its app
// was.
func TestPolicyMovesAnApp(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy, Apps: []string{"wiki", "other"}})
	d := w.SignedIn(rig.DeviceOptions{})
	l := d.Lease("wiki")
	c := d.Tunnel(l)
	d.Stream(c, l)
	w.Await("the flow is there", func() bool { return w.Apps["wiki"].Open() == 1 })
	w.SetPolicy(strings.Replace(wikiPolicy, "wiki.sock", "other.sock", 1))
	w.Await("the flow to where it was has ended", func() bool { return w.Apps["wiki"].Open() == 0 })
	if page, err := rig.Get(w.Context(), c, l, "/"); err != nil || page != "hello from other" {
		t.Errorf("got %q, %v", page, err)
	}
}

func TestPending(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	d := w.SignedIn(rig.DeviceOptions{})
	w.SetFault(func(rw http.ResponseWriter, r *http.Request, broker http.Handler) {
		if r.URL.Path == api.PathAcks {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		broker.ServeHTTP(rw, r)
	})
	began := time.Now()
	l := d.Lease("wiki")
	if took := time.Since(began); !l.Pending || took < 250*time.Millisecond || took > 5*time.Second {
		t.Errorf("pending %t after %s", l.Pending, took)
	}
	opens(t, d, l)
	w.SetFault(nil)
	if d.Lease("wiki").Pending {
		t.Error("a lease that was only renewed is pending")
	}
}

func TestNoGateway(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy, NoGateway: true})
	d := w.SignedIn(rig.DeviceOptions{})
	a, err := d.Attest(d.Healthy(), "wiki")
	if err != nil || !slices.Equal(rig.Refused(a, "wiki"), []string{api.ReasonNoGateway}) {
		t.Errorf("denied %v, %v", a.Denied, err)
	}
	if a, err = d.Attest(d.Healthy()); err != nil || !slices.Equal(rig.Refused(a, "wiki"), []string{api.ReasonNoTunnelKey}) {
		t.Errorf("denied %v, %v", a.Denied, err)
	}
}

func TestGatewayStops(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	d := w.SignedIn(rig.DeviceOptions{})
	l, _ := flowing(t, w, d)
	w.Gateway.Stop()
	w.Await("the flow has ended at the app", func() bool { return w.Apps["wiki"].Open() == 0 })
	shut(t, d, l)
}

// TestGatewaySetUpAnew: the record that a gateway left behind must not draw
// people to where nobody listens.
func TestGatewaySetUpAnew(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	early, late := w.SignedIn(rig.DeviceOptions{}), w.SignedIn(rig.DeviceOptions{})
	var feeds atomic.Int64
	w.SetFault(func(rw http.ResponseWriter, r *http.Request, broker http.Handler) {
		if r.URL.Path == api.PathGatewayFeed {
			feeds.Add(1)
			defer feeds.Add(-1)
		}
		broker.ServeHTTP(rw, r)
	})
	w.Cut() // so that the feed is counted
	w.Await("the feed is back", func() bool { return feeds.Load() == 1 })
	old := early.Lease("wiki")
	w.Gateway.Stop()
	w.Await("the broker has noticed", func() bool { return feeds.Load() == 0 })
	w.Clock.Advance(15 * time.Second)
	w.StartGateway(rig.GatewayOptions{Name: "dev"})
	l := late.Lease("wiki")
	if l.Tunnel.Gateway.ID == old.Tunnel.Gateway.ID {
		t.Fatal("the lease is at the gateway that is gone")
	}
	opens(t, late, l)
	// One that has a tunnel there needs a new key to move.
	a, err := early.Attest(early.Healthy(), "wiki")
	if err != nil || !slices.Equal(rig.Refused(a, "wiki"), []string{"tunnel-key-used"}) {
		t.Fatalf("%v, %v", a.Denied, err)
	}
	delete(early.Keys, "wiki")
	opens(t, early, early.Lease("wiki"))
}

// TestSilenceIsClosed: nobody says anything to the gateway any more, and the
// lease ends there all the same.
func TestSilenceIsClosed(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy, Lease: 2 * time.Second})
	d := w.SignedIn(rig.DeviceOptions{})
	began := time.Now()
	_, f := flowing(t, w, d)
	w.SetFault(func(rw http.ResponseWriter, _ *http.Request, _ http.Handler) {
		rw.WriteHeader(http.StatusServiceUnavailable)
	})
	w.Cut()
	more(w, f)
	w.Await("the flow has ended at the app", func() bool { return w.Apps["wiki"].Open() == 0 })
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("a lease of 2 s lasted %s", took)
	}
}

// TestRenewalsExtend keeps a flow for longer than one lease lasts.
func TestRenewalsExtend(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy, Lease: 2 * time.Second})
	d := w.SignedIn(rig.DeviceOptions{})
	l, f := flowing(t, w, d)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for range 8 {
		<-tick.C
		if d.Lease("wiki").ID != l.ID {
			t.Fatal("a renewal gave another lease")
		}
	}
	more(w, f)
}

// TestReconnect: while the feed is away one person signs out. The snapshot
// ends what is gone, and what lives does not notice.
func TestReconnect(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	stays, goes := w.SignedIn(rig.DeviceOptions{}), w.SignedIn(rig.DeviceOptions{})
	_, kept := flowing(t, w, stays)
	_, lost := flowing(t, w, goes)
	var away atomic.Bool
	var tried atomic.Int64
	away.Store(true)
	w.SetFault(func(rw http.ResponseWriter, r *http.Request, broker http.Handler) {
		if r.URL.Path == api.PathGatewayFeed && away.Load() {
			tried.Add(1)
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		broker.ServeHTTP(rw, r)
	})
	w.Cut()
	w.Await("the gateway looks for its feed", func() bool { return tried.Load() > 0 })
	handle, err := goes.Broker.Forget()
	if err != nil {
		t.Fatal(err)
	}
	if err := goes.Broker.Revoke(w.Context(), handle); err != nil {
		t.Fatal(err)
	}
	more(w, lost)
	away.Store(false)
	w.Await("what is gone has ended", func() bool { return w.Apps["wiki"].Open() == 1 })
	if kept.Ended() {
		t.Fatal("the flow that should live has ended")
	}
	more(w, kept)
}

// TestEnrolTwiceAtOnce: both answers name one device.
func TestEnrolTwiceAtOnce(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy, NoGateway: true})
	d := w.Device(rig.DeviceOptions{})
	if _, err := d.API.Discover(w.Context()); err != nil {
		t.Fatal(err)
	}
	ids := make([]string, 4)
	var work sync.WaitGroup
	for n := range ids {
		work.Go(func() {
			e, err := d.API.Enrol(w.Context(), api.Enrolment{UEID: d.Broker.Record().UEID, Name: "laptop", Scope: api.ScopeUser, KeyProtection: api.KeyFile, Token: rig.DeviceToken, Hardware: d.Hardware})
			if err != nil {
				t.Error(err)
			}
			ids[n] = e.DeviceID
		})
	}
	work.Wait()
	if slices.Sort(ids); ids[0] != ids[3] || ids[0] == "" {
		t.Errorf("one device is %v", ids)
	}
}

func TestAdmission(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy, NoGateway: true})
	d := w.Device(rig.DeviceOptions{})
	if _, err := d.API.Discover(w.Context()); err != nil {
		t.Fatal(err)
	}
	enrol := func(scope, token string) error {
		_, err := d.API.Enrol(w.Context(), api.Enrolment{UEID: d.Broker.Record().UEID, Name: "laptop", Scope: scope, KeyProtection: api.KeyFile, Token: token})
		return err
	}
	wantNo(t, enrol(api.ScopeUser, "made-up"), api.CodeAdmission)
	wantNo(t, enrol(api.ScopeUser, ""), api.CodeAdmission)
	wantNo(t, enrol(api.ScopeGateway, rig.DeviceToken), api.CodeAdmission)
	wantNo(t, enrol(api.ScopeUser, rig.GatewayToken), api.CodeAdmission)
	wantNo(t, enrol("root", rig.DeviceToken), api.CodeBadEnrolment)
	if err := enrol(api.ScopeUser, rig.DeviceToken); err != nil {
		t.Fatal(err)
	}
	wantNo(t, enrol(api.ScopeGateway, rig.GatewayToken), api.CodeBadEnrolment) // the key is another device's
}
