package e2e

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/store"
	"github.com/postern-zt/postern/testfixtures/rig"
)

// slowStore makes one reading of a session wait, the one that comes after so
// many others.
type slowStore struct {
	store.Store
	left    atomic.Int64 // readings until the one that waits; 0: none does
	reached chan struct{}
	goOn    chan struct{}
}

func (s *slowStore) SessionByID(ctx context.Context, id string) (store.Session, error) {
	if s.left.Load() > 0 && s.left.Add(-1) == 0 {
		close(s.reached)
		<-s.goOn
	}
	return s.Store.SessionByID(ctx, id)
}

// TestReloadOvertakesAnAttestation: a grant that was being written under the
// policy before must not reach the gateway after the new one.
func TestReloadOvertakesAnAttestation(t *testing.T) {
	slow := &slowStore{reached: make(chan struct{}), goOn: make(chan struct{})}
	w := rig.New(t, rig.Options{Policy: wikiPolicy, Apps: []string{"wiki", "other"}, Store: func(s store.Store) store.Store {
		slow.Store = s
		return slow
	}})
	d := w.SignedIn(rig.DeviceOptions{})
	next, err := w.LoadPolicy(strings.Replace(wikiPolicy, "wiki.sock", "other.sock", 1))
	if err != nil {
		t.Fatal(err)
	}
	goOn := sync.OnceFunc(func() { close(slow.goOn) })
	t.Cleanup(goOn)
	slow.left.Store(2) // the check of the token; the grant
	leased := make(chan api.Lease, 1)
	go func() { leased <- d.Lease("wiki") }()
	<-slow.reached
	reloaded := make(chan error, 1)
	go func() { reloaded <- w.Broker.SetPolicy(context.WithoutCancel(t.Context()), next) }()
	select {
	case err := <-reloaded: // it was quicker than the attestation
		reloaded <- err
	case <-time.After(300 * time.Millisecond): // it waits for the attestation
	}
	goOn()
	l := <-leased
	if err := <-reloaded; err != nil {
		t.Fatal(err)
	}
	c := d.Tunnel(l)
	w.Await("the app is where the new policy says", func() bool {
		page, err := rig.Get(w.Context(), c, l, "/")
		return err == nil && page == "hello from other" || w.Apps["wiki"].Ever() > 0
	})
	if n := w.Apps["wiki"].Ever(); n > 0 {
		t.Errorf("%d connections went to where the app was", n)
	}
}

// brokenStore fails one ending of tunnels.
type brokenStore struct {
	store.Store
	fail atomic.Bool
}

var errDisk = errors.New("the disk is full")

func (s *brokenStore) EndTunnels(ctx context.Context, ids []string, cause string, now int64) error {
	if s.fail.CompareAndSwap(true, false) {
		return errDisk
	}
	return s.Store.EndTunnels(ctx, ids, cause, now)
}

// TestReloadGoesOn: what cannot be ended in the store must not keep the
// gateways on the policy before, which renewals would extend for ever.
func TestReloadGoesOn(t *testing.T) {
	broken := &brokenStore{}
	w := rig.New(t, rig.Options{Policy: twoApps, Apps: []string{"wiki", "other", "elsewhere"}, Store: func(s store.Store) store.Store {
		broken.Store = s
		return broken
	}})
	d := w.SignedIn(rig.DeviceOptions{})
	a, err := d.Attest(d.Healthy(), "wiki", "other")
	if err != nil {
		t.Fatal(err)
	}
	wiki := rig.LeaseOf(t, a, "wiki")
	c := d.Tunnel(wiki)
	d.Stream(c, wiki)
	told := make(chan string, 16)
	d.Events(func(name string, _ api.Event) { told <- name })
	p, err := w.LoadPolicy(strings.Replace(wikiPolicy, "wiki.sock", "elsewhere.sock", 1))
	if err != nil {
		t.Fatal(err)
	}
	broken.fail.Store(true)
	if err := w.Broker.SetPolicy(t.Context(), p); !errors.Is(err, errDisk) {
		t.Errorf("the fault is not told: %v", err)
	}
	w.Await("the flow to where the app was has ended", func() bool { return w.Apps["wiki"].Open() == 0 })
	if page, err := rig.Get(w.Context(), c, wiki, "/"); err != nil || page != "hello from elsewhere" {
		t.Errorf("got %q, %v", page, err)
	}
	for got := ""; got != api.EventAttestNow; {
		select {
		case got = <-told:
		case <-time.After(5 * time.Second):
			t.Fatal("the agent was not asked to attest")
		}
	}
}
