//go:build linux || darwin

package localapi

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"
)

// leased is a status with applications whose leases have so long to run.
func leased(left ...time.Duration) Status {
	var st Status
	for _, l := range left {
		st.Apps = append(st.Apps, App{ID: l.String(), State: AppOpen, LeaseRemainingMS: l.Milliseconds()})
	}
	return st
}

func TestTrust(t *testing.T) {
	const s = time.Second
	for _, tc := range []struct {
		left       []time.Duration
		wait, more time.Duration
	}{
		{nil, 60 * s, 5 * s},
		{[]time.Duration{0}, 60 * s, 5 * s},
		{[]time.Duration{60 * s}, 20 * s, 5 * s},
		{[]time.Duration{30 * s}, 20 * s, 5 * s},
		{[]time.Duration{22 * s}, 17 * s, 5 * s},
		{[]time.Duration{60 * s, 8 * s, 0}, 4 * s, 4 * s},
		{[]time.Duration{8 * s, 60 * s}, 4 * s, 4 * s},
		{[]time.Duration{time.Hour}, 20 * s, 5 * s},
		{[]time.Duration{s}, s, 2 * s},
		{[]time.Duration{-s}, 60 * s, 5 * s},
	} {
		if wait, more := leased(tc.left...).Trust(); wait != tc.wait || more != tc.more {
			t.Errorf("%v: %v and %v", tc.left, wait, more)
		}
	}
}

// An agent that has stopped is not waited for longer than its last word holds.
func TestNextStatusOfAStoppedAgent(t *testing.T) {
	c := agent(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	began := time.Now()
	if _, err := c.NextStatus(t.Context(), leased(time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}
