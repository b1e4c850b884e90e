package agent

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/client/brokerclient"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// observer is the broker's word about observations, and the collectors that
// follow it.
type observer struct {
	mu       sync.Mutex
	kept     observe.Document
	next     observe.Document
	err      error
	asked    int
	block    chan struct{} // while it is not nil, the broker does not answer
	rows     []observe.EDRRow
	list     []observe.Observation
	forbid   observe.Forbid
	releases string
}

func (o *observer) KeptObservations() observe.Document {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.kept
}

func (o *observer) Observations(ctx context.Context) (observe.Document, bool, error) {
	o.mu.Lock()
	o.asked++
	block := o.block
	o.mu.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return observe.Document{}, false, ctx.Err()
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.kept, false, o.err
	}
	changed := o.next.Version != o.kept.Version
	o.kept = o.next
	return o.kept, changed, nil
}

func (o *observer) SetObservations(rows []observe.EDRRow, list []observe.Observation, forbid observe.Forbid) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rows, o.list, o.forbid = rows, list, forbid
}

func (o *observer) SetReleases(text string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.releases = text
	return nil
}

func (o *observer) set(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}

func (o *observer) ids() (rows, list []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.rows {
		rows = append(rows, r.ID)
	}
	for _, x := range o.list {
		list = append(list, x.ID)
	}
	return rows, list
}

const guard = "/opt/guard/guardd"

func document(version int64, ids ...string) observe.Document {
	d := observe.Document{Version: version}
	for _, id := range ids {
		d.Observations = append(d.Observations, observe.Observation{ID: id, Kind: observe.KindFile, Path: "/a/b", Origin: fact.OriginBroker})
	}
	d.EDR = []observe.EDRRow{{ID: "org/guard", Name: "Guard", Origin: fact.OriginBroker, Linux: []observe.Program{{Executable: guard}}}}
	return d
}

// inObservedLab is inLab with a broker that gives observations.
func inObservedLab(t *testing.T, kept, next observe.Document, test func(*lab, *observer)) {
	o := &observer{kept: kept, next: next}
	inLab(t, func(l *lab) {
		l.observe = Observe{Broker: o, Posture: o, Local: []observe.Observation{{ID: "local/x", Kind: observe.KindFile, Path: "/a/b", Origin: fact.OriginUserSettings}}}
		l.broker.record = brokerclient.Record{UEID: "u", DeviceID: "dev_1"}
	}, func(l *lab) { test(l, o) })
}

// What was kept counts before the broker was asked; what is new takes its
// place, with the programs that are watched.
func TestObservationsAreFollowed(t *testing.T) {
	inObservedLab(t, observe.Document{Version: 1}, document(2, "org/a"), func(l *lab, o *observer) {
		if rows, list := o.ids(); !slices.Equal(rows, []string{"org/guard"}) || !slices.Equal(list, []string{"org/a", "local/x"}) {
			t.Errorf("in force are %v and %v", rows, list)
		}
		l.watch.mu.Lock()
		if !slices.Contains(l.watch.paths, guard) {
			t.Errorf("watched are %v", l.watch.paths)
		}
		l.watch.mu.Unlock()
		o.set(func() { o.next = observe.Document{Version: 3} })
		l.pass(observeEvery)
		if rows, list := o.ids(); len(rows) != 0 || !slices.Equal(list, []string{"local/x"}) {
			t.Errorf("in force are %v and %v", rows, list)
		}
		l.watch.mu.Lock()
		defer l.watch.mu.Unlock()
		if slices.Contains(l.watch.paths, guard) {
			t.Error("a product is watched that nobody asks for any more")
		}
	})
}

func TestKeptObservationsCountFirst(t *testing.T) {
	inObservedLab(t, document(2, "org/kept"), document(2, "org/kept"), func(l *lab, o *observer) {
		if rows, list := o.ids(); !slices.Equal(rows, []string{"org/guard"}) || !slices.Equal(list, []string{"org/kept", "local/x"}) {
			t.Errorf("in force are %v and %v", rows, list)
		}
		l.watch.mu.Lock()
		defer l.watch.mu.Unlock()
		if !slices.Contains(l.watch.paths, guard) {
			t.Errorf("watched are %v", l.watch.paths)
		}
	})
}

// The broker is asked at the start, at each sign-in, when it says so, and every
// ten minutes; after a failure sooner.
func TestWhenObservationsAreAskedFor(t *testing.T) {
	inObservedLab(t, observe.Document{}, document(1), func(l *lab, o *observer) {
		asked := func(want int, what string) {
			t.Helper()
			synctest.Wait()
			o.mu.Lock()
			defer o.mu.Unlock()
			if o.asked != want {
				t.Errorf("%s: asked %d times, want %d", what, o.asked, want)
			}
			o.asked = 0
		}
		asked(1, "start")
		l.signIn(kim, "kim")
		l.broker.say(brokerclient.EventOpened, api.Event{})
		asked(1, "sign-in")
		l.broker.say(api.EventObservations, api.Event{})
		asked(1, "event")
		l.pass(observeEvery * 9 / 10)
		o.set(func() { o.asked = 0 })
		o.set(func() { o.err = errors.New("away") })
		l.broker.say(api.EventObservations, api.Event{})
		l.pass(observeAgain + time.Second)
		asked(2, "failure")
		if rows, _ := o.ids(); !slices.Equal(rows, []string{"org/guard"}) {
			t.Errorf("after a failure %v are looked for", rows)
		}
	})
}

// An attestation that the broker wishes for waits until what it asks to read is
// read, but not for ever; what closes does not wait.
func TestAttestationWaitsForObservations(t *testing.T) {
	for _, answers := range []bool{true, false} {
		inObservedLab(t, observe.Document{}, document(1), func(l *lab, o *observer) {
			l.signIn(kim, "kim")
			l.pass(time.Second)
			before := len(l.broker.attested())
			block := make(chan struct{})
			o.set(func() { o.block, o.next = block, document(2, "org/new") })
			l.broker.say(api.EventObservations, api.Event{})
			l.broker.say(api.EventAttestNow, api.Event{Code: "policy_changed"})
			synctest.Wait()
			if n := len(l.broker.attested()); n != before {
				t.Error("attested before what was asked for was read")
			}
			if answers {
				close(block)
				synctest.Wait()
				if _, list := o.ids(); !slices.Contains(list, "org/new") {
					t.Errorf("read is %v", list)
				}
			} else {
				l.broker.say(api.EventLeaseRevoked, api.Event{Lease: "lease-wiki"})
				synctest.Wait()
				l.happens("uid:1 open [payroll]")
				before = len(l.broker.attested())
				l.pass(observeFirst)
			}
			if n := len(l.broker.attested()); n <= before {
				t.Errorf("answers %t: the broker's wish was forgotten", answers)
			}
			if !answers {
				close(block)
			}
		})
	}
}

// What the settings forbid is not looked for, whoever asks.
func TestForbiddenProducts(t *testing.T) {
	o := &observer{next: document(1, "org/a")}
	inLab(t, func(l *lab) {
		l.observe = Observe{Broker: o, Posture: o, Forbid: observe.Forbid{Paths: []string{"/opt/guard"}}}
		l.broker.record = brokerclient.Record{UEID: "u", DeviceID: "dev_1"}
	}, func(l *lab) {
		rows, list := o.ids()
		if len(rows) != 0 || !slices.Equal(list, []string{"org/a"}) || len(o.forbid.Paths) != 1 {
			t.Errorf("in force are %v and %v", rows, list)
		}
	})
}
