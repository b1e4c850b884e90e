// Package login signs a person in: it listens for the redirect, opens the page, and hands what came to the agent.
//
// It runs in the person's own process. Command line, tray and status page sign
// in with it.
package login

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/loopback"
	"github.com/postern-zt/postern/platform/browser"
)

// Agent is what a sign-in asks of the agent (localapi.Client).
type Agent interface {
	StartSignIn(ctx context.Context, in localapi.SignInRequest) (localapi.SignIn, error)
	FinishSignIn(ctx context.Context, f localapi.Finish) (localapi.Status, error)
	CancelSignIn(ctx context.Context, id string) (localapi.Status, error)
}

// patience is how long a person has for the sign-in page; giveUp how long the
// agent is asked to forget it.
const (
	patience = 5 * time.Minute
	giveUp   = 3 * time.Second
)

// Flow is one sign-in.
type Flow struct {
	Agent Agent
	// Show brings the person to the sign-in page. An error ends the sign-in.
	Show func(ctx context.Context, at Page) error
	// Await waits for the redirect until the receiver has it, or until it has
	// come in another way; nil waits for the receiver alone.
	Await func(ctx context.Context, r *loopback.Receiver, state string) (loopback.Result, error)
	// ByHand says that the person may have to copy the answer from the browser,
	// which must then be in its address. Otherwise the provider may post it, and
	// no code stays in the browser's history.
	ByHand bool
	// Switch has the provider ask who signs in, although it may remember somebody.
	Switch bool
}

// Page is where a person signs in.
type Page struct {
	// Here opens in a browser on this computer and leads on to the page: the one
	// for command lines, which other users can read.
	Here string
	// Anywhere is the provider's page itself, for a browser anywhere.
	Anywhere string
}

// Run signs in and returns the status after it. A sign-in that ends in another
// way is cancelled at the agent. The error is a *localapi.Refused in words for
// people when the agent or the provider said no or nobody came, and otherwise
// that of what failed.
func (f Flow) Run(ctx context.Context) (localapi.Status, error) {
	none := localapi.Status{}
	receiver, err := loopback.Listen()
	if err != nil {
		return none, err
	}
	defer receiver.Close()
	begun, err := f.Agent.StartSignIn(ctx, localapi.SignInRequest{RedirectURI: receiver.RedirectURI(), FormPost: !f.ByHand, Switch: f.Switch})
	if err != nil {
		return none, err
	}
	if err := browser.Check(begun.URL); err != nil { // a browser would be led there
		f.cancel(ctx, begun.ID)
		return none, err
	}
	if err := f.Show(ctx, Page{Here: receiver.Begin(begun.URL), Anywhere: begun.URL}); err != nil {
		f.cancel(ctx, begun.ID)
		return none, err
	}
	res, err := f.await(ctx, receiver, begun)
	if err != nil {
		f.cancel(ctx, begun.ID)
		return none, err
	}
	st, err := f.Agent.FinishSignIn(ctx, localapi.Finish{ID: begun.ID, Code: res.Code, State: res.State,
		Iss: res.Iss, Error: res.Error, ErrorDescription: res.ErrorDescription})
	if res.Error != "" {
		return none, refusal(res) // the agent knows now; its answer says no more
	}
	return st, err
}

func (f Flow) await(ctx context.Context, r *loopback.Receiver, begun localapi.SignIn) (loopback.Result, error) {
	limit := patience
	if ms := begun.ExpiresInMS; ms > 0 {
		limit = min(limit, time.Duration(ms)*time.Millisecond)
	}
	wait, stop := context.WithTimeout(ctx, limit)
	defer stop()
	await := f.Await
	if await == nil {
		await = func(ctx context.Context, r *loopback.Receiver, state string) (loopback.Result, error) {
			return r.Wait(ctx, state)
		}
	}
	res, err := await(wait, r, begun.State)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = &localapi.Refused{Code: localapi.CodeSignInTimeout, Message: "Nobody signed in within the time for it.", Hint: "Begin the sign-in again."}
	}
	return res, err
}

// cancel gives the sign-in up, also when ctx has ended already. That the agent
// could not be told changes nothing: the sign-in expires by itself.
func (f Flow) cancel(ctx context.Context, id string) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), giveUp)
	defer stop()
	_, _ = f.Agent.CancelSignIn(ctx, id)
}

// refusal puts a provider's error into words (RFC 6749 section 4.1.2.1; OpenID
// Connect Core 1.0 section 3.1.2.6).
func refusal(res loopback.Result) error {
	no := &localapi.Refused{Code: localapi.CodeSignInRefused, Hint: "Ask your administrator, and give them this: " + quotable(res.Error)}
	switch res.Error {
	case "access_denied":
		no.Message = "The sign-in page said that you may not sign in, or the sign-in was declined there."
	case "login_required", "interaction_required", "account_selection_required", "consent_required":
		no.Message = "The sign-in page needs you to do something that it did not ask for."
	case "temporarily_unavailable", "server_error":
		no.Message, no.Hint = "Your organisation's sign-in page has trouble of its own.", "Try again in a few minutes."
	case "unauthorized_client", "invalid_request", "invalid_scope", "unsupported_response_type", "invalid_client":
		no.Message = "Your organisation's sign-in page is not set up for Postern."
	default:
		no.Message = "Your organisation's sign-in page refused the sign-in."
	}
	if res.ErrorDescription != "" {
		no.Message += " It says: " + quotable(res.ErrorDescription)
	}
	return no
}

// maxQuoted is how many characters of a provider's text are repeated.
const maxQuoted = 300

// quotable is a provider's text as far as it may stand in a sentence of ours.
func quotable(text string) string {
	r := []rune(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text))
	if len(r) > maxQuoted {
		r = append(r[:maxQuoted-1], '…')
	}
	return string(r)
}
