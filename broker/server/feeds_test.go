package server

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
)

func nothing(seq int64) (any, error) { return api.Snapshot{Seq: seq, Grants: []api.Grant{}}, nil }

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func openFeeds(t *testing.T) (*feeds, *feed, *time.Time) {
	t.Helper()
	now := time.Unix(1_800_000_000, 0)
	f := newFeeds(func() time.Time { return now })
	n, err := f.connect("gw", nothing)
	if err != nil {
		t.Fatal(err)
	}
	return f, n, &now
}

func renewal(seq int64) any { return api.Renewal{Seq: seq, Grant: "ses"} }

func TestFeedBeginsWithSnapshotAndRises(t *testing.T) {
	f, n, _ := openFeeds(t)
	first := <-n.ch
	if first.name != api.FeedSnapshot || first.id <= 1_800_000_000_000 {
		t.Errorf("the first message is %s %d", first.name, first.id)
	}
	last := first.id
	for range 3 {
		seq := f.publish("gw", api.FeedRenew, renewal)
		m := <-n.ch
		var r api.Renewal
		if err := json.Unmarshal(m.data, &r); err != nil || m.id != seq || r.Seq != seq || seq <= last {
			t.Errorf("message %d holds %d after %d: %v", m.id, r.Seq, last, err)
		}
		last = seq
	}
	if f.publish("another", api.FeedRenew, renewal) != 0 {
		t.Error("something was sent to a gateway without a stream")
	}
}

func TestFeedOverflow(t *testing.T) {
	f, n, _ := openFeeds(t)
	sent := 0
	for f.publish("gw", api.FeedRenew, renewal) != 0 {
		if sent++; sent > feedBuffer {
			t.Fatal("a stream that nobody reads takes everything")
		}
	}
	if sent != feedBuffer-1 || !isClosed(n.gone) {
		t.Errorf("%d messages, gone %t", sent, isClosed(n.gone))
	}
	again, err := f.connect("gw", nothing)
	if err != nil || (<-again.ch).name != api.FeedSnapshot {
		t.Error("the next stream does not begin with a snapshot", err)
	}
	f.disconnect("gw", n) // late: it is not this one any more
	if f.publish("gw", api.FeedRenew, renewal) == 0 {
		t.Error("the end of the old stream ended the new one")
	}
}

func TestFeedIsReplaced(t *testing.T) {
	f, old, _ := openFeeds(t)
	if _, err := f.connect("gw", nothing); err != nil || !isClosed(old.gone) {
		t.Error("two streams of one gateway live", err)
	}
	if _, err := f.connect("gw", func(int64) (any, error) { return nil, errors.New("the store is away") }); err == nil || f.publish("gw", api.FeedRenew, renewal) != 0 {
		t.Error("a stream without a snapshot", err)
	}
}

func TestFeedRefresh(t *testing.T) {
	f, n, _ := openFeeds(t)
	<-n.ch
	if err := f.refresh(func(string) snapshot { return nothing }); err != nil || (<-n.ch).name != api.FeedSnapshot {
		t.Error("no snapshot in the stream", err)
	}
	err := f.refresh(func(string) snapshot { return func(int64) (any, error) { return nil, errors.New("the store is away") } })
	if err == nil || !isClosed(n.gone) {
		t.Error("a gateway goes on with what may be wrong", err)
	}
}

func TestFeedAway(t *testing.T) {
	f, n, now := openFeeds(t)
	if f.away("gw") || !f.away("never-heard-of") {
		t.Error("who is away?")
	}
	f.disconnect("gw", n)
	if f.away("gw") {
		t.Error("away at once: a reconnect would move everybody")
	}
	*now = now.Add(awayAfter + time.Second)
	if !f.away("gw") {
		t.Error("never away")
	}
}

func TestFeedWait(t *testing.T) {
	f, _, _ := openFeeds(t)
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	for want := int64(1); want <= 3; want++ {
		work.Go(func() {
			if !f.wait(ctx, "gw", want) {
				t.Errorf("%d was acknowledged and nobody noticed", want)
			}
		})
	}
	f.acknowledge("gw", 3)
	f.acknowledge("gw", 1) // late; takes nothing back
	work.Wait()
	cancel()
	if f.wait(ctx, "gw", 4) || !f.wait(ctx, "gw", 3) {
		t.Error("4 was never acknowledged, 3 was")
	}
}

func TestListeners(t *testing.T) {
	l := newListeners()
	var all []*feed
	for range maxStreams + 1 {
		all = append(all, l.add("ses", "dev"))
	}
	if !isClosed(all[0].gone) || isClosed(all[1].gone) {
		t.Error("a stream too many does not replace the oldest")
	}
	other := l.add("other", "dev-2")
	l.tell("ses", api.EventAttestNow, api.Event{})
	l.tellAll(api.EventMessage, api.Event{})
	if len(all[1].ch) != 2 || len(other.ch) != 1 || len(all[0].ch) != 0 {
		t.Error("the wrong ones were told")
	}
	for range cap(other.ch) {
		l.tell("other", api.EventAttestNow, api.Event{})
	}
	if !isClosed(other.gone) {
		t.Error("one that does not read keeps its stream")
	}
	l.remove("other", other)
	l.endDevice("dev-2", api.CodeQuarantined)
	l.endDevice("dev", api.CodeQuarantined)
	for _, n := range all {
		if !isClosed(n.gone) {
			t.Error("a stream outlives its device")
		}
	}
	<-all[1].ch
	<-all[1].ch
	if m := <-all[1].ch; m.name != api.EventSignedOut {
		t.Errorf("told %s", m.name)
	}
	l.remove("ses", all[1]) // its handler ends later
	if len(l.open) != 0 {
		t.Errorf("%d sessions are remembered", len(l.open))
	}
	again := l.add("ses", "dev")
	l.end("ses", "")
	if !isClosed(again.gone) || len(again.ch) != 0 {
		t.Error("ended without a word: wrong")
	}
}

func TestLocks(t *testing.T) {
	l := newLocks()
	var work sync.WaitGroup
	n := 0
	for range 50 {
		work.Go(func() {
			defer l.lock("ses")()
			n++
		})
	}
	work.Wait()
	if n != 50 || len(l.held) != 0 {
		t.Errorf("%d of 50, %d locks left", n, len(l.held))
	}
	defer l.lock("a")()
	l.lock("b")() // another session does not wait
}
