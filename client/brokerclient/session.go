package brokerclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/platform/secret"
)

const sessionName = "session"

// Session is a sign-in: what is kept of it in the secret store, and the access
// token of the moment.
type Session struct {
	Refresh string        `json:"refresh"`
	Person  api.Person    `json:"person"`
	Ends    time.Time     `json:"ends,omitzero"` // broker time; zero: not known
	Apps    []api.AppInfo `json:"apps,omitempty"`
	Owner   string        `json:"owner"` // the OS user whose session it is

	access string
	until  time.Duration // boot time at which access is renewed
}

// String names nothing that is secret, should a session get into a log.
func (s Session) String() string { return "session of " + s.Owner }

// GoString is String.
func (s Session) GoString() string { return s.String() }

// loadSession takes up the kept session. One that cannot be understood is none:
// the person signs in again, which is no reason for the agent not to start.
func (c *Client) loadSession() error {
	data, err := c.cfg.Secrets.Get(sessionName)
	if errors.Is(err, secret.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read session: %w", err)
	}
	var s Session
	if jws.Decode(data, &s) != nil {
		if err := c.cfg.Secrets.Delete(sessionName); err != nil {
			return fmt.Errorf("forget a damaged session: %w", err)
		}
		return nil
	}
	c.session = s
	return nil
}

// Session returns the session, if there is one.
func (c *Client) Session() (Session, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session, c.session.Refresh != ""
}

func (c *Client) store(s Session) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := c.cfg.Secrets.Set(sessionName, data); err != nil {
		return fmt.Errorf("keep session: %w", err)
	}
	return nil
}

// RememberApps keeps the applications this person knows, so that their tunnel
// keys are in the first attestation after a restart.
func (c *Client) RememberApps(apps []api.AppInfo) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session.Refresh == "" {
		return nil
	}
	c.session.Apps = slices.Clone(apps)
	return c.store(c.session)
}

// Begin makes s, which Exchange brought, the session of this device, in place
// of any other. It is on disk before it is used; on an error nothing changes.
func (c *Client) Begin(s Session) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.store(s); err != nil {
		return err
	}
	c.session = s
	c.number++
	return nil
}

// Forget drops the session from memory and store and returns its refresh
// handle, for Revoke. What is still under way for it comes to nothing.
func (c *Client) Forget() (handle string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	handle = c.session.Refresh
	c.session = Session{}
	c.number++
	if err := c.cfg.Secrets.Delete(sessionName); err != nil {
		return handle, fmt.Errorf("forget session: %w", err)
	}
	return handle, nil
}

// Exchange trades an ID token for a session bound to the device key (RFC 8693).
// The broker ends any other session of the device with it; here it counts from
// Begin on, so that whoever owns the agent's state decides when.
func (c *Client) Exchange(ctx context.Context, idToken, salt, owner string) (Session, error) {
	a, sent, err := c.grant(ctx, url.Values{
		api.ParamGrantType: {api.GrantExchange}, api.ParamSubjectToken: {idToken}, api.ParamSubjectType: {api.TypeIDToken}, api.ParamSalt: {salt},
	})
	if err != nil {
		return Session{}, err
	}
	if a.Person == nil || a.RefreshToken == "" {
		return Session{}, &apiclient.Unreachable{Err: errors.New("the broker's token answer lacks person or refresh_token")}
	}
	s := Session{Person: *a.Person, Owner: owner}
	c.accept(&s, a, sent)
	return s, nil
}

// maxAccess bounds the life of an access token, whatever the broker says.
const maxAccess = time.Hour

// accept puts the tokens of an answer into a session. A refresh handle or an
// end that the answer leaves out (RFC 6749 section 6) stays as it was.
func (c *Client) accept(s *Session, a api.TokenAnswer, sent time.Duration) {
	life := min(time.Duration(min(max(a.ExpiresIn, 0), int64(maxAccess/time.Second)))*time.Second, maxAccess)
	s.access, s.until = a.AccessToken, sent+life*3/4
	if a.RefreshToken != "" {
		s.Refresh = a.RefreshToken
	}
	if a.SessionEndsIn > 0 {
		s.Ends = c.cfg.API.Now().Add(time.Duration(min(a.SessionEndsIn, maxSession)) * time.Second)
	}
}

// maxSession bounds what the broker may say of a session's length: a year, in
// seconds.
const maxSession = 365 * 24 * 3600

// grant asks the token endpoint; a form without a proof of the key is worth nothing there.
func (c *Client) grant(ctx context.Context, form url.Values) (api.TokenAnswer, time.Duration, error) {
	var a api.TokenAnswer
	sent, err := c.cfg.API.Do(ctx, apiclient.Call{Method: http.MethodPost, Path: api.PathToken, Proof: true, Type: api.TypeForm, Body: []byte(form.Encode())}, &a)
	if err == nil && a.AccessToken == "" {
		err = &apiclient.Unreachable{Err: errors.New("the broker's token answer lacks access_token")}
	}
	return a, sent, c.heard(err)
}

// errSignedOut answers what needs a session when there is none, or none any more.
func errSignedOut() error {
	return &apiclient.Rejected{Code: api.CodeSignedOut, Detail: "nobody is signed in"}
}

// token returns an access token with time left, refreshing it if needed.
func (c *Client) token(ctx context.Context) (string, error) {
	if access, _, _, err := c.valid(); access != "" || err != nil {
		return access, err
	}
	release, err := c.grants.take(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	access, handle, number, err := c.valid() // somebody may have refreshed it meanwhile
	if access != "" || err != nil {
		return access, err
	}
	a, sent, err := c.grant(ctx, url.Values{api.ParamGrantType: {api.GrantRefresh}, api.ParamRefresh: {handle}})
	var no *apiclient.Rejected
	if errors.As(err, &no) && no.Code == api.OAuthInvalidGrant {
		return "", &apiclient.Rejected{Status: no.Status, Code: api.CodeSignedOut, Detail: no.Detail}
	}
	if err != nil {
		return "", err
	}
	return c.refreshed(number, a, sent)
}

// valid gives the access token if it has time left, and else what to refresh
// it with and for which session.
func (c *Client) valid() (access, handle string, number int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session.Refresh == "" {
		return "", "", 0, errSignedOut()
	}
	if c.session.access != "" && c.cfg.Clock.Boot() < c.session.until {
		access = c.session.access
	}
	return access, c.session.Refresh, c.number, nil
}

// refreshed takes over the tokens of a refresh. A new handle is used only once
// it is on disk: the broker takes the previous one until then, so neither a
// lost answer nor a crash signs out. While it cannot be written the previous
// one therefore goes on being used, and the access token is good all the same.
func (c *Client) refreshed(number int, a api.TokenAnswer, sent time.Duration) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if number != c.number {
		return "", errSignedOut() // it was of a session that has ended meanwhile
	}
	next := c.session
	c.accept(&next, a, sent)
	if c.store(next) != nil {
		next.Refresh = c.session.Refresh
	}
	c.session = next
	return next.access, nil
}

// drop makes the next call fetch a new access token in place of this one.
func (c *Client) drop(access string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session.access == access {
		c.session.access = ""
	}
}

// Revoke ends a session at the broker (RFC 7009), so that the gateway closes
// without waiting for the leases' end.
func (c *Client) Revoke(ctx context.Context, handle string) error {
	_, err := c.cfg.API.Do(ctx, apiclient.Call{
		Method: http.MethodPost, Path: api.PathRevoke, Proof: true, Type: api.TypeForm, Body: []byte(url.Values{"token": {handle}}.Encode()),
	}, nil)
	return err
}
