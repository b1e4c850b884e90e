package agent

import (
	"context"
	"slices"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/posture/fact"
)

// Config is the effective settings.
func (a *Agent) Config() localapi.Config { return a.cfg.Settings }

// mustOwn is nil for the owner of the session that there is.
func (a *Agent) mustOwn(peer ipc.Peer) error {
	if _, session := a.Owner(); !session {
		return refused(localapi.CodeSignedOut, "nobody is signed in", "sign in with: postern login")
	}
	return a.notOwner(peer)
}

// brokerPatience is how long a check waits for the broker's answer.
const brokerPatience = 15 * time.Second

// Check has every signal read again, at once and whatever the watchers think,
// and in a session attests what was read.
func (a *Agent) Check(ctx context.Context, peer ipc.Peer) (localapi.Checked, error) {
	if err := a.notOwner(peer); err != nil {
		return localapi.Checked{}, err
	}
	out, err := a.checkShared(ctx, peer)
	if err != nil {
		return localapi.Checked{}, err
	}
	if err := a.notOwner(peer); err != nil { // another user's session has begun
		return localapi.Checked{}, err
	}
	out.Status = a.Status()
	return out, nil
}

// checkNow reads everything and has the broker hear of it.
func (a *Agent) checkNow(ctx context.Context, peers []ipc.Peer) (localapi.Checked, error) {
	before := a.cfg.Posture.Last()
	if err := a.readAgain(ctx); err != nil {
		return localapi.Checked{}, err
	}
	out := localapi.Checked{Signals: compare(before, a.cfg.Posture.Last())}
	out.Attested, out.Reason = a.attestAgain(ctx, peers)
	return out, ctx.Err()
}

// readAgain reads the products by their watcher, so that none is known to run
// and not watched, and all else beside.
func (a *Agent) readAgain(ctx context.Context) error {
	looked := make(chan struct{})
	select {
	case a.products <- looked:
	case <-a.ended:
		return errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
	if _, changes := a.reread(ctx, a.slower()...); len(changes) > 0 {
		a.report(ctx, changes, a.cfg.Clock.Boot())
	}
	select {
	case <-looked:
		return nil
	case <-a.ended:
		return errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// attestAgain has the broker hear of what has been read by now. Without an
// answer it says why, by a code.
func (a *Agent) attestAgain(ctx context.Context, peers []ipc.Peer) (bool, string) {
	asker, err := a.mayOne(peers)
	if err != nil { // another user's session has begun
		return false, localapi.CodeNotOwner
	}
	now, round := a.cfg.Clock.Boot(), a.round.Add(1)
	if err := a.ask(ctx, occurred{event: state.CheckNow{At: now}, noticed: now, asker: &asker}); err != nil {
		return false, localapi.CodeInternal
	}
	ctx, cancel := context.WithTimeout(ctx, brokerPatience)
	defer cancel()
	for {
		a.mu.Lock()
		stepped := a.stepped
		a.mu.Unlock()
		snap := a.snap.Load()
		s := snap.state
		switch {
		case !s.Session.SignedIn:
			return false, localapi.CodeSignedOut
		case snap.round >= round:
			return true, ""
		case s.Flight == nil && s.Rejection != nil:
			return false, s.Rejection.Code
		case s.Flight == nil && !s.Online:
			return false, localapi.CodeUnreachable
		}
		select {
		case <-stepped:
		case <-ctx.Done():
			return false, localapi.CodeUnreachable
		}
	}
}

// compare says of each signal when it was read before and after, and which of
// its facts are other than before.
func compare(before, after fact.Report) []localapi.Reread {
	var out []localapi.Reread
	for _, s := range after.Signals {
		r := localapi.Reread{Name: s.Name, After: s.ObservedAt, Digest: s.Digest}
		was, _ := before.Signal(s.Name)
		r.Before = was.ObservedAt
		for _, f := range s.Facts {
			old, there := was.Find(f.Key, f.Field)
			if !there || was.StateOf(old) != s.StateOf(f) || old.Value != f.Value {
				r.Changed = append(r.Changed, fact.Address(s.Name, f.Key, f.Field))
			}
		}
		for _, f := range was.Facts {
			if _, there := s.Find(f.Key, f.Field); !there {
				r.Changed = append(r.Changed, fact.Address(s.Name, f.Key, f.Field))
			}
		}
		slices.Sort(r.Changed)
		out = append(out, r)
	}
	return out
}
