// Package signin runs a person's sign-in: OpenID Connect, authorization code with PKCE, bound to the device key.
package signin

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/bind"
	"github.com/postern-zt/postern/platform/jws"
)

const (
	// Life is how long a person has to finish.
	Life = 5 * time.Minute
	// providerTimeout bounds every call to a provider: one that hangs must not
	// hang the agent.
	providerTimeout = 10 * time.Second
	maxPending      = 8
	// maxBody bounds what is read of any answer of a provider, in bytes.
	maxBody = 1 << 20
)

// Started is a sign-in that waits for the person's browser.
type Started struct {
	ID    string
	URL   string // what to open
	State string // what the redirect must carry
}

// Callback is what the browser brought back to the loopback receiver.
type Callback struct {
	ID, Code, State, Issuer string
	Error, ErrorDescription string
}

// Done is a finished sign-in: an ID token whose nonce commits to the device key.
type Done struct {
	IDToken string
	Salt    string
}

// Error is a sign-in that did not work, with a stable code for people.
type Error struct {
	Code string
	Text string // one sentence
	Err  error
}

// Error gives the sentence and the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Text
	}
	return e.Text + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// The codes of Error.
const (
	CodeUnknown  = "signin_unknown"   // no such sign-in, or another user began it
	CodeExpired  = "signin_expired"   // took longer than Life
	CodeRefused  = "signin_refused"   // the provider said no
	CodeProvider = "provider_problem" // the provider cannot be asked, or answers wrongly
	CodeMixedUp  = "signin_mixed_up"  // state or issuer is not what was asked for
	CodeBusy     = "signin_too_many"
)

type pending struct {
	owner    string
	provider *oidc.Provider
	info     api.Provider
	redirect string
	state    string
	salt     string
	nonce    string
	verifier string
	issParam bool // the provider announces RFC 9207
	began    time.Duration
}

// SignIns keeps the sign-ins that are under way. Verifier and state stay here,
// in the agent; the person's process carries only what the browser brought.
type SignIns struct {
	jkt  string
	boot func() time.Duration
	now  func() time.Time // broker time, for the ID token's own times
	http *http.Client

	mu   sync.Mutex
	open map[string]pending
}

// New makes the sign-ins of the device whose key has the thumbprint jkt.
func New(jkt string, boot func() time.Duration, now func() time.Time) *SignIns {
	return &SignIns{jkt: jkt, boot: boot, now: now, http: providerClient(), open: map[string]pending{}}
}

// Request is what the person's process wants of a sign-in.
type Request struct {
	Redirect string // where the browser comes back; http on a literal loopback address
	// FormPost says that the answer may be posted there.
	FormPost bool
	// Switch says that the provider is to ask who signs in.
	Switch bool
}

// Start asks the provider for its addresses and makes the address to open. A
// user has one sign-in at a time: a new one takes the place of the one before.
func (s *SignIns) Start(ctx context.Context, p api.Provider, in Request, owner string) (Started, error) {
	if err := checkRedirect(in.Redirect); err != nil {
		return Started{}, err
	}
	if err := checkIssuer(p.Issuer); err != nil {
		return Started{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, providerTimeout)
	defer cancel()
	prv, err := oidc.NewProvider(oidc.ClientContext(ctx, s.http), p.Issuer)
	if err != nil {
		return Started{}, &Error{Code: CodeProvider, Text: "the identity provider cannot be asked", Err: brief(err)}
	}
	var meta metadata
	if err := prv.Claims(&meta); err != nil {
		return Started{}, &Error{Code: CodeProvider, Text: "the identity provider describes itself wrongly", Err: brief(err)}
	}
	for _, at := range []string{prv.Endpoint().AuthURL, prv.Endpoint().TokenURL, meta.JWKS} {
		if !secure(at) {
			return Started{}, &Error{Code: CodeProvider, Text: "the identity provider names an address that is neither https nor on loopback"}
		}
	}
	w := pending{owner: owner, provider: prv, info: p, redirect: in.Redirect, state: jws.Random(16), salt: jws.Random(16), verifier: oauth2.GenerateVerifier(), issParam: meta.IssParam, began: s.boot()}
	w.nonce = bind.CommitNonce(s.jkt, p.Issuer, p.ClientID, w.salt)
	id := jws.Random(16)
	if !s.keep(id, w) {
		return Started{}, &Error{Code: CodeBusy, Text: "too many sign-ins are under way; finish or cancel one"}
	}
	return Started{ID: id, State: w.state, URL: w.link(in, meta)}, nil
}

// link is the address that the person's browser opens.
func (w pending) link(in Request, meta metadata) string {
	more := []oauth2.AuthCodeOption{oidc.Nonce(w.nonce), oauth2.S256ChallengeOption(w.verifier)}
	if in.FormPost && meta.posts(w.info) {
		more = append(more, oauth2.SetAuthURLParam("response_mode", api.ResponseFormPost))
	}
	if in.Switch {
		more = append(more, oauth2.SetAuthURLParam("prompt", meta.whoPrompt(w.info.Issuer)))
	}
	return w.config().AuthCodeURL(w.state, more...)
}

// config is of a public client (RFC 6749 section 2.1): its id goes with the
// form. Trying other ways first would spend the code at a strict provider.
func (w pending) config() *oauth2.Config {
	at := w.provider.Endpoint()
	at.AuthStyle = oauth2.AuthStyleInParams
	return &oauth2.Config{ClientID: w.info.ClientID, RedirectURL: w.redirect, Scopes: w.info.Scopes, Endpoint: at}
}

func (s *SignIns) keep(id string, w pending) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for old, o := range s.open {
		if s.boot()-o.began > Life || o.owner == w.owner {
			delete(s.open, old)
		}
	}
	if len(s.open) >= maxPending {
		return false
	}
	s.open[id] = w
	return true
}

