package rig

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/client/brokerclient"
	"github.com/postern-zt/postern/platform/buildinfo"
	"github.com/postern-zt/postern/posture/attest"
	"github.com/postern-zt/postern/posture/fact"
)

// What an agent would never send, a test may: these are the calls without the
// care that the agent takes.

// Grant asks the token endpoint, proven by the device's key.
func (d *Device) Grant(form url.Values) (api.TokenAnswer, error) {
	var a api.TokenAnswer
	_, err := d.API.Do(d.World.Context(), apiclient.Call{Method: http.MethodPost, Path: api.PathToken, Proof: true, Type: api.TypeForm, Body: []byte(form.Encode())}, &a)
	return a, err
}

// Exchange trades an ID token.
func (d *Device) Exchange(idToken, salt string) (api.TokenAnswer, error) {
	return d.Grant(url.Values{api.ParamGrantType: {api.GrantExchange}, api.ParamSubjectToken: {idToken}, api.ParamSubjectType: {api.TypeIDToken}, api.ParamSalt: {salt}})
}

// Refresh trades a refresh handle.
func (d *Device) Refresh(handle string) (api.TokenAnswer, error) {
	return d.Grant(url.Values{api.ParamGrantType: {api.GrantRefresh}, api.ParamRefresh: {handle}})
}

// Tokens signs the person in and returns what the broker gave.
func (d *Device) Tokens() api.TokenAnswer {
	d.T.Helper()
	done := d.IDToken()
	a, err := d.Exchange(done.IDToken, done.Salt)
	must(d.T, err)
	return a
}

// Nonce asks the broker for an attestation nonce.
func (d *Device) Nonce(access string) string {
	d.T.Helper()
	_, err := d.Post(access, d.Sign(d.Claims("none-yet", 1<<40)))
	no, ok := err.(*apiclient.Rejected)
	if !ok || no.Code != api.CodeUseNonce || no.Nonce == "" {
		d.T.Fatalf("asked for a nonce, got %v", err)
	}
	return no.Nonce
}

// Claims are those of a healthy device, to be spoilt.
func (d *Device) Claims(nonce string, seq int64, apps ...string) attest.Claims {
	now := d.API.Now()
	r := Healthy(now.Add(-time.Second))
	return attest.Claims{
		Nonce: nonce, UEID: d.Broker.Record().UEID, Audience: d.World.URL, IssuedAt: now.Unix(), Expires: now.Add(time.Minute).Unix(),
		Software: buildinfo.Product, Version: []string{"1", "semver"}, Key: attest.KeyClaims{Protection: string(d.Key.Protection()), Scope: api.ScopeUser},
		Hardware: d.Hardware, Seq: seq, Wanted: d.Wanted(apps...), Report: &fact.Report{Signals: r.Signals},
	}
}

// Sign signs claims with the device's key.
func (d *Device) Sign(c attest.Claims) string {
	d.T.Helper()
	tok, err := attest.Sign(d.Key, c)
	must(d.T, err)
	return tok
}

// Post sends an attestation as it is.
func (d *Device) Post(access, eat string) (api.Answer, error) {
	var a api.Answer
	_, err := d.API.Do(d.World.Context(), apiclient.Call{Method: http.MethodPost, Path: api.PathAttestations, Token: access, Type: api.TypeEAT, Body: []byte(eat)}, &a)
	return a, err
}

// Events listens to the broker and hands each event to on until the stream
// ends; then it closes ended. It returns once the stream is open.
func (d *Device) Events(on func(name string, e api.Event)) (ended <-chan error) {
	d.T.Helper()
	opened := make(chan struct{})
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	d.World.listening(opened)
	go func() {
		done <- d.Broker.Events(ctx, func(name string, e api.Event) {
			if name != brokerclient.EventOpened { // not the broker's word
				on(name, e)
			}
		})
	}()
	d.T.Cleanup(cancel)
	select {
	case <-opened:
	case err := <-done:
		d.T.Fatalf("listen to the broker: %v", err)
	case <-d.World.Context().Done():
		d.T.Fatal("the event stream did not open")
	}
	return done
}
