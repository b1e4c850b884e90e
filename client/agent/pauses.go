package agent

import (
	"context"
	"errors"
	"time"

	"github.com/postern-zt/postern/client/brokerclient"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/platform/ipc"
)

const (
	// noteAgain is how old the note of a pause may be. Where the wall clock
	// begins anew at each start of the computer, a note tells the next start
	// how much of the pause had passed, this much less.
	noteAgain = 5 * time.Minute
	// noteShift is by how much the wall clock may have been set since the note,
	// without another one that goes by the new time.
	noteShift = time.Minute
)

// notePause has the disk follow the pause, after the tunnels have, and answers
// whoever waits for the event when that is done.
func (w *writer) notePause(before state.State, o occurred) {
	a, is := w.agent, w.state.Pause
	_, pauses := o.event.(state.Pause)
	_, resumes := o.event.(state.Resume)
	if is == nil || pauses && o.asker != nil {
		w.goesOn = nil
	}
	answer := func(err error) {
		if o.done == nil {
			return
		}
		if !pauses && !resumes { // what they wanted is done; the log and the status say the rest
			err = nil
		}
		o.done <- err
	}
	now, wall := a.cfg.Clock.Boot(), a.cfg.Clock.Now()
	old := now-w.noted.boot >= noteAgain || (wall.Sub(w.noted.wall)-(now-w.noted.boot)).Abs() >= noteShift
	switch {
	case is != nil && (is != before.Pause || old):
		w.noted.boot, w.noted.wall = now, wall.Round(0)
		note, err := state.KeepPause(*is, ownerOf(w.owner()), w.state.Session.Person, wall, now).Encode()
		if err != nil {
			a.cfg.Log.Error("pause", "error", err)
			answer(errors.Join(errNote, err))
			return
		}
		a.notes.want(note, answer)
	case is == nil && (before.Pause != nil || resumes || o.signIn != nil):
		a.notes.want(nil, answer)
	default:
		answer(nil)
	}
}

func (w *writer) owner() ipc.Peer {
	w.agent.mu.Lock()
	defer w.agent.mu.Unlock()
	return w.agent.owner
}

// heedClock cuts short a pause of an earlier run if the wall clock says so by
// now: it may have been behind at the start, and was set right since. A pause
// that this run has seen from its beginning follows the boot clock alone.
func (w *writer) heedClock(ctx context.Context) {
	p, k := w.state.Pause, w.goesOn
	if p == nil || k == nil {
		return
	}
	now := w.agent.cfg.Clock.Boot()
	until := now + k.Left(w.agent.cfg.Clock.Now(), now)
	if until > p.Until-time.Second {
		return
	}
	o := occurred{event: state.Resume{At: now}, noticed: now}
	if until > now {
		o.event = state.Pause{At: now, Until: until, Reason: p.Reason}
	}
	before := w.state
	w.take(ctx, o)
	w.notePause(before, o)
}

// pauseOf reads the note of the pause in which a session was when the agent
// ended; nil: it was in none. Nothing of the session may be wanted before this
// has returned. A note that cannot be understood closes everything as well,
// until the person resumes and for state.UnreadablePause at most.
func (a *Agent) pauseOf(s brokerclient.Session, owner ipc.Peer) *state.KeptPause {
	k, there, err := a.notes.read()
	wall, boot := a.cfg.Clock.Now(), a.cfg.Clock.Boot()
	switch {
	case err != nil:
		a.cfg.Log.Warn("everything stays closed for a while, or until the person resumes", "error", err, "at_most", state.UnreadablePause)
		p := state.Paused{Reason: state.ReasonUnreadablePause, Since: boot, Until: boot + state.UnreadablePause}
		k = state.KeepPause(p, ownerOf(owner), s.Person, wall, boot)
	case !there:
		return nil
	case !k.Of(ownerOf(owner), s.Person):
		a.cfg.Log.Info("a pause of another session is over with it")
		return nil
	}
	left := k.Left(wall, boot)
	if left == 0 {
		a.cfg.Log.Info("a pause ended while the agent did not run")
		return nil
	}
	a.cfg.Log.Info("a pause goes on", "left", left)
	return &k
}

// pauseTrouble is what people are told of a pause beside its end and reason.
func (a *Agent) pauseTrouble(s state.State) string {
	if text := a.notes.trouble(); text != "" {
		return text
	}
	if s.Pause != nil && s.Pause.Reason == state.ReasonUnreadablePause {
		return "Everything is closed because there was a pause whose end cannot be read any more. Run `postern resume` to end it now."
	}
	return ""
}

// Pause closes everything for a while, at the wish of the session's owner, and
// returns when that is done and would hold after a restart.
func (a *Agent) Pause(ctx context.Context, peer ipc.Peer, p localapi.PauseRequest) error {
	if err := a.mustOwn(peer); err != nil {
		return err
	}
	now := a.cfg.Clock.Boot()
	e := state.Pause{At: now, Until: now + time.Duration(p.ForMS)*time.Millisecond, Reason: p.Reason}
	err := a.ask(ctx, occurred{event: e, noticed: now, asker: &peer})
	if errors.Is(err, errNote) {
		return refused(localapi.CodeInternal, "Everything is closed, but the pause could not be written to disk: it ends when the agent does.", "The agent's log says more.")
	}
	return err
}

// Resume ends a pause, and returns when it would not come back after a restart.
func (a *Agent) Resume(ctx context.Context, peer ipc.Peer) error {
	if err := a.mustOwn(peer); err != nil {
		return err
	}
	now := a.cfg.Clock.Boot()
	err := a.ask(ctx, occurred{event: state.Resume{At: now}, noticed: now, asker: &peer})
	if errors.Is(err, errNote) {
		return refused(localapi.CodeInternal, "The pause has ended, but it could not be deleted from disk: it may come back when the agent starts.", "Run it again: postern resume. The agent's log says more.")
	}
	return err
}
