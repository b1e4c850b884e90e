package waiting

import (
	"context"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/localserver"
	"github.com/postern-zt/postern/platform/ipc"
)

// ready is the agent, or the refusal of what needs one.
func (d *Door) ready() (localserver.Backend, error) {
	agent, l := d.behind()
	if agent != nil {
		return agent, nil
	}
	w := l.words(d.opts.Scope)
	return nil, &localapi.Refused{Code: w.code, Message: w.sentence, Hint: w.hint}
}

// Posture is refused: what the settings forbid to be read is not known yet.
func (d *Door) Posture(ctx context.Context) (localapi.Reading, error) {
	agent, err := d.ready()
	if err != nil {
		return localapi.Reading{}, err
	}
	return agent.Posture(ctx)
}

// StartSignIn is refused: nobody says who the identity provider is.
func (d *Door) StartSignIn(ctx context.Context, peer ipc.Peer, in localapi.SignInRequest) (localapi.SignIn, error) {
	agent, err := d.ready()
	if err != nil {
		return localapi.SignIn{}, err
	}
	return agent.StartSignIn(ctx, peer, in)
}

// FinishSignIn is refused: none was begun.
func (d *Door) FinishSignIn(ctx context.Context, peer ipc.Peer, f localapi.Finish) error {
	agent, err := d.ready()
	if err != nil {
		return err
	}
	return agent.FinishSignIn(ctx, peer, f)
}

// CancelSignIn is refused: none was begun.
func (d *Door) CancelSignIn(ctx context.Context, peer ipc.Peer, id string) error {
	agent, err := d.ready()
	if err != nil {
		return err
	}
	return agent.CancelSignIn(ctx, peer, id)
}

// SignOut is refused, for there may be a session of an earlier run that goes on
// as soon as the settings are right again: whoever asks must not take it for
// ended.
func (d *Door) SignOut(ctx context.Context, peer ipc.Peer) error {
	agent, err := d.ready()
	if err != nil {
		return err
	}
	return agent.SignOut(ctx, peer)
}

// Check is refused, as Posture is.
func (d *Door) Check(ctx context.Context, peer ipc.Peer) (localapi.Checked, error) {
	agent, err := d.ready()
	if err != nil {
		return localapi.Checked{}, err
	}
	return agent.Check(ctx, peer)
}

// Pause is refused: there is no access that could be paused.
func (d *Door) Pause(ctx context.Context, peer ipc.Peer, p localapi.PauseRequest) error {
	agent, err := d.ready()
	if err != nil {
		return err
	}
	return agent.Pause(ctx, peer, p)
}

// Resume is refused, as Pause is.
func (d *Door) Resume(ctx context.Context, peer ipc.Peer) error {
	agent, err := d.ready()
	if err != nil {
		return err
	}
	return agent.Resume(ctx, peer)
}
