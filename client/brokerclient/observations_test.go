package brokerclient

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// signer is a key of the broker's with its purpose.
type signer struct {
	key     *ecdsa.PrivateKey
	kid     string
	purpose string
}

func newSigner(t *testing.T, purpose string) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	kid, err := jws.Thumbprint(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return signer{key, kid, purpose}
}

func (s signer) sign(t *testing.T, typ string, payload any) string {
	t.Helper()
	token, err := jws.Sign(s.key, payload, jws.Options{Type: typ, KID: s.kid})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (s signer) public(t *testing.T) map[string]any {
	t.Helper()
	data, err := jws.MarshalKey(&s.key.PublicKey, s.kid)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	if s.purpose != "" {
		out["postern_purpose"] = s.purpose
	}
	return out
}

// library is the part of the broker's twin that gives observations.
type library struct {
	*broker
	policy, access signer
	token          atomic.Value // string
	keys           atomic.Value // []map[string]any
	asked          atomic.Int32
	unchanged      atomic.Int32
}

func newLibrary(t *testing.T) *library {
	l := &library{broker: newBroker(t), policy: newSigner(t, api.PurposeObservations), access: newSigner(t, api.PurposeAccess)}
	l.keys.Store([]map[string]any{l.access.public(t), l.policy.public(t)})
	before := l.Config.Handler
	l.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case api.PathJWKS:
			l.send(w, reply{status: 200, body: map[string]any{"keys": l.keys.Load()}})
		case api.PathObservations:
			l.asked.Add(1)
			token := l.token.Load().(string)
			tag := `W/"` + jws.Hash([]byte(token))[:8] + `"`
			w.Header().Set("ETag", tag)
			if r.Header.Get("If-None-Match") == tag {
				l.unchanged.Add(1)
				w.WriteHeader(http.StatusNotModified)
				return
			}
			w.Header().Set("Content-Type", api.TypeJWT)
			w.Write([]byte(token))
		default:
			before.ServeHTTP(w, r)
		}
	})
	return l
}

func (l *library) claims(version int64, ids ...string) api.Observations {
	o := api.Observations{Issuer: l.URL, IssuedAt: day.Unix(), Document: observe.Document{Version: version, Observations: []observe.Observation{}, EDR: []observe.EDRRow{}}}
	for _, id := range ids {
		o.Observations = append(o.Observations, observe.Observation{ID: id, Kind: observe.KindFile, Path: "/etc/x"})
	}
	return o
}

func (l *library) give(version int64, ids ...string) {
	l.token.Store(l.policy.sign(l.t, api.ObservationsType, l.claims(version, ids...)))
}

func (l *library) fetch(c *Client, version int64, changed bool) {
	l.t.Helper()
	doc, is, err := c.Observations(l.t.Context())
	if err != nil || doc.Version != version || is != changed {
		l.t.Errorf("version %d, changed %t, %v; want %d, %t", doc.Version, is, err, version, changed)
	}
}

func TestObservations(t *testing.T) {
	l, d := newLibrary(t), newDevice(t)
	c := l.client(d)
	if doc := c.KeptObservations(); doc.Version != 0 {
		t.Errorf("before the first contact: %+v", doc)
	}
	l.give(3, "org/a")
	l.fetch(c, 3, true)
	if o := c.KeptObservations().Observations; len(o) != 1 || o[0].Origin != fact.OriginBroker {
		t.Errorf("%+v", o)
	}
	l.fetch(c, 3, false)
	if l.unchanged.Load() != 1 {
		t.Error("an unchanged document was sent again")
	}
	l.give(3, "org/a") // signed again, as after a restart of the broker
	l.fetch(c, 3, false)
	l.give(4, "org/a", "org/b")
	l.fetch(c, 4, true)
	info, err := os.Stat(d.file(observationsFile))
	if modes := runtime.GOOS != "windows"; err != nil || modes && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	again := l.client(d)
	if doc := again.KeptObservations(); doc.Version != 4 || len(doc.Observations) != 2 {
		t.Errorf("after a restart: %+v", doc)
	}
	l.fetch(again, 4, false)
}

// What is older, or another under the same number, is refused, after a restart
// too, and the last good one stays.
func TestObservationsNeverGoBack(t *testing.T) {
	l, d := newLibrary(t), newDevice(t)
	c := l.client(d)
	l.give(9, "org/a")
	l.fetch(c, 9, true)
	for range 2 {
		for _, give := range []func(){func() { l.give(8, "org/old") }, func() { l.give(9, "org/other") }, func() { l.give(9) }} {
			give()
			doc, changed, err := c.Observations(t.Context())
			if !errors.Is(err, ErrRolledBack) || changed || doc.Version != 9 || doc.Observations[0].ID != "org/a" {
				t.Errorf("%+v, %t, %v", doc, changed, err)
			}
			unreachable(t, err)
		}
		c = l.client(d)
	}
	l.give(10, "org/b")
	l.fetch(c, 10, true)
}

