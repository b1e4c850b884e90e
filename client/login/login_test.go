package login

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/loopback"
	"github.com/postern-zt/postern/platform/browser"
)

// agent is a twin of the agent that keeps what it was told.
type agent struct {
	mu       sync.Mutex
	redirect string
	posts    bool
	expires  int64
	finished []localapi.Finish
	gaveUp   []string
	startErr error
	leads    string // the provider's page; "" for one that is well
}

func (a *agent) StartSignIn(_ context.Context, in localapi.SignInRequest) (localapi.SignIn, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.redirect, a.posts = in.RedirectURI, in.FormPost
	return localapi.SignIn{ID: "id", URL: cmp.Or(a.leads, "https://idp.example/"), State: "st", ExpiresInMS: a.expires}, a.startErr
}

func (a *agent) FinishSignIn(_ context.Context, f localapi.Finish) (localapi.Status, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.finished = append(a.finished, f)
	return localapi.Status{State: localapi.StateStarting}, nil
}

func (a *agent) CancelSignIn(ctx context.Context, id string) (localapi.Status, error) {
	if err := ctx.Err(); err != nil { // as a call over a socket would
		return localapi.Status{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gaveUp = append(a.gaveUp, id)
	return localapi.Status{}, nil
}

// comesBack is a browser that goes straight to the redirect.
func (a *agent) comesBack(t *testing.T, query string) func(context.Context, Page) error {
	return func(context.Context, Page) error {
		go func() {
			res, err := http.Get(a.redirect + "?" + query)
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
		}()
		return nil
	}
}

func TestSignsIn(t *testing.T) {
	a := &agent{}
	st, err := Flow{Agent: a, Show: a.comesBack(t, "code=c&state=st&iss=https%3A%2F%2Fidp.example")}.Run(t.Context())
	want := localapi.Finish{ID: "id", Code: "c", State: "st", Iss: "https://idp.example"}
	if err != nil || st.State != localapi.StateStarting || len(a.finished) != 1 || a.finished[0] != want || len(a.gaveUp) != 0 {
		t.Errorf("%+v, %v; the agent heard %+v, %v", st, err, a.finished, a.gaveUp)
	}
}

func TestPastedAnswer(t *testing.T) {
	a := &agent{}
	_, err := Flow{Agent: a, Show: func(context.Context, Page) error { return nil },
		Await: func(_ context.Context, _ *loopback.Receiver, state string) (loopback.Result, error) {
			return loopback.Result{Code: "pasted", State: state}, nil
		}}.Run(t.Context())
	if err != nil || len(a.finished) != 1 || a.finished[0].Code != "pasted" {
		t.Errorf("%v; the agent heard %+v", err, a.finished)
	}
}

// An answer may be posted, which leaves no code in the browser's history, unless
// the person may have to copy it.
func TestAnswerIsPostedUnlessCopied(t *testing.T) {
	for _, byHand := range []bool{false, true} {
		a := &agent{}
		_, err := Flow{Agent: a, ByHand: byHand, Show: a.comesBack(t, "code=c&state=st")}.Run(t.Context())
		if err != nil || a.posts == byHand {
			t.Errorf("by hand %v: the agent may have it posted: %v, %v", byHand, a.posts, err)
		}
	}
}

func TestProviderSaysNo(t *testing.T) {
	for code, want := range map[string]string{
		"access_denied": "may not sign in", "login_required": "needs you", "server_error": "trouble of its own", "invalid_scope": "not set up", "own_code": "refused",
	} {
		a := &agent{}
		_, err := Flow{Agent: a, Show: a.comesBack(t, "state=st&error="+code+"&error_description=because")}.Run(t.Context())
		var no *localapi.Refused
		if !errors.As(err, &no) || no.Code != localapi.CodeSignInRefused || !strings.Contains(no.Message, want) || !strings.Contains(no.Message, "because") || no.Hint == "" {
			t.Errorf("%s: %v", code, err)
		}
		if len(a.finished) != 1 || a.finished[0].Error != code {
			t.Errorf("%s: the agent heard %+v", code, a.finished)
		}
	}
}

func TestGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	shut, timedOut := errors.New("no browser"), &localapi.Refused{Code: localapi.CodeSignInTimeout}
	for name, f := range map[string]struct {
		agent *agent
		show  func(context.Context, Page) error
		want  error
	}{
		"cancelled":  {&agent{}, func(context.Context, Page) error { cancel(); return nil }, context.Canceled},
		"too late":   {&agent{expires: 30}, func(context.Context, Page) error { return nil }, timedOut},
		"no browser": {&agent{}, func(context.Context, Page) error { return shut }, shut},
	} {
		use := t.Context()
		if name == "cancelled" {
			use = ctx
		}
		_, err := Flow{Agent: f.agent, Show: f.show}.Run(use)
		var no *localapi.Refused
		if f.want == timedOut && errors.As(err, &no) && no.Code == timedOut.Code {
			err = timedOut
		}
		if !errors.Is(err, f.want) || len(f.agent.gaveUp) != 1 || len(f.agent.finished) != 0 {
			t.Errorf("%s: %v; the agent heard %v, %v", name, err, f.agent.gaveUp, f.agent.finished)
		}
	}
	a := &agent{startErr: localapi.ErrNotRunning}
	if _, err := (Flow{Agent: a}).Run(t.Context()); !errors.Is(err, localapi.ErrNotRunning) || len(a.gaveUp) != 0 {
		t.Errorf("no agent: %v", err)
	}
}

// What a provider says reaches terminals and menus: it is a sentence, and no more.
func TestProviderSaysWhatCannotBeShown(t *testing.T) {
	a := &agent{}
	nasty := "%1b%5B2J%0aSigned+in.%e2%80%ae" + strings.Repeat("a", 9000)
	_, err := Flow{Agent: a, Show: a.comesBack(t, "state=st&error=no"+nasty+"&error_description="+nasty)}.Run(t.Context())
	var no *localapi.Refused
	if !errors.As(err, &no) {
		t.Fatal(err)
	}
	for _, text := range []string{no.Message, no.Hint} {
		if strings.ContainsAny(text, "\x1b\n\u202e") || len([]rune(text)) > 2*maxQuoted || !strings.Contains(text, "Signed in.") {
			t.Errorf("%q", text)
		}
	}
}

// What is given to a browser here leads on to the provider and tells nothing of
// the sign-in; other pages than the web's are led to by nobody.
func TestWhereTheBrowserIsLed(t *testing.T) {
	a := &agent{leads: "https://idp.example/authorize?state=st&nonce=n"}
	led := make(chan string, 1)
	_, err := Flow{Agent: a, Show: func(ctx context.Context, at Page) error {
		if at.Anywhere != a.leads || strings.Contains(at.Here, "state=") || strings.Contains(at.Here, "nonce=") {
			t.Errorf("shown %+v", at)
		}
		go func() {
			hc := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			res, err := hc.Get(at.Here)
			if err != nil {
				t.Error(err)
				close(led)
				return
			}
			res.Body.Close()
			led <- res.Header.Get("Location")
			a.comesBack(t, "code=c&state=st")(ctx, at)
		}()
		return nil
	}}.Run(t.Context())
	if to := <-led; err != nil || to != a.leads {
		t.Errorf("led to %q, %v", to, err)
	}
	a = &agent{leads: "file:///etc/passwd"}
	if _, err := (Flow{Agent: a, Show: func(context.Context, Page) error { t.Error("shown"); return nil }}).Run(t.Context()); !errors.Is(err, browser.ErrNotAllowed) || len(a.gaveUp) != 1 {
		t.Errorf("a file: %v", err)
	}
}

func TestPortIsGivenBack(t *testing.T) {
	a := &agent{}
	if _, err := (Flow{Agent: a, Show: a.comesBack(t, "code=c&state=st")}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if res, err := http.Get(a.redirect); err == nil {
		res.Body.Close()
		t.Error("the receiver still answers")
	}
}
