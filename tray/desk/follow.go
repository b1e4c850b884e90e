package desk

import (
	"context"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
)

const (
	// aside bounds what is asked beside the status.
	aside = 5 * time.Second
	// soon and late bound how long an agent that is not there is waited for
	// before it is looked for again; notMine is for one that refuses us.
	soon    = 250 * time.Millisecond
	late    = 2 * time.Second
	notMine = 5 * time.Second
)

// follow asks the agent for its status, again whenever that changes, and looks
// for the agent while it is not there. While nothing changes it sleeps in the
// agent's answer.
func (d *Desk) follow(ctx context.Context) {
	var last localapi.Status
	var at pace
	missed, known := time.Duration(0), false
	for ctx.Err() == nil {
		wait, more := last.Trust()
		if !known {
			wait = 0
		}
		asked := time.Now()
		inner, cancel := context.WithTimeout(ctx, wait+more)
		st, err := d.opts.Agent.WaitStatus(inner, last.Revision, wait)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			known, last = false, localapi.Status{}
			missed = d.patience(missed, err)
			d.post(ctx, d.seen(ctx, st, err))
			d.pause(ctx, missed)
			continue
		}
		missed = 0
		if !known || st.Revision != last.Revision {
			d.post(ctx, d.seen(ctx, st, nil))
		}
		known, last = true, st
		if tired := at.after(time.Since(asked)); tired > 0 {
			d.pause(ctx, tired)
		}
	}
}

// patience is how long to wait after the attempt that failed.
func (d *Desk) patience(before time.Duration, err error) time.Duration {
	switch trouble, _, _ := view.TroubleOf(err); trouble {
	case view.NotAnswering:
		return soon // it was the question that waited
	case view.NotRunning:
		return min(max(2*before, soon), late)
	}
	return notMine
}

// pause waits, or until somebody asks to look now.
func (d *Desk) pause(ctx context.Context, wait time.Duration) {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-d.again:
	case <-ctx.Done():
	}
}

// seen is what an answer of the agent changes. It asks for the rest beside.
func (d *Desk) seen(ctx context.Context, st localapi.Status, err error) func(*desktop) {
	if err != nil {
		trouble, code, message := view.TroubleOf(err)
		return func(s *desktop) {
			s.in.Trouble, s.in.Code, s.in.Message = trouble, code, message
			s.in.Status, s.in.Reading, s.in.Timeline, s.sent = localapi.Status{}, nil, nil, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, aside)
	defer cancel()
	// What an older agent does not know, or may not tell, is left out.
	reading, readErr := d.opts.Agent.Posture(ctx)
	happened, timeErr := d.opts.Agent.Timeline(ctx)
	sent, sentErr := d.opts.Agent.Sent(ctx)
	return func(s *desktop) {
		s.in.Trouble, s.in.Code, s.in.Message = view.Whose(st), "", ""
		s.in.Status = st
		if st.Managed != (localapi.Managed{}) {
			s.in.LastManaged = st.Managed
		}
		s.in.Reading, s.in.Timeline, s.sent = known(reading, readErr), known(happened, timeErr), known(sent, sentErr)
	}
}

func known[T any](v T, err error) *T {
	if err != nil {
		return nil
	}
	return &v
}