// take removes a sign-in: it is finished once, by the OS user who began it.
func (s *SignIns) take(id, owner string) (pending, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.open[id]
	if !ok || w.owner != owner {
		return pending{}, &Error{Code: CodeUnknown, Text: "there is no such sign-in; start again"}
	}
	delete(s.open, id)
	if s.boot()-w.began > Life {
		return pending{}, &Error{Code: CodeExpired, Text: "the sign-in took too long; start again"}
	}
	return w, nil
}

// Cancel forgets a sign-in.
func (s *SignIns) Cancel(id, owner string) { _, _ = s.take(id, owner) }

// Finish checks what the browser brought and exchanges the code for an ID
// token, whose signature, audience, times and nonce are verified here before
// the broker does it again.
func (s *SignIns) Finish(ctx context.Context, c Callback, owner string) (Done, error) {
	w, err := s.take(c.ID, owner)
	if err != nil {
		return Done{}, err
	}
	if !jws.Equal(c.State, w.state) {
		return Done{}, &Error{Code: CodeMixedUp, Text: "the answer belongs to another sign-in; start again"}
	}
	if (w.issParam || c.Issuer != "") && c.Issuer != w.info.Issuer { // RFC 9207
		return Done{}, &Error{Code: CodeMixedUp, Text: "the answer came from another identity provider; start again"}
	}
	if c.Error != "" {
		return Done{}, &Error{Code: CodeRefused, Text: "the identity provider refused: " + plainRefusal(c)}
	}
	if c.Code == "" {
		return Done{}, &Error{Code: CodeMixedUp, Text: "the answer holds neither a code nor an error; start again"}
	}
	return s.exchange(ctx, w, c.Code)
}

// exchange trades the code for an ID token and verifies it.
func (s *SignIns) exchange(ctx context.Context, w pending, code string) (Done, error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, s.http), providerTimeout)
	defer cancel()
	tok, err := w.config().Exchange(ctx, code, oauth2.VerifierOption(w.verifier))
	if err != nil {
		return Done{}, exchangeError(err)
	}
	raw, ok := tok.Extra("id_token").(string)
	if !ok || len(raw) > api.MaxToken {
		return Done{}, &Error{Code: CodeProvider, Text: "the identity provider sent no usable ID token"}
	}
	id, err := w.provider.Verifier(&oidc.Config{ClientID: w.info.ClientID, SupportedSigningAlgs: []string{oidc.ES256, oidc.RS256}, Now: s.now}).Verify(ctx, raw)
	if err != nil {
		return Done{}, &Error{Code: CodeProvider, Text: "the identity provider's ID token is not valid", Err: brief(err)}
	}
	if !jws.Equal(id.Nonce, w.nonce) {
		return Done{}, &Error{Code: CodeMixedUp, Text: "the ID token was made for another sign-in; start again"}
	}
	return Done{IDToken: raw, Salt: w.salt}, nil
}
