package tray

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/postern-zt/postern/testfixtures/desktop"
)

// heard are the signals of tray icons on a bus, with the moments at which they
// came.
type heard struct {
	mu  sync.Mutex
	all []sign
}

type sign struct {
	what string // interface.member
	at   time.Time
}

// hear listens until the test ends.
func hear(t testing.TB, d *desktop.Desktop) *heard {
	t.Helper()
	conn := must[*dbus.Conn](t)(d.Connect())
	signals := make(chan *dbus.Signal, 1000)
	conn.Signal(signals)
	for _, face := range []string{"org.kde.StatusNotifierItem", "org.kde.StatusNotifierWatcher", "com.canonical.dbusmenu"} {
		ok(t, conn.AddMatchSignal(dbus.WithMatchInterface(face)))
	}
	h := &heard{}
	var work sync.WaitGroup
	work.Go(func() { // until the connection is closed
		for s := range signals {
			h.mu.Lock()
			h.all = append(h.all, sign{s.Name, time.Now()})
			h.mu.Unlock()
		}
	})
	t.Cleanup(func() { _ = conn.Close(); work.Wait() })
	return h
}

// first is the first signal of that member since a moment.
func (h *heard) first(t testing.TB, member string, since time.Time) time.Time {
	t.Helper()
	var at time.Time
	ok(t, desktop.Until("the signal "+member, desktop.Patience, func() (bool, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, s := range h.all {
			if strings.HasSuffix(s.what, "."+member) && s.at.After(since) {
				at = s.at
				return true, nil
			}
		}
		return false, nil
	}))
	return at
}

// count is how often a member was heard since a moment.
func (h *heard) count(member string, since time.Time) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, s := range h.all {
		if strings.HasSuffix(s.what, "."+member) && s.at.After(since) {
			n++
		}
	}
	return n
}

const (
	// promised is how soon the tray shows what has changed.
	promised = time.Second
	// slower is by how much a machine that runs the tests may be slower than
	// one that people work at.
	slower = 10
)

// inTime tells how long something took, and fails if it was far too long.
func inTime(t testing.TB, what string, took time.Duration) {
	t.Helper()
	t.Logf("%s: %d ms (%d ms are promised)", what, took.Milliseconds(), promised.Milliseconds())
	if took > slower*promised {
		t.Errorf("%s took %v", what, took)
	}
}

// median tells how long something took each time, and fails if the one in the
// middle took longer than is promised.
func median(t testing.TB, what string, took []time.Duration) {
	t.Helper()
	sorted := slices.Sorted(slices.Values(took))
	middle := sorted[len(sorted)/2]
	t.Logf("%s: %v, median %v (%v is promised)", what, rounded(took), middle.Round(time.Millisecond), promised)
	if middle > promised {
		t.Errorf("%s: the median is %v", what, middle)
	}
}

func rounded(took []time.Duration) []time.Duration {
	out := make([]time.Duration, len(took))
	for i, d := range took {
		out[i] = d.Round(time.Millisecond)
	}
	return out
}