func TestObservationsRefused(t *testing.T) {
	l := newLibrary(t)
	good := func() api.Observations { return l.claims(5, "org/a") }
	stranger := newSigner(t, api.PurposeObservations)
	token := l.policy.sign(t, api.ObservationsType, good())
	parts := strings.Split(token, ".")
	broken := func(change func(*api.Observations)) string {
		o := good()
		change(&o)
		return l.policy.sign(t, api.ObservationsType, o)
	}
	for name, token := range map[string]string{
		"nothing signed":           "x",
		"tampered":                 parts[0] + "." + jws.B64([]byte(`{"iss":"`+l.URL+`","iat":1,"version":6,"observations":[],"edr":[]}`)) + "." + parts[2],
		"of a stranger":            stranger.sign(t, api.ObservationsType, good()),
		"by the key of the tokens": l.access.sign(t, api.ObservationsType, good()),
		"a token of another type":  l.policy.sign(t, api.AccessTokenType, good()),
		"an access token":          l.access.sign(t, api.AccessTokenType, api.AccessClaims{Issuer: l.URL, Audience: l.URL}),
		"of another broker":        broken(func(o *api.Observations) { o.Issuer = "https://other.example" }),
		"without a number":         broken(func(o *api.Observations) { o.Version = 0 }),
		"a user's id":              broken(func(o *api.Observations) { o.Observations[0].ID = "local/a" }),
		"a path that is closed":    broken(func(o *api.Observations) { o.Observations[0].Path = "/etc/shadow" }),
		"another form":             broken(func(o *api.Observations) { o.Observations[0].Kind = "script" }),
		"a shipped product": broken(func(o *api.Observations) {
			o.EDR = []observe.EDRRow{{ID: "crowdstrike-falcon", Name: "X", Linux: []observe.Program{{Executable: "/bin/true"}}}}
		}),
		"one id twice":               broken(func(o *api.Observations) { o.Observations = append(o.Observations, o.Observations[0]) }),
		"a member that none has":     l.policy.sign(t, api.ObservationsType, map[string]any{"iss": l.URL, "iat": 1, "version": 6, "edr": []any{}, "observations": []any{map[string]any{"id": "org/a", "kind": "file", "path": "/a/b", "run": "x"}}}),
		"a member that is not there": l.policy.sign(t, api.ObservationsType, map[string]any{"iss": l.URL, "iat": 1, "version": 6, "observations": []any{}}),
	} {
		d := newDevice(t)
		c := l.client(d)
		l.token.Store(token)
		if doc, changed, err := c.Observations(t.Context()); err == nil || changed || doc.Version != 0 {
			t.Errorf("%s: accepted %+v", name, doc)
		} else {
			unreachable(t, err)
		}
		if _, err := os.Stat(d.file(observationsFile)); err == nil {
			t.Errorf("%s: kept", name)
		}
	}
	// The key must be announced for observations.
	for _, purpose := range []string{"", api.PurposeAccess} {
		other := l.policy
		other.purpose = purpose
		l.keys.Store([]map[string]any{other.public(t)})
		l.give(5, "org/a")
		_, _, err := l.client(newDevice(t)).Observations(t.Context())
		unreachable(t, err)
	}
}

// What is kept is verified again; a file that was changed counts for nothing.
func TestKeptObservationsAreVerified(t *testing.T) {
	l, d := newLibrary(t), newDevice(t)
	l.give(5, "org/a")
	l.fetch(l.client(d), 5, true)
	data, err := os.ReadFile(d.file(observationsFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"", "{}", strings.Replace(string(data), `"token":"ey`, `"token":"ez`, 1), strings.Replace(string(data), l.URL, "https://other.example", 1)} {
		if err := os.WriteFile(d.file(observationsFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		c := l.client(d)
		if doc := c.KeptObservations(); doc.Version != 0 {
			t.Errorf("believed %.40q", content)
		}
		l.fetch(c, 5, true)
	}
}

func TestObservationsAnswers(t *testing.T) {
	b := newBroker(t)
	var answer http.HandlerFunc
	before := b.Config.Handler
	b.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != api.PathObservations {
			before.ServeHTTP(w, r)
			return
		}
		answer(w, r)
	})
	c := b.client(newDevice(t))
	if err := c.Enrol(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]http.HandlerFunc{
		"not modified, unasked": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) },
		"a page of somebody":    func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) },
		"nothing":               func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", api.TypeJWT) },
		"too much": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", api.TypeJWT)
			w.Write(make([]byte, api.MaxAnswer+1))
		},
	} {
		answer = f
		if _, _, err := c.Observations(t.Context()); err == nil {
			t.Errorf("%s: accepted", name)
		} else {
			unreachable(t, err)
		}
	}
	answer = func(w http.ResponseWriter, _ *http.Request) {
		b.send(w, reply{status: 403, code: api.CodeUnknownDevice})
	}
	_, _, err := c.Observations(t.Context())
	rejected(t, err, api.CodeUnknownDevice)
	if c.Record().DeviceID != "" {
		t.Error("a device that is not known does not enrol again")
	}
}

// FuzzBelieve takes whatever the broker's own key could have signed.
func FuzzBelieve(f *testing.F) {
	f.Add([]byte(`{"iss":"https://b.example","iat":1,"version":1,"observations":[{"id":"org/a","kind":"file","path":"/a/b"}],"edr":[]}`))
	f.Add([]byte(`{"iss":"https://b.example","iat":1,"version":1,"version":2,"observations":[],"edr":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var o api.Observations
		if jws.Decode(data, &o) != nil {
			return
		}
		doc, err := o.Document.From(fact.OriginBroker)
		if err != nil {
			return
		}
		if len(doc.Observations) > observe.MaxObservations || len(doc.EDR) > observe.MaxProducts {
			t.Errorf("%d observations, %d products", len(doc.Observations), len(doc.EDR))
		}
		for _, o := range doc.Observations {
			if o.Origin != fact.OriginBroker || !strings.HasPrefix(o.ID, observe.OrgPrefix) {
				t.Errorf("accepted %+v", o)
			}
		}
	})
}
