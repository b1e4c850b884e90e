package localapi

import (
	"context"
	"time"
)

const (
	// steady is how long an agent is taken at its last word while something is
	// open; the shortest lease makes it shorter, down to the least.
	steady, steadyLeast = 20 * time.Second, time.Second
	// overdue is by how much an answer may be later than agreed before the agent
	// counts as one that does not answer, and no later than the shortest lease
	// ends, but for the least.
	overdue, overdueLeast = 5 * time.Second, 2 * time.Second
)

// Trust is how long to wait for another status than this one, and by how much
// the answer may then be late: what is said to be open must not be believed
// longer than an agent that has stopped could keep it open.
func (s Status) Trust() (wait, late time.Duration) {
	var left time.Duration // of the shortest lease
	for _, a := range s.Apps {
		if l := time.Duration(min(a.LeaseRemainingMS, MaxPauseMS)) * time.Millisecond; l > 0 && (left == 0 || l < left) {
			left = l
		}
	}
	if left == 0 {
		return MaxWaitMS * time.Millisecond, overdue
	}
	late = max(min(overdue, left/2), overdueLeast)
	return max(min(steady, left-late), steadyLeast), late
}

// NextStatus answers when the status is another than last, or after as long as
// last can be trusted. The error has context.DeadlineExceeded in its chain when
// the agent does not answer in time.
func (c *Client) NextStatus(ctx context.Context, last Status) (Status, error) {
	wait, late := last.Trust()
	ctx, cancel := context.WithTimeout(ctx, wait+late)
	defer cancel()
	return c.WaitStatus(ctx, last.Revision, wait)
}
