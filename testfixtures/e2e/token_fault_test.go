package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/testfixtures/rig"
)

// none takes a compact JWS and makes it one that nobody signed.
func none(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	raw, err := jws.UnB64(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	var h map[string]any
	if err := json.Unmarshal(raw, &h); err != nil {
		t.Fatal(err)
	}
	h["alg"] = "none"
	head, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	return jws.B64(head) + "." + parts[1] + "."
}

func TestStolenAccessToken(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	alice, thief, stranger := w.Enrolled(rig.DeviceOptions{}), w.Enrolled(rig.DeviceOptions{}), w.Device(rig.DeviceOptions{})
	stolen, own := alice.Tokens().AccessToken, thief.Tokens().AccessToken
	// The thief's key proves the call; the token is bound to another.
	_, err := thief.Post(stolen, thief.Sign(thief.Claims("none-yet", 1, "wiki")))
	wantNo(t, err, api.CodeUnauthorized)
	_, err = stranger.Post(stolen, thief.Sign(thief.Claims("none-yet", 1, "wiki")))
	wantNo(t, err, api.CodeUnauthorized)
	// The thief's own token, and another device's attestation.
	_, err = thief.Post(own, alice.Sign(alice.Claims(thief.Nonce(own), 1, "wiki")))
	wantNo(t, err, api.CodeBadAttestation)
	// The thief's own key over another device's identity.
	c := thief.Claims(thief.Nonce(own), 1, "wiki")
	c.UEID = alice.Broker.Record().UEID
	_, err = thief.Post(own, thief.Sign(c))
	wantNo(t, err, api.CodeBadAttestation)
	// A proof by the right key over another token.
	rec := raw(w, http.MethodGet, api.PathEvents, "", nil, map[string]string{
		"Authorization": "DPoP " + own, api.HeaderDPoP: proofFor(t, thief, http.MethodGet, api.PathEvents, stolen),
	})
	if rec.Code != http.StatusUnauthorized || !strings.Contains(rec.Body.String(), api.CodeBadProof) {
		t.Errorf("a proof over another token: %d %s", rec.Code, rec.Body)
	}
	// As a bearer token, and with a scope that is not its own.
	for _, h := range []map[string]string{
		{"Authorization": "Bearer " + own},
		{"Authorization": "DPoP " + own},
		{"Authorization": "DPoP " + own, api.HeaderDPoP: proofFor(t, thief, http.MethodGet, api.PathGatewayFeed, own)},
	} {
		if rec := raw(w, http.MethodGet, api.PathGatewayFeed, "", nil, h); rec.Code != http.StatusUnauthorized || !strings.HasPrefix(rec.Header().Get("WWW-Authenticate"), "DPoP ") {
			t.Errorf("%v: %d %s", h, rec.Code, rec.Body)
		}
	}
}

func TestReplayedProof(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	d := w.Enrolled(rig.DeviceOptions{})
	tok := d.Tokens()
	var mu sync.Mutex
	var proof, auth string
	w.SetFault(func(rw http.ResponseWriter, r *http.Request, broker http.Handler) {
		if r.URL.Path == api.PathAttestations {
			mu.Lock()
			proof, auth = r.Header.Get(api.HeaderDPoP), r.Header.Get("Authorization")
			mu.Unlock()
		}
		broker.ServeHTTP(rw, r)
	})
	d.Nonce(tok.AccessToken)
	w.SetFault(nil)
	mu.Lock()
	defer mu.Unlock()
	rec := raw(w, http.MethodPost, api.PathAttestations, api.TypeEAT, []byte("x"), map[string]string{"Authorization": auth, api.HeaderDPoP: proof})
	if rec.Code != http.StatusUnauthorized || !strings.Contains(rec.Body.String(), "used before") {
		t.Errorf("a replayed proof: %d %s", rec.Code, rec.Body)
	}
}

func TestNobodySigned(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	d := w.Enrolled(rig.DeviceOptions{})
	done := d.IDToken()
	_, err := d.Exchange(none(t, done.IDToken), done.Salt)
	wantNo(t, err, api.OAuthInvalidGrant)
	access := d.Tokens().AccessToken
	_, err = d.Post(access, none(t, d.Sign(d.Claims(d.Nonce(access), 1, "wiki"))))
	wantNo(t, err, api.CodeBadAttestation)
	rec := raw(w, http.MethodGet, api.PathEvents, "", nil, map[string]string{
		"Authorization": "DPoP " + access, api.HeaderDPoP: none(t, proofFor(t, d, http.MethodGet, api.PathEvents, access)),
	})
	if rec.Code != http.StatusUnauthorized || !strings.Contains(rec.Body.String(), api.CodeBadProof) {
		t.Errorf("a proof that nobody signed: %d %s", rec.Code, rec.Body)
	}
	unsigned := none(t, access)
	rec = raw(w, http.MethodGet, api.PathEvents, "", nil, map[string]string{
		"Authorization": "DPoP " + unsigned, api.HeaderDPoP: proofFor(t, d, http.MethodGet, api.PathEvents, unsigned),
	})
	if rec.Code != http.StatusUnauthorized || !strings.Contains(rec.Body.String(), api.CodeUnauthorized) {
		t.Errorf("an access token that nobody signed: %d %s", rec.Code, rec.Body)
	}
}

func TestForeignIDToken(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	alice, thief := w.Enrolled(rig.DeviceOptions{}), w.Enrolled(rig.DeviceOptions{})
	done := alice.IDToken()
	_, err := thief.Exchange(done.IDToken, done.Salt)
	if no := wantNo(t, err, api.OAuthInvalidGrant); !strings.Contains(no.Detail, "another device") {
		t.Errorf("the reason is %q", no.Detail)
	}
	_, err = alice.Exchange(done.IDToken, "another-salt-of-a-good-length")
	wantNo(t, err, api.OAuthInvalidGrant)
	other := alice.IDTokenFor("another-client")
	_, err = alice.Exchange(other.IDToken, other.Salt)
	wantNo(t, err, api.OAuthInvalidGrant)
	late := alice.IDToken()
	w.Clock.Advance(6 * time.Minute)
	_, err = alice.Exchange(late.IDToken, late.Salt)
	wantNo(t, err, api.OAuthInvalidGrant)
	if _, err := alice.Exchange(done.IDToken, strings.Repeat("s", 300)); err == nil {
		t.Error("a salt without bounds was accepted")
	}
}

func TestProviderAway(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy, NoGateway: true})
	d := w.Enrolled(rig.DeviceOptions{})
	done := d.IDToken()
	w.StopProvider()
	_, err := d.Exchange(done.IDToken, done.Salt)
	wantUnreachable(t, err) // nobody has said no
}

