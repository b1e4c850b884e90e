package signin_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	. "github.com/postern-zt/postern/client/signin"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/testfixtures/rig"
)

const (
	jkt      = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
	redirect = "http://127.0.0.1:7777/callback"
)

// back is a return in the address, as where a person pastes it.
var back = Request{Redirect: redirect}

// policy of a broker that nobody asks here.
const policy = `version: 1
providers: [{issuer: "${IDP}", client_id: ` + rig.ClientID + `, scopes: [openid]}]
apps: [{id: wiki, name: Wiki, destinations: ["unix:${APPS}/wiki.sock"], ports: [80], posture: none}]
`

// world is the real provider and the sign-ins of one device.
type world struct {
	*SignIns
	t        *testing.T
	clock    *clock.Fake
	provider api.Provider

	mu     sync.Mutex
	token  []url.Values // forms sent to the token endpoint
	auth   []string     // Authorization headers there
	broken bool         // the token endpoint answers 503
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: clock.NewFake(time.Now())}
	r := rig.New(t, rig.Options{NoGateway: true, Policy: policy})
	w.provider = api.Provider{Issuer: r.IDP, ClientID: rig.ClientID, Scopes: []string{"openid", "email"}}
	w.device(time.Now)
	return w
}

// device begins anew, with a broker whose time is now.
func (w *world) device(now func() time.Time) {
	w.SignIns = New(jkt, w.clock.Boot, now)
	w.Through(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) { return w.pass(next, r) })
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// pass notes what is sent to the provider's token endpoint.
func (w *world) pass(next http.RoundTripper, r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost {
		return next.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	form, err := url.ParseQuery(string(body))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.token, w.auth = append(w.token, form), append(w.auth, r.Header.Get("Authorization"))
	if w.broken {
		return &http.Response{StatusCode: 503, Status: "503 Service Unavailable", Header: http.Header{"Content-Type": {"text/plain"}},
			Body: io.NopCloser(strings.NewReader("down for repairs: " + form.Get("code"))), Request: r}, err
	}
	return next.RoundTrip(r)
}

func (w *world) start(owner string) Started {
	w.t.Helper()
	s, err := w.Start(w.t.Context(), w.provider, back, owner)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

var hidden = regexp.MustCompile(`name="ticket" value="([^"]*)"`)

// browse goes through the provider's pages as a person and returns what comes
// back to the loopback address.
func (w *world) browse(address string, press url.Values) Callback {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	host := strings.TrimPrefix(w.provider.Issuer, "http://")
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host != host {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	res, err := browser.Get(address)
	if err != nil {
		w.t.Fatal(err)
	}
	page, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		w.t.Fatal(err)
	}
	found := hidden.FindStringSubmatch(string(page))
	if found == nil {
		w.t.Fatalf("no form at %s: %s", address, page)
	}
	press.Set("ticket", found[1])
	res, err = browser.PostForm(w.provider.Issuer+"/login", press)
	if err != nil {
		w.t.Fatal(err)
	}
	res.Body.Close()
	at, err := res.Location()
	if err != nil || !strings.HasPrefix(at.String(), redirect) {
		w.t.Fatalf("the form led to %v, %v (%s)", at, err, res.Status)
	}
	q := at.Query()
	return Callback{Code: q.Get("code"), State: q.Get("state"), Issuer: q.Get("iss"), Error: q.Get("error"), ErrorDescription: q.Get("error_description")}
}

func (w *world) signIn(s Started) Callback {
	w.t.Helper()
	c := w.browse(s.URL, url.Values{"username": {rig.User}, "password": {rig.Password}})
	c.ID = s.ID
	return c
}

// odd is a provider whose description a test writes.
func odd(t *testing.T, describe func(issuer string) map[string]any, token http.HandlerFunc) api.Provider {
	t.Helper()
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		d := map[string]any{"issuer": srv.URL, "authorization_endpoint": srv.URL + "/authorize", "token_endpoint": srv.URL + "/token", "jwks_uri": srv.URL + "/keys"}
		if describe != nil {
			for k, v := range describe(srv.URL) {
				d[k] = v
			}
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(d)
	})
	if token != nil {
		mux.HandleFunc("/token", token)
	}
	return api.Provider{Issuer: srv.URL, ClientID: "postern", Scopes: []string{"openid"}}
}
