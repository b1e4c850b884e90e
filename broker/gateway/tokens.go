package gateway

import (
	"context"
	"crypto"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/jws"
)

// tokens keeps the gateway's own access token fresh (RFC 7523).
type tokens struct {
	client *apiclient.Client
	key    crypto.Signer
	clock  clock.Clock

	mu     sync.Mutex
	device string
	token  string
	until  time.Duration // boot time after which a new one is fetched
}

func (t *tokens) setDevice(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.device, t.token = id, ""
}

// known reports whether this gateway is enrolled.
func (t *tokens) known() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.device != ""
}

// forget makes the next get fetch a new token.
func (t *tokens) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token = ""
}

// get returns a token with at least a minute to live.
func (t *tokens) get(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token != "" && t.clock.Boot() < t.until {
		return t.token, nil
	}
	now := t.client.Now()
	assertion, err := jws.Sign(t.key, api.DeviceAssertion{
		Issuer: t.device, Subject: t.device, Audience: t.client.Base() + api.PathToken, ID: jws.Random(16), IssuedAt: now.Unix(), Expires: now.Add(time.Minute).Unix(),
	}, jws.Options{Type: api.AssertionTyp})
	if err != nil {
		return "", err
	}
	form := url.Values{api.ParamGrantType: {api.GrantDevice}, api.ParamAssertionType: {api.AssertionJWT}, api.ParamAssertion: {assertion}}
	var a api.TokenAnswer
	sent, err := t.client.Do(ctx, apiclient.Call{Method: http.MethodPost, Path: api.PathToken, Proof: true, Type: api.TypeForm, Body: []byte(form.Encode())}, &a)
	if err != nil {
		return "", err
	}
	t.token, t.until = a.AccessToken, sent+time.Duration(a.ExpiresIn)*time.Second-time.Minute
	return t.token, nil
}
