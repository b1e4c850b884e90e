package rig

import (
	"sync/atomic"
	"time"

	"github.com/postern-zt/postern/platform/clock"
)

// Clock is the wall clock of the broker: the machine's, moved by what the test says.
type Clock struct{ offset atomic.Int64 }

// Now returns the wall time.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) { c.offset.Add(int64(d)) }

// Skewed is the machine's clock with a wall clock that is wrong.
func Skewed(by time.Duration) clock.Clock { return skewed{clock.System(), by} }

type skewed struct {
	clock.Clock
	by time.Duration
}

func (s skewed) Now() time.Time { return s.Clock.Now().Add(s.by) }
