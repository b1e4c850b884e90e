package brokerclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/platform/secret"
)

const sessionName = "session"

// Session is what is kept of a sign-in, in the secret store.
type Session struct {
	Refresh string        `json:"refresh"`
	Person  api.Person    `json:"person"`
	Ends    time.Time     `json:"ends"` // broker time
	Apps    []api.AppInfo `json:"apps,omitempty"`
	Owner   string        `json:"owner"` // the OS user whose session it is
}

func (c *Client) loadSession() error {
	data, err := c.cfg.Secrets.Get(sessionName)
	if errors.Is(err, secret.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read session: %w", err)
	}
	if err := jws.Decode(data, &c.session); err != nil {
		return fmt.Errorf("read session: %w", err)
	}
	return nil
}

// Session returns the session, if there is one.
func (c *Client) Session() (Session, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session, c.session.Refresh != ""
}

func (c *Client) saveSession() error {
	data, err := json.Marshal(c.session)
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
	c.session.Apps = apps
	return c.saveSession()
}

// Forget drops the session from memory and store and returns its refresh
// handle, for Revoke.
func (c *Client) Forget() (handle string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	handle = c.session.Refresh
	c.session, c.access = Session{}, ""
	if err := c.cfg.Secrets.Delete(sessionName); err != nil {
		return handle, fmt.Errorf("forget session: %w", err)
	}
	return handle, nil
}

// Exchange trades an ID token for a session bound to the device key (RFC 8693).
func (c *Client) Exchange(ctx context.Context, idToken, salt, owner string) (api.Person, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, sent, err := c.grant(ctx, url.Values{
		api.ParamGrantType: {api.GrantExchange}, api.ParamSubjectToken: {idToken}, api.ParamSubjectType: {api.TypeIDToken}, api.ParamSalt: {salt},
	})
	if err != nil {
		return api.Person{}, err
	}
	if a.Person == nil || a.RefreshToken == "" {
		return api.Person{}, &apiclient.Unreachable{Err: errors.New("the broker's token answer lacks person or refresh_token")}
	}
	c.session = Session{Person: *a.Person, Owner: owner}
	c.keep(a, sent)
	return *a.Person, c.saveSession()
}

// keep takes over the tokens of an answer.
func (c *Client) keep(a api.TokenAnswer, sent time.Duration) {
	c.access = a.AccessToken
	c.until = sent + time.Duration(a.ExpiresIn)*time.Second*3/4
	c.session.Refresh = a.RefreshToken
	c.session.Ends = c.cfg.API.Now().Add(time.Duration(a.SessionEndsIn) * time.Second)
}

// grant asks the token endpoint; a form without a proof of the key is worth nothing there.
func (c *Client) grant(ctx context.Context, form url.Values) (api.TokenAnswer, time.Duration, error) {
	var a api.TokenAnswer
	sent, err := c.cfg.API.Do(ctx, apiclient.Call{Method: http.MethodPost, Path: api.PathToken, Proof: true, Type: api.TypeForm, Body: []byte(form.Encode())}, &a)
	return a, sent, err
}

// token returns an access token with time left, refreshing it if needed. The
// new refresh handle is on disk before it is first used: the broker takes the
// previous one until then, so neither a lost answer nor a crash signs out.
func (c *Client) token(ctx context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session.Refresh == "" {
		return "", &apiclient.Rejected{Code: api.CodeSignedOut, Detail: "nobody is signed in"}
	}
	if c.access != "" && c.cfg.Clock.Boot() < c.until {
		return c.access, nil
	}
	a, sent, err := c.grant(ctx, url.Values{api.ParamGrantType: {api.GrantRefresh}, api.ParamRefresh: {c.session.Refresh}})
	var no *apiclient.Rejected
	if errors.As(err, &no) && no.Code == api.OAuthInvalidGrant {
		return "", &apiclient.Rejected{Status: no.Status, Code: api.CodeSignedOut, Detail: no.Detail}
	}
	if err != nil {
		return "", err
	}
	c.keep(a, sent)
	return c.access, c.saveSession()
}

// dropToken makes the next call fetch a new access token.
func (c *Client) dropToken() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.access = ""
}

// Revoke ends a session at the broker (RFC 7009), so that the gateway closes
// without waiting for the leases' end.
func (c *Client) Revoke(ctx context.Context, handle string) error {
	_, err := c.cfg.API.Do(ctx, apiclient.Call{
		Method: http.MethodPost, Path: api.PathRevoke, Proof: true, Type: api.TypeForm, Body: []byte(url.Values{"token": {handle}}.Encode()),
	}, nil)
	return err
}
