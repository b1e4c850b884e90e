package agent

import (
	"context"
	"errors"
	"time"

	"github.com/postern-zt/postern/broker/apiclient"
)

// tell wakes everyone who waits for a change of the status.
func (a *Agent) tell() { a.note(func() bool { return true }) }

// note changes what the lock guards, and tells if the change can be seen.
func (a *Agent) note(change func() (visible bool)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !change() {
		return
	}
	a.revision++
	close(a.changed)
	a.changed = make(chan struct{})
}

// shownSkew is the least change of the clocks' difference that is told: the
// broker's time is known to the second only.
const shownSkew = 2 * time.Second

// contact notes whether the broker answered, and what its clock says.
func (a *Agent) contact(answered bool) {
	skew := a.cfg.Broker.Skew()
	a.note(func() bool {
		visible := a.reachable != answered
		a.reachable = answered
		if answered && (skew-a.skew).Abs() >= shownSkew {
			a.skew, visible = skew, true
		}
		return visible
	})
}

// asked is contact after a call: a refusal is an answer, too, and a call that
// was given up says nothing.
func (a *Agent) asked(err error) {
	var no *apiclient.Rejected
	if answered := err == nil || errors.As(err, &no); answered || !errors.Is(err, context.Canceled) {
		a.contact(answered)
	}
	if err == nil {
		a.note(func() bool {
			visible := a.enrolErr != nil
			a.enrolErr = nil
			return visible
		})
	}
}
