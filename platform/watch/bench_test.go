//go:build linux || windows

package watch

import (
	"slices"
	"testing"
	"time"

	"github.com/postern-zt/postern/platform/clock"
)

func watcher(b *testing.B) *Watcher {
	b.Helper()
	w, err := New(clock.System())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { w.Close() })
	return w
}

func await(w *Watcher, cause string) {
	for e := range w.Events() {
		if e.Cause == cause {
			return
		}
	}
}

// quiet takes what else one change told.
func quiet(w *Watcher) {
	over := time.After(time.Millisecond)
	for {
		select {
		case <-w.Events():
		case <-over:
			return
		}
	}
}

func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2])/1e3, "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100])/1e3, "p99-µs")
}
