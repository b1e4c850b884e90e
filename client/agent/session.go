package agent

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/client/brokerclient"
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
// or has said no; then once a minute, since an administrator may change that. A
// device that is enrolled only looks whether the broker is there.
func (a *Agent) enrol(ctx context.Context) {
	for attempt := 0; ctx.Err() == nil; attempt++ {
		err := a.introduce(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		delay := min(10*time.Second, 250*time.Millisecond<<min(attempt, 6))
		var no *apiclient.Rejected
		if errors.As(err, &no) {
			delay = time.Minute
		}
		a.cfg.Log.Warn("introduce this device to the broker", "error", err)
		a.pause(ctx, delay)
	}
}

// introduce enrols the device, or asks the broker for what it tells everybody
// if that is done.
func (a *Agent) introduce(ctx context.Context) error {
	var err error
	if enrolled := a.cfg.Broker.Record().DeviceID != ""; enrolled {
		_, err = a.cfg.Broker.Providers(ctx)
	} else {
		err = a.cfg.Broker.Enrol(ctx)
	}
	if ctx.Err() != nil {
		return err
	}
	a.asked(err)
	if err == nil {
		a.askObservations()
	}
	a.note(func() bool {
		same := err == nil && a.enrolErr == nil || err != nil && a.enrolErr != nil && err.Error() == a.enrolErr.Error()
		a.enrolErr = err
		return !same || err == nil // what enrolment brought is shown
	})
	return err
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

const (
	// steady is how long a stream must have lived for the next to follow soon.
	steady = 30 * time.Second
	// apart spreads the agents of an organisation after its broker came back.
	apart = 500 * time.Millisecond
)

// follow listens to the broker's events for one sign-in until the context
// ends. Losing the stream costs latency and nothing else.
func (a *Agent) follow(ctx context.Context, session int) {
	for attempt := 0; ctx.Err() == nil; attempt++ {
		began := a.cfg.Clock.Boot()
		err := a.cfg.Broker.Events(ctx, func(name string, e api.Event) { a.brokerSays(ctx, session, name, e) })
		if ctx.Err() != nil {
			return
		}
		a.cfg.Log.Debug("the broker's events ended", "error", err)
		if a.cfg.Clock.Boot()-began > steady {
			attempt = 0
		}
		if ends(err) { // it is an attestation's to find out and to act on
			a.brokerSays(ctx, session, api.EventAttestNow, api.Event{})
		}
		a.pause(ctx, min(10*time.Second, 250*time.Millisecond<<min(attempt, 6))+rand.N(apart))
	}
}

func (a *Agent) brokerSays(ctx context.Context, session int, name string, e api.Event) {
	now := a.cfg.Clock.Boot()
	if name == brokerclient.EventOpened {
		a.askObservations() // a word about them may have been missed
		// What could not be asked a moment ago can be now: recovery does not
		// wait for the next attempt's turn.
		if !a.snap.Load().state.Online {
			a.post(ctx, occurred{event: state.NetworkWoke{At: now}, noticed: now, session: session})
		}
		return
	}
	post := func() {
		a.post(ctx, occurred{event: state.BrokerSays{At: a.cfg.Clock.Boot(), Name: name, Event: e}, noticed: now, session: session})
	}
	if !a.heardOf(ctx, name, post) {
		post()
	}
}

// ends reports whether the broker refused the stream for a reason that ends
// more than the stream.
func ends(err error) bool {
	var no *apiclient.Rejected
	if !errors.As(err, &no) {
		return false
	}
	switch no.Code {
	case api.CodeSignedOut, api.CodeUnknownDevice, api.CodeDeviceRevoked, api.CodeQuarantined:
		return true
	}
	return false
}

// refused is an error for people at the local socket.
func refused(code, message, hint string) error {
	return &localapi.Refused{Code: code, Message: message, Hint: hint}
}

// notOwner is why a peer may not touch the session; nil if it may.
func (a *Agent) notOwner(peer ipc.Peer) error {
	if who, session := a.Owner(); session && !who.Same(peer) {
		return refused(localapi.CodeNotOwner, "another user of this computer is signed in", "that user has to sign out first")
	}
	return nil
}

// notEnrolled tells a broker that does not take this device from one that
// cannot be asked.
func notEnrolled(err error) error {
	var no *apiclient.Rejected
	if errors.As(err, &no) {
		return refused(localapi.CodeEnrolRefused, "the broker did not take this device: "+no.Error(), "check the enrolment token in the settings, or ask your administrator")
	}
	return refused(localapi.CodeUnreachable, "this device is not enrolled yet: "+err.Error(), "check the network and try again")
}

// StartSignIn begins a sign-in for an OS user.
func (a *Agent) StartSignIn(ctx context.Context, peer ipc.Peer, in localapi.SignInRequest) (localapi.SignIn, error) {
	if err := a.notOwner(peer); err != nil {
		return localapi.SignIn{}, err
	}
	if a.cfg.Broker.Record().DeviceID == "" {
		if err := a.introduce(ctx); err != nil {
			return localapi.SignIn{}, notEnrolled(err)
		}
	}
	providers, err := a.cfg.Broker.Providers(ctx)
	a.asked(err)
	if err != nil {
		return localapi.SignIn{}, refused(localapi.CodeUnreachable, err.Error(), "check the network and try again")
	}
	if len(providers) == 0 {
		return localapi.SignIn{}, refused("no_provider", "the broker names no identity provider", "ask your administrator")
	}
	s, err := a.cfg.SignIns.Start(ctx, providers[0], signin.Request{Redirect: in.RedirectURI, FormPost: in.FormPost, Switch: in.Switch}, ownerOf(peer))
	if err != nil {
		return localapi.SignIn{}, forPeople(err)
	}
	return localapi.SignIn{ID: s.ID, URL: s.URL, State: s.State, ExpiresInMS: signin.Life.Milliseconds()}, nil
}

func forPeople(err error) error {
	var e *signin.Error
	if errors.As(err, &e) {
		return refused(e.Code, e.Error(), "run `postern login` again")
	}
	return err
}

// FinishSignIn exchanges what the browser brought for a session of this person
// and returns when it has begun. One is finished at a time: the exchange ends
// the device's session before, so whose that is must not change under it.
func (a *Agent) FinishSignIn(ctx context.Context, peer ipc.Peer, f localapi.Finish) error {
	select {
	case a.signing <- struct{}{}:
		defer func() { <-a.signing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := a.notOwner(peer); err != nil {
		return err
	}
	done, err := a.cfg.SignIns.Finish(ctx, signin.Callback{ID: f.ID, Code: f.Code, State: f.State, Issuer: f.Iss, Error: f.Error, ErrorDescription: f.ErrorDescription}, ownerOf(peer))
	if err != nil {
		return forPeople(err)
	}
	return a.accept(ctx, peer, done)
}

// accept makes a finished sign-in the session of its OS user.
func (a *Agent) accept(ctx context.Context, peer ipc.Peer, done signin.Done) error {
	s, err := a.cfg.Broker.Exchange(ctx, done.IDToken, done.Salt, ownerOf(peer))
	a.asked(err)
	if err != nil {
		return refused(localapi.CodeSignInRefused, fmt.Sprintf("the broker did not take the sign-in: %v", err), "run `postern login` again; if it goes on, ask your administrator")
	}
	now := a.cfg.Clock.Boot()
	return a.ask(ctx, occurred{
		event: state.SignedIn{At: now, Person: s.Person, Ends: a.sessionEnd(s)}, noticed: now,
		signIn: &signIn{owner: peer, session: s}, asker: &peer,
	})
}

// CancelSignIn gives a sign-in up.
func (a *Agent) CancelSignIn(_ context.Context, peer ipc.Peer, id string) error {
	a.cfg.SignIns.Cancel(id, ownerOf(peer))
	return nil
}

// SignOut closes everything, ends the session, and returns when that is done
// here; the broker is told beside. An administrator of the machine may end a
// session that is not theirs.
func (a *Agent) SignOut(ctx context.Context, peer ipc.Peer) error {
	now := a.cfg.Clock.Boot()
	o := occurred{event: state.SignedOut{At: now, Cause: state.CauseSignedOut}, noticed: now, asker: &peer}
	if a.notOwner(peer) != nil && peer.Known && peer.Class == ipc.ClassAdministrator {
		o.event, o.asker = state.SignedOut{At: now, Cause: state.CauseByAdmin}, nil
	}
	return a.ask(ctx, o)
}

// Owner is the OS user whose session it is.
func (a *Agent) Owner() (ipc.Peer, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.owner, a.owner.Known && a.snap.Load().state.Session.SignedIn
}
