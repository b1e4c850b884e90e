package agent

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/posture/fact"
)

// ask begins n checks and gives their ends.
func (l *lab) ask(ctx context.Context, peer ipc.Peer, n int) <-chan error {
	ends := make(chan error, n)
	for range n {
		go func() {
			_, err := l.Check(ctx, peer)
			ends <- err
		}()
	}
	synctest.Wait()
	return ends
}

// rest lets the time between two checks pass.
func (l *lab) rest() {
	synctest.Wait()
	l.clock.Advance(checkRest)
	synctest.Wait()
}

// block has readings of a signal hang until the channel is closed.
func (l *lab) block(signal string) chan struct{} {
	c := make(chan struct{})
	l.posture.set(func() { l.posture.blocked[signal] = c })
	return c
}

func TestOneReadingServesAllWhoAsk(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(ada, "ada")
		hang := l.block(fact.SignalOS)
		before := l.posture.count(fact.SignalOS)
		first := l.ask(context.Background(), ada, 1)
		rest := l.ask(context.Background(), ada, 1000)
		close(hang)
		synctest.Wait()
		if len(first) != 1 || len(rest) != 0 {
			t.Errorf("%d and %d have an answer: those who came after it began want another reading, and that waits", len(first), len(rest))
		}
		if n := l.posture.count(fact.SignalOS) - before; n != 1 {
			t.Errorf("%d readings without a rest", n)
		}
		l.rest()
		if n := l.posture.count(fact.SignalOS) - before; n != 2 || len(rest) != 1000 {
			t.Errorf("%d readings, %d answers", n, len(rest))
		}
		for range 1000 {
			if err := <-rest; err != nil {
				t.Fatal(err)
			}
		}
		checked := 0
		for _, e := range l.events() {
			if e == localapi.EventChecked {
				checked++
			}
		}
		if checked != 2 {
			t.Errorf("the timeline tells of %d checks", checked)
		}
	})
}

func TestWhoGivesUpLeavesTheReadingToOthers(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		hang := l.block(fact.SignalOS)
		ctx, cancel := context.WithCancel(context.Background())
		gone, stays := l.ask(ctx, bob, 3), l.ask(context.Background(), bob, 3)
		cancel()
		synctest.Wait()
		if len(gone) != 3 {
			t.Errorf("%d of those who gave up have an end", len(gone))
		}
		close(hang)
		synctest.Wait()
		l.rest()
		for range 3 {
			if err := <-gone; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			if err := <-stays; err != nil {
				t.Error(err)
			}
		}
	})
}

// What a check finds closes what stands on it, whether or not whoever asked is
// still there to hear of it: the followers will not find it a second time.
func TestWhatACheckFindsCloses(t *testing.T) {
	for range 20 {
		inLab(t, nil, func(l *lab) {
			l.signIn(ada, "ada")
			l.open("payroll", "wiki")
			hang := l.block(fact.SignalOS)
			ctx, cancel := context.WithCancel(context.Background())
			ends := l.ask(ctx, ada, 1)
			l.posture.set(func() { l.posture.now.Signals[0].Facts = []fact.Fact{{Field: "version", Value: fact.Str("11.0")}} })
			cancel()
			synctest.Wait()
			if err := <-ends; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			l.journal.take()
			close(hang)
			synctest.Wait()
			l.happens("uid:1000 open [wiki]")
			if r := l.Status().LastRevocation; r == nil || r.App != "payroll" {
				t.Errorf("last revocation %+v", r)
			}
		})
	}
}

// Whoever asked before another user's session began neither has the machine
// read in it nor learns anything.
func TestChecksOfBeforeASession(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		hang := l.block(fact.SignalOS)
		reading, waiting := l.ask(context.Background(), bob, 1), l.ask(context.Background(), bob, 20)
		l.signIn(ada, "ada")
		before := l.posture.count(fact.SignalOS)
		close(hang)
		synctest.Wait()
		wantCode(t, <-reading, localapi.CodeNotOwner)
		l.rest()
		for range 20 {
			wantCode(t, <-waiting, localapi.CodeNotOwner)
		}
		if n := l.posture.count(fact.SignalOS) - before; n != 0 {
			t.Errorf("the machine was read %d times for them", n)
		}
		if got := l.ask(context.Background(), ada, 1); len(got) != 1 {
			t.Error("the owner waits")
		}
	})
}
