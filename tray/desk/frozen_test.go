package desk

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	menu "github.com/postern-zt/postern/tray/view"
)

// leased is a status with applications whose leases have so long to run.
func leased(left ...time.Duration) localapi.Status {
	st := well()
	st.Apps = nil
	for _, l := range left {
		st.Apps = append(st.Apps, localapi.App{ID: l.String(), Name: "App", State: localapi.AppOpen, LeaseRemainingMS: l.Milliseconds()})
	}
	return st
}

// stopped is an agent whose process can be stopped: questions then wait, and
// are answered when it goes on.
type stopped struct {
	*agent
	gate chan struct{} // closed while it runs
}

func (a *stopped) WaitStatus(ctx context.Context, after int64, wait time.Duration) (localapi.Status, error) {
	st, err := a.agent.WaitStatus(ctx, after, wait)
	inner, cancel := context.WithTimeout(ctx, wait+10*time.Second) // as localapi does
	defer cancel()
	a.mu.Lock()
	gate := a.gate
	a.mu.Unlock()
	select {
	case <-gate:
		return st, err
	case <-inner.Done():
		return localapi.Status{}, inner.Err()
	}
}

// TestFrozenAgent stops the agent's process: what was open is shown as open no
// longer than its lease lasted, and as soon as it goes on, again.
func TestFrozenAgent(t *testing.T) {
	for _, left := range []time.Duration{60 * time.Second, 30 * time.Second, 8 * time.Second} {
		runs := make(chan struct{})
		close(runs)
		twin := &stopped{gate: runs}
		inLab(t, leased(left), func(o *Options) { twin.agent = o.Agent.(*agent); o.Agent = twin }, func(l *lab) {
			time.Sleep(time.Hour + time.Second) // with answers that say nothing new
			synctest.Wait()
			if m := l.last(); m.Icon != menu.IconHealthy {
				t.Fatalf("an hour later: %+v", m)
			}
			gate := make(chan struct{})
			l.agent.mu.Lock()
			twin.gate = gate
			l.agent.mu.Unlock()
			wait, more := leased(left).Trust()
			time.Sleep(wait + more + time.Millisecond)
			synctest.Wait()
			if m := l.last(); m.Icon != menu.IconOffline {
				t.Errorf("lease of %v, %v after its end: %+v", left, wait+more, m)
			}
			if left >= 8*time.Second && wait+more > left {
				t.Errorf("lease of %v: open is shown for %v", left, wait+more)
			}
			time.Sleep(time.Hour)
			l.agent.mu.Lock()
			twin.gate = runs
			l.agent.mu.Unlock()
			close(gate)
			time.Sleep(soon + time.Millisecond)
			synctest.Wait()
			if m := l.last(); m.Icon != menu.IconHealthy {
				t.Errorf("it goes on: %+v", m)
			}
		})
	}
}

// TestQuietAgentWakesRarely: an agent that only renews its leases is asked three
// times a minute.
func TestQuietAgentWakesRarely(t *testing.T) {
	inLab(t, leased(60*time.Second), nil, func(l *lab) {
		asked := func() int { l.agent.mu.Lock(); defer l.agent.mu.Unlock(); return l.agent.asked }
		before, menus := asked(), len(l.menus)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := asked() - before; n > 181 || len(l.menus) > menus {
			t.Errorf("asked %d times in an hour, drew %d menus", n, len(l.menus)-menus)
		}
	})
}