func TestRefreshHandles(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	d, thief := w.Enrolled(rig.DeviceOptions{}), w.Enrolled(rig.DeviceOptions{})
	first := d.Tokens()
	a, err := d.Post(first.AccessToken, d.Sign(d.Claims(d.Nonce(first.AccessToken), 1, "wiki")))
	if err != nil {
		t.Fatal(err)
	}
	l := rig.LeaseOf(t, a, "wiki")
	d.Stream(d.Tunnel(l), l)
	w.Await("the flow is there", func() bool { return w.Apps["wiki"].Open() == 1 })
	_, err = thief.Refresh(first.RefreshToken)
	wantNo(t, err, api.OAuthInvalidGrant) // and ends nothing:
	if _, err := d.Refresh(first.RefreshToken); err != nil {
		t.Fatal("the handle, after somebody without the key had it:", err)
	}
	// That answer was lost: the same handle again.
	second, err := d.Refresh(first.RefreshToken)
	if err != nil {
		t.Fatal("the handle again after a lost answer:", err)
	}
	third, err := d.Refresh(second.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if n := w.Apps["wiki"].Open(); n != 1 {
		t.Fatalf("%d flows, want the one that nothing has ended yet", n)
	}
	_, err = d.Refresh(first.RefreshToken) // two generations old
	wantNo(t, err, api.OAuthInvalidGrant)
	w.Await("the flow has ended at the app", func() bool { return w.Apps["wiki"].Open() == 0 })
	shut(t, d, l)
	_, err = d.Refresh(third.RefreshToken)
	wantNo(t, err, api.OAuthInvalidGrant)
	_, err = d.Post(third.AccessToken, "x")
	wantNo(t, err, api.CodeSignedOut)
}

func TestSignOut(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	d := w.SignedIn(rig.DeviceOptions{})
	l := d.Lease("wiki")
	d.Stream(d.Tunnel(l), l)
	w.Await("the flow is there", func() bool { return w.Apps["wiki"].Open() == 1 })
	told := make(chan string, 16)
	ended := d.Events(func(name string, _ api.Event) { told <- name })
	handle, err := d.Broker.Forget()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Broker.Revoke(w.Context(), handle); err != nil {
		t.Fatal(err)
	}
	w.Await("the flow has ended at the app", func() bool { return w.Apps["wiki"].Open() == 0 })
	shut(t, d, l)
	select {
	case <-ended: // at once, not at the next ping
	case <-time.After(5 * time.Second):
		t.Fatal("the event stream outlived its session")
	}
	if name := <-told; name != api.EventSignedOut {
		t.Errorf("the agent was told %s first", name)
	}
}

func TestSecondSignInEndsTheFirst(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	d := w.SignedIn(rig.DeviceOptions{})
	l := d.Lease("wiki")
	d.Stream(d.Tunnel(l), l)
	w.Await("the flow is there", func() bool { return w.Apps["wiki"].Open() == 1 })
	ended := d.Events(func(name string, _ api.Event) {
		if name == api.EventSignedOut {
			t.Error("the agent was told to forget the session it has just begun")
		}
	})
	d.SignIn()
	w.Await("the flow has ended at the app", func() bool { return w.Apps["wiki"].Open() == 0 })
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Fatal("the event stream outlived its session")
	}
	delete(d.Keys, "wiki")
	opens(t, d, d.Lease("wiki"))
}

func TestNobodySignsInOnAGateway(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	d := w.GatewayDevice()
	done := d.IDToken()
	_, err := d.Exchange(done.IDToken, done.Salt)
	wantNo(t, err, api.OAuthInvalidClient)
}
