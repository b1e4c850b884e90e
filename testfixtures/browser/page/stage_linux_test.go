package page

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/statuspage"
	"github.com/postern-zt/postern/client/view"
)

// like is what a person's browser is like.
type like struct {
	Locale      string   `json:"locale,omitempty"`
	Dark        bool     `json:"dark,omitempty"`
	Width       int      `json:"width,omitempty"`  // CSS pixels; 0 is 1280
	Height      int      `json:"height,omitempty"` // CSS pixels; 0 is 900
	Forced      bool     `json:"forced,omitempty"`
	Still       bool     `json:"still,omitempty"`
	Contrast    bool     `json:"contrast,omitempty"`
	Big         bool     `json:"big,omitempty"`    // letters of twice the size
	Spaced      bool     `json:"spaced,omitempty"` // more space between them
	Permissions []string `json:"permissions,omitempty"`
	Profile     string   `json:"profile,omitempty"`
}

// stage is one test: an agent, a page in front of it, and a person's browser.
type stage struct {
	*testing.T
	ctx   context.Context
	agent *agent
	page  *statuspage.Page
	close func() // ends the page's server
	like  like
	tabs  int
	bad   []string // what of the console is right for once
}

// newStage serves a page in a language and opens it in a tab.
func newStage(t *testing.T, first scene, language string, l like) (*stage, *tab) {
	t.Helper()
	s := bare(t, first, language, l)
	tab := s.open(s.page.Link(""))
	tab.until(`document.getElementById("rest").hidden === false`)
	return s, tab
}

// bare is a stage without a tab. At the end nothing may have been complained of
// by the browser.
func bare(t *testing.T, first scene, language string, l like) *stage {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	s := &stage{T: t, ctx: ctx, agent: newAgent(t, first), like: l}
	client := localapi.Dial(s.agent.socket)
	base := view.Input{Language: language, System: "linux", Version: "1.4.0", HasPage: func(id string) bool { return id == "disk-encryption" || id == "firewall" }}
	var err error
	s.page, err = statuspage.Listen(statuspage.Options{Agent: client, Base: base,
		SignIn: func(_ context.Context, somebodyElse bool) error {
			if somebodyElse {
				return s.agent.note("sign in as somebody else")
			}
			return s.agent.note("sign in")
		},
		Fix: func(_ context.Context, page string) error { return s.agent.note("fix " + page) }})
	if err != nil {
		t.Fatal(err)
	}
	serving, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.page.Serve(serving) }()
	ended := false
	s.close = func() {
		if !ended {
			ended = true
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(func() {
		s.quiet()
		if err := shared.do(context.WithoutCancel(ctx), map[string]any{"act": "close", "context": t.Name()}, nil); err != nil {
			t.Error(err)
		}
		s.close()
		client.Close()
		cancel()
	})
	return s
}

// port is where the page is, as it stands in an address.
func (s *stage) port() string {
	_, rest, _ := strings.Cut(s.page.Link(""), "127.0.0.1:")
	port, _, _ := strings.Cut(rest, "/")
	return port
}

// tab is one of the browser's.
type tab struct {
	s    *stage
	name string
}

// open opens an address in a new tab, "" an empty one.
func (s *stage) open(url string) *tab {
	s.Helper()
	s.tabs++
	t := &tab{s, fmt.Sprintf("%s-%d", s.Name(), s.tabs)}
	t.do("open", map[string]any{"context": s.Name(), "like": s.like, "url": url}, nil)
	return t
}

// logged is what a browser did.
type logged struct {
	Requests []struct{ Method, URL, Body, Referer, Origin, Failure, Frame string }
	Console  []string
	Tabs     []string
}

func (s *stage) logged() logged {
	s.Helper()
	var out logged
	if err := shared.do(s.ctx, map[string]any{"act": "log", "context": s.Name()}, &out); err != nil {
		s.Fatal(err)
	}
	return out
}

// quiet wants a console without complaints: no violation of the page's policy,
// no exception.
func (s *stage) quiet() {
	s.Helper()
	if s.tabs == 0 || s.ctx.Err() != nil {
		return
	}
	for _, line := range s.logged().Console {
		if !slices.ContainsFunc(s.bad, func(ok string) bool { return strings.Contains(line, ok) }) {
			s.Errorf("the browser says: %s", line)
		}
	}
}

func (t *tab) do(act string, more map[string]any, out any) {
	t.s.Helper()
	command := map[string]any{"act": act, "tab": t.name}
	for k, v := range more {
		command[k] = v
	}
	if err := shared.do(t.s.ctx, command, out); err != nil {
		t.s.Fatal(err)
	}
}

// ask evaluates an expression in the page.
func ask[T any](t *tab, expression string, values ...any) T {
	t.s.Helper()
	var out T
	t.do("evaluate", map[string]any{"expression": with(expression, values)}, &out)
	return out
}

// with puts values into an expression, each in place of a %s, as JSON.
func with(expression string, values []any) string {
	if len(values) == 0 {
		return expression
	}
	for i, v := range values {
		data, _ := json.Marshal(v)
		values[i] = string(data)
	}
	return fmt.Sprintf(expression, values...)
}

// until waits for an expression to be true, and says how long that took.
func (t *tab) until(expression string, values ...any) time.Duration {
	t.s.Helper()
	var out struct{ MS float64 }
	t.do("until", map[string]any{"expression": with(expression, values), "ms": patience.Milliseconds()}, &out)
	return time.Duration(out.MS * float64(time.Millisecond))
}

// says waits for a headline that contains the words.
func (t *tab) says(words string) time.Duration {
	t.s.Helper()
	return t.until(`document.getElementById("headline").textContent.includes(%s)`, words)
}

// said waits for a message.
func (t *tab) said(words string) {
	t.s.Helper()
	t.until(`document.getElementById("said").textContent.includes(%s)`, words)
}

// press presses keys, one after another.
func (t *tab) press(keys ...string) {
	t.s.Helper()
	for _, k := range keys {
		t.do("press", map[string]any{"key": k}, nil)
	}
}

func (t *tab) click(selector string) {
	t.s.Helper()
	t.do("click", map[string]any{"selector": selector}, nil)
}

// focused is the id of what has the focus; what has none is named by its kind.
func (t *tab) focused() string {
	t.s.Helper()
	return ask[string](t, `document.activeElement.id || document.activeElement.tagName`)
}

// called waits until the agent was asked for that, and nothing else.
func (s *stage) called(want ...string) {
	s.Helper()
	var got []string
	for deadline := time.Now().Add(patience); len(got) < len(want) && time.Now().Before(deadline); {
		if more := s.agent.noted(); len(more) > 0 {
			got = append(got, more...)
			continue
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-s.ctx.Done():
			s.Fatal(s.ctx.Err())
		}
	}
	if !slices.Equal(got, want) {
		s.Errorf("the agent was asked for %q, want %q", got, want)
	}
}
