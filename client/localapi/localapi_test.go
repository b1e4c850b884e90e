//go:build linux || darwin

package localapi

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/platform/jws"
)

// agent serves h on a real socket and returns a client of it.
func agent(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s", "agent.sock")
	l, err := ipc.Listen(path, ipc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() { defer close(done); srv.Serve(l.NetListener()) }()
	c := Dial(path)
	t.Cleanup(func() { c.Close(); srv.Close(); l.Close(); <-done })
	return c
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		w.Write([]byte(body))
	}
}

func TestStatusNames(t *testing.T) {
	s := Status{Apps: []App{{ID: "wiki"}}, Posture: Posture{Checks: []Check{{Code: "org/disk"}}}, User: &User{Subject: "s"},
		Forecast: []Forecast{{}}, LastRevocation: &Revocation{Cause: "firewall.enabled", ClientMS: 1.5}}.Filled()
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "null") {
		t.Errorf("a list travels as null: %s", data)
	}
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	at := func(v any, path ...string) any {
		for _, p := range path {
			if list, ok := v.([]any); ok {
				v = list[0]
			}
			member, ok := v.(map[string]any)
			if !ok {
				return nil
			}
			v = member[p]
		}
		return v
	}
	for _, path := range []string{
		"state", "user.sub", "user.email", "user.name", "device.key.protection", "device.key.attested", "device.hardware_reason",
		"broker.clock_skew_ms", "broker.reachable", "posture.verdict", "posture.checks.code", "posture.checks.outcome",
		"posture.checks.remedy.text", "posture.checks.remedy.target", "posture.checks.missing", "apps.id", "apps.name", "apps.state",
		"apps.url", "apps.local_address", "apps.reasons", "apps.lease_remaining_ms", "apps.tunnel_public_key", "apps.rx_bytes",
		"last_revocation.cause", "last_revocation.client_ms", "last_revocation.app", "forecast.from", "revision", "socket",
	} {
		if at(m, strings.Split(path, ".")...) == nil {
			t.Errorf("the status has no %s", path)
		}
	}
	var back Status
	if err := jws.Decode(data, &back); err != nil {
		t.Errorf("the status does not decode: %v", err)
	}
}

func TestFilledCopies(t *testing.T) {
	s := Status{Apps: []App{{}}, Posture: Posture{Checks: []Check{{}}}, Forecast: []Forecast{{}}}
	s.Filled()
	if s.Apps[0].Reasons != nil || s.Posture.Checks[0].Missing != nil || s.Forecast[0].Apps != nil {
		t.Error("Filled wrote into the snapshot it was given")
	}
}

func TestAnswers(t *testing.T) {
	whole, err := json.Marshal(Version{Product: "Postern", Version: "1.2.3", Scope: "user"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		h    http.HandlerFunc
		code string // "" when it is to succeed
	}{
		{"good", says(200, string(whole)), ""},
		{"newer peer", says(200, `{"product":"Postern","version":"1.2.3","scope":"user","more":1}`), ""},
		{"refused", says(403, `{"code":"not_owner","message":"No.","hint":""}`), CodeNotOwner},
		{"refused without words", says(403, `<h1>no</h1>`), CodeBadAnswer},
		{"other case", says(200, `{"product":"Postern","Version":"1.2.3","scope":"user"}`), CodeBadAnswer},
		{"twice", says(200, `{"product":"Postern","version":"1","version":"2","scope":"user"}`), CodeBadAnswer},
		{"lacking", says(200, `{"product":"Postern","version":"1"}`), CodeBadAnswer},
		{"elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/v1/else", http.StatusTemporaryRedirect)
		}, CodeBadAnswer},
		{"endless", says(200, strings.Repeat(" ", MaxAnswer)+string(whole)), CodeBadAnswer},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, err := agent(t, tc.h).Version(t.Context())
			if tc.code == "" {
				if err != nil || v.Version != "1.2.3" {
					t.Fatalf("got %+v, %v", v, err)
				}
				return
			}
			var no *Refused
			if !errors.As(err, &no) || no.Code != tc.code {
				t.Fatalf("got %v, want a refusal %s", err, tc.code)
			}
			if v != (Version{}) {
				t.Errorf("a refused answer left %+v behind", v)
			}
		})
	}
}

func TestWhatIsSent(t *testing.T) {
	got := make(chan string, 1)
	body, err := json.Marshal(Status{}.Filled())
	if err != nil {
		t.Fatal(err)
	}
	c := agent(t, func(w http.ResponseWriter, r *http.Request) {
		got <- r.Method + " " + r.URL.RequestURI() + " " + r.Header.Get("Content-Type")
		w.Write(body)
	})
	for _, tc := range []struct {
		do   func() error
		want string
	}{
		{func() error { _, err := c.WaitStatus(t.Context(), 7, time.Hour); return err }, "GET /v1/status?after=7&wait=60000 "},
		{func() error { _, err := c.WaitStatus(t.Context(), 7, -1); return err }, "GET /v1/status?after=7&wait=0 "},
		{func() error { _, err := c.SignOut(t.Context()); return err }, "POST /v1/signout "},
		{func() error { _, err := c.FinishSignIn(t.Context(), Finish{ID: "i"}); return err }, "POST /v1/signin/finish application/json"},
		{func() error { _, err := c.CancelSignIn(t.Context(), "i"); return err }, "POST /v1/signin/cancel application/json"},
	} {
		if err := tc.do(); err != nil {
			t.Fatal(err)
		}
		if is := <-got; is != tc.want {
			t.Errorf("sent %q, want %q", is, tc.want)
		}
	}
}

// An agent that is older than form_post refuses the key; the sign-in goes on
// without it. What it refuses for another reason is not asked twice.
func TestSignInAtAnOlderAgent(t *testing.T) {
	for _, tc := range []struct {
		knows, refuses bool
		want           []string
	}{
		{knows: true, want: []string{"posted"}},
		{knows: false, want: []string{"posted", "plain"}},
		{knows: true, refuses: true, want: []string{"posted", "plain"}},
	} {
		var asked []string
		c := agent(t, func(w http.ResponseWriter, r *http.Request) {
			var in SignInRequest
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
				t.Error(err)
			}
			asked = append(asked, map[bool]string{true: "posted", false: "plain"}[in.FormPost])
			if tc.refuses || in.FormPost && !tc.knows {
				says(http.StatusBadRequest, `{"code":"bad_request","message":"No.","hint":""}`)(w, r)
				return
			}
			says(http.StatusOK, `{"id":"i","url":"https://idp.example/","state":"s","expires_in_ms":1}`)(w, r)
		})
		_, err := c.StartSignIn(t.Context(), SignInRequest{RedirectURI: "http://127.0.0.1:1/callback", FormPost: true})
		if (err != nil) != tc.refuses || !slices.Equal(asked, tc.want) {
			t.Errorf("%+v: asked %v, %v", tc, asked, err)
		}
	}
}

func TestNotRunning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.sock")
	if _, err := Dial(path).Status(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("no socket: %v", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if _, err := Dial(path).Status(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("dead socket: %v", err)
	}
}

func TestCallerMayGiveUp(t *testing.T) {
	asked := make(chan struct{})
	c := agent(t, func(_ http.ResponseWriter, r *http.Request) { close(asked); <-r.Context().Done() })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := c.Status(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, ErrNotRunning) {
		t.Errorf("got %v", err)
	}
}
