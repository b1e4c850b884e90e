package agent

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/signin"
	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/platform/ipc"
)

// ownerOf writes an OS user as text: it begins sign-ins and is kept with the
// session.
func ownerOf(p ipc.Peer) string {
	if p.SID != "" {
		return "sid:" + p.SID
	}
	return "uid:" + strconv.FormatUint(uint64(p.UID), 10)
}

func parseOwner(s string) (ipc.Peer, bool) {
	if sid, ok := strings.CutPrefix(s, "sid:"); ok {
		return ipc.Peer{Known: true, SID: sid}, sid != ""
	}
	text, ok := strings.CutPrefix(s, "uid:")
	uid, err := strconv.ParseUint(text, 10, 32)
	return ipc.Peer{Known: true, UID: uint32(uid)}, ok && err == nil
}

// enrol introduces the device, again and again until the broker has taken it
// or has said no; then once a minute, since an administrator may change that.
func (a *Agent) enrol(ctx context.Context) {
	for attempt := 0; ctx.Err() == nil; attempt++ {
		err := a.cfg.Broker.Enrol(ctx)
		a.mu.Lock()
		a.enrolErr = err
		a.mu.Unlock()
		a.tell()
		if err == nil {
			return
		}
		delay := min(10*time.Second, 250*time.Millisecond<<min(attempt, 6))
		var no *apiclient.Rejected
		if errors.As(err, &no) {
			delay = time.Minute
		}
		a.cfg.Log.Warn("enrol this device", "error", err)
		a.pause(ctx, delay)
	}
}

// pause waits on the boot clock or for the end.
func (a *Agent) pause(ctx context.Context, d time.Duration) {
	t := a.cfg.Clock.NewTimer(a.cfg.Clock.Boot() + d)
	defer t.Stop()
	select {
	case <-t.C():
	case <-ctx.Done():
	}
}

// events4ever listens to the broker while somebody is signed in. Losing the
// stream costs latency and nothing else; reconnects are spread.
func (a *Agent) events4ever(ctx context.Context) {
	for attempt := 0; ctx.Err() == nil; attempt++ {
		began := a.cfg.Clock.Boot()
		err := a.cfg.Broker.Events(ctx, func(name string, e api.Event) {
			now := a.cfg.Clock.Boot()
			a.post(ctx, state.BrokerSays{At: now, Name: name, Event: e}, now)
		})
		if a.cfg.Clock.Boot()-began > 30*time.Second {
			attempt = 0
		}
		if err != nil && ctx.Err() == nil {
			a.cfg.Log.Debug("the broker's events ended", "error", err)
		}
		spread := time.Duration(seed(a.cfg.Broker.Record().UEID+strconv.Itoa(attempt)) % uint64(500*time.Millisecond))
		a.pause(ctx, min(10*time.Second, 250*time.Millisecond<<min(attempt, 6))+spread)
	}
}

// refused is an error for people at the local socket.
func refused(code, message, hint string) error {
	return &localapi.Refused{Code: code, Message: message, Hint: hint}
}

// StartSignIn begins a sign-in for an OS user.
func (a *Agent) StartSignIn(ctx context.Context, peer ipc.Peer, redirectURI string) (localapi.SignIn, error) {
	a.mu.Lock()
	enrolErr := a.enrolErr
	a.mu.Unlock()
	if a.cfg.Broker.Record().DeviceID == "" {
		if err := a.cfg.Broker.Enrol(ctx); err != nil {
			return localapi.SignIn{}, refused("not-enrolled", "this device is not enrolled yet: "+first(err, enrolErr).Error(), "check the enrolment token in the settings, or ask your administrator")
		}
	}
	providers, err := a.cfg.Broker.Providers(ctx)
	if err != nil {
		return localapi.SignIn{}, refused("broker-unreachable", err.Error(), "check the network and try again")
	}
	if len(providers) == 0 {
		return localapi.SignIn{}, refused("no-provider", "the broker names no identity provider", "ask your administrator")
	}
	s, err := a.cfg.SignIns.Start(ctx, providers[0], redirectURI, ownerOf(peer))
	if err != nil {
		return localapi.SignIn{}, forPeople(err)
	}
	return localapi.SignIn{ID: s.ID, URL: s.URL, State: s.State, ExpiresInMS: signin.Life.Milliseconds()}, nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return errors.New("no reason given")
}

func forPeople(err error) error {
	var e *signin.Error
	if errors.As(err, &e) {
		return refused(e.Code, e.Error(), "run `postern login` again")
	}
	return err
}

// FinishSignIn exchanges what the browser brought for a session of this person.
func (a *Agent) FinishSignIn(ctx context.Context, peer ipc.Peer, f localapi.Finish) error {
	done, err := a.cfg.SignIns.Finish(ctx, signin.Callback{ID: f.ID, Code: f.Code, State: f.State, Issuer: f.Iss, Error: f.Error, ErrorDescription: f.ErrorDescription}, ownerOf(peer))
	if err != nil {
		return forPeople(err)
	}
	person, err := a.cfg.Broker.Exchange(ctx, done.IDToken, done.Salt, ownerOf(peer))
	if err != nil {
		return refused("sign-in-not-accepted", fmt.Sprintf("the broker did not take the sign-in: %v", err), "run `postern login` again; if it goes on, ask your administrator")
	}
	now := a.cfg.Clock.Boot()
	ends := time.Duration(0)
	if s, ok := a.cfg.Broker.Session(); ok {
		ends = a.sessionEnd(s)
	}
	select {
	case a.events <- occurred{event: state.SignedIn{At: now, Person: person, Ends: ends}, noticed: now, owner: &peer}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// CancelSignIn gives a sign-in up.
func (a *Agent) CancelSignIn(_ context.Context, peer ipc.Peer, id string) error {
	a.cfg.SignIns.Cancel(id, ownerOf(peer))
	return nil
}

// SignOut closes everything and ends the session.
func (a *Agent) SignOut(ctx context.Context, _ ipc.Peer) error {
	now := a.cfg.Clock.Boot()
	a.post(ctx, state.SignedOut{At: now, Cause: state.CauseSignedOut}, now)
	return nil
}

// Owner is the OS user whose session it is.
func (a *Agent) Owner() (ipc.Peer, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.owner, a.owner.Known && a.snap.Load().state.Session.SignedIn
}
