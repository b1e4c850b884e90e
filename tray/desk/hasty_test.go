package desk

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
	menu "github.com/postern-zt/postern/tray/view"
)

// hasty is an agent that answers at once, whatever it is asked to wait for.
type hasty struct {
	*agent
	next func(before int64) int64
	most int // answers, after which it waits: a desk without rest would never end
}

func (h *hasty) WaitStatus(ctx context.Context, _ int64, _ time.Duration) (localapi.Status, error) {
	h.mu.Lock()
	h.asked++
	h.status.Revision = h.next(h.status.Revision)
	st, enough := h.status, h.asked >= h.most
	h.mu.Unlock()
	if enough {
		<-ctx.Done()
	}
	return st, ctx.Err()
}

// An agent that is broken, or changes all the time, costs the desk no more than
// a few looks each second.
func TestHastyAgent(t *testing.T) {
	for name, next := range map[string]func(int64) int64{
		"it does not wait":         func(before int64) int64 { return before },
		"it is always at nought":   func(int64) int64 { return 0 },
		"it changes all the time":  func(before int64) int64 { return before + 1 },
		"it goes back and forth":   func(before int64) int64 { return -before },
		"it counts below nought":   func(before int64) int64 { return min(before, 0) - 1 },
		"it forgets what it said":  func(before int64) int64 { return 1 - before },
		"it is at the end of time": func(int64) int64 { return 1<<63 - 1 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &hasty{agent: &agent{status: well()}, next: next, most: 10_000}
				menus := 0
				d := New(Options{Agent: h, Base: view.Input{Language: "en", System: "linux"}, Draw: func(menu.Menu) { menus++ }})
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { defer close(done); d.Run(ctx) }()
				const seconds = 60
				time.Sleep(seconds * time.Second) // of the bubble's clock
				synctest.Wait()
				h.mu.Lock()
				if h.asked > 6*seconds || h.asked < seconds {
					t.Errorf("asked %d times in %d s", h.asked, seconds)
				}
				h.mu.Unlock()
				if menus == 0 {
					t.Error("nothing was drawn")
				}
				cancel()
				<-done
			})
		})
	}
}

// Several changes one after the other are shown as they come.
func TestBurstIsShownAtOnce(t *testing.T) {
	inLab(t, well(), nil, func(l *lab) {
		began := time.Now()
		for n := range quickAnswers - 1 {
			l.agent.set(func() { l.agent.status.Apps[0].Name = string(rune('A' + n)) })
			synctest.Wait()
			if m := l.last(); !mentions(m.Items, string(rune('A'+n))) {
				t.Fatalf("change %d is not shown: %+v", n, m)
			}
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %v", took)
		}
	})
}

func mentions(items []menu.Item, text string) bool {
	for _, i := range items {
		if strings.HasPrefix(i.Text, text) || mentions(i.Items, text) {
			return true
		}
	}
	return false
}

// A revision is a number like any other: with an agent that begins at nought
// the desk sleeps in the answer too.
func TestRevisionNought(t *testing.T) {
	st := well()
	st.Revision = 0
	inLab(t, st, nil, func(l *lab) {
		time.Sleep(time.Hour) // of the bubble's clock
		synctest.Wait()
		l.agent.mu.Lock()
		asked := l.agent.asked
		l.agent.mu.Unlock()
		if asked > 62 {
			t.Errorf("asked %d times in an hour", asked)
		}
		l.agent.set(func() { l.agent.status.State = localapi.StateNotCompliant })
		synctest.Wait()
		if m := l.last(); m.Icon == menu.IconHealthy {
			t.Errorf("a change is not shown: %+v", m)
		}
	})
}

// Only answers in a row make the desk rest: one that was waited for begins anew.
func TestPace(t *testing.T) {
	var p pace
	for round := range 3 {
		for n := range quickAnswers {
			if got := p.after(hastily - 1); got != 0 {
				t.Fatalf("round %d: it rests %v after %d quick answers", round, got, n)
			}
		}
		for range 2 {
			if got := p.after(0); got != rest {
				t.Errorf("round %d: it rests %v", round, got)
			}
		}
		if got := p.after(hastily); got != 0 {
			t.Errorf("round %d: it rests %v after an answer that was waited for", round, got)
		}
	}
}
