package statuspage

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/posture/fact"
)

// wishing is a page without a listener, for its handler alone.
func wishing(a *agent, fix func(page string)) *Page {
	return &Page{host: "127.0.0.1:4000", opts: Options{Agent: a,
		Base: view.Input{Language: "en", System: "linux", HasPage: func(id string) bool { return id == "firewall" }},
		Fix:  func(_ context.Context, page string) error { fix(page); return nil }}}
}

// Links go to https, and to this computer.
func TestFollow(t *testing.T) {
	for address, ok := range map[string]bool{
		"https://wiki.example.com/x?y#z": true, "http://127.0.0.1:4000/": true, "http://[::1]:4000/": true, "http://127.9.9.9/": true,
		"http://192.0.2.1/": false, "http://10.0.0.1:4000/": false, "http://[2001:db8::1]:4000/": false, "http://0.0.0.0:4000/": false, "http://[::]:4000/": false,
		"": false, "http://example.com/": false, "http://localhost/": false, "http://127.0.0.1.example.com/": false, "http://2130706433/": false,
		"http://[::1%25lo]:1/": true, "https://user@example.com/": false, "https:///x": false, "https:x": false, "//example.com": false, "/x": false,
		"javascript:alert(1)": false, "JAVASCRIPT:alert(1)": false, "data:text/html,x": false, "file:///etc/passwd": false, "ssh://127.0.0.1/": false,
		"https://[::1": false, "http://127.0.0.1:x/": false, "\x01https://example.com": false,
	} {
		if got := follow(address); (got != "") != ok {
			t.Errorf("%q: %q", address, got)
		}
	}
}

func TestPlain(t *testing.T) {
	got := plain("a\tb\u202ec\x00" + string([]byte{0xff}) + strings.Repeat("x", 4<<10))
	if !strings.HasPrefix(got, "a b?c??x") || len([]rune(got)) > maxSource {
		t.Errorf("%q", got)
	}
}

// When and where a signal was read; only pages that there are here.
func TestSignals(t *testing.T) {
	now := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	disk := func(at time.Time) fact.Signal {
		return fact.Signal{Name: fact.SignalDisk, State: fact.Observed, ObservedAt: at, Source: "/proc/self/mountinfo\u202e",
			Facts: []fact.Fact{{Field: "system_status", Value: fact.Str("UNENCRYPTED")}}}
	}
	in := view.Input{Now: now, Zone: time.FixedZone("east", 3600), System: "linux", HasPage: func(id string) bool { return id == "disk-encryption" },
		Reading: &localapi.Reading{Report: fact.Report{Signals: []fact.Signal{disk(now.Add(-time.Hour)), disk(now.Add(-48 * time.Hour)), {Name: "x\x00"}}}}}
	got := signals(in)
	if got[0].Read != "10:00:00" || got[1].Read != "2026-05-02 11:00:00" || got[2].Read != "" || !got[2].At.IsZero() || got[2].Name != "x?" {
		t.Errorf("read at %q, %q, %q", got[0].Read, got[1].Read, got[2].Read)
	}
	if got[0].Source != "/proc/self/mountinfo?" {
		t.Errorf("source %q", got[0].Source)
	}
	page := func(s signal) bool {
		return slices.ContainsFunc(s.Remarks, func(r view.Remark) bool { return r.Page != "" })
	}
	if !page(got[0]) {
		t.Errorf("no settings page: %+v", got[0].Remarks)
	}
	marks := func() (out []string) {
		for _, r := range signals(in)[0].Remarks {
			out = append(out, r.Mark)
		}
		return out
	}
	if got := marks(); !slices.Contains(got, view.MarkAdvice) || slices.Contains(got, view.MarkBad) {
		t.Errorf("a problem of who is not signed in: %q", got)
	}
	in.HasPage = nil
	if page(signals(in)[0]) {
		t.Error("a settings page that is not here")
	}
	in.Reading.Report.Signals = make([]fact.Signal, maxSignals+1)
	if len(signals(in)) != maxSignals {
		t.Error("signals are not bounded")
	}
}

// slow is an agent whose reading takes long.
type slow struct {
	*agent
	takes time.Duration
}

func (s slow) Posture(ctx context.Context) (localapi.Reading, error) {
	pause(ctx, s.takes)
	if err := ctx.Err(); err != nil {
		return localapi.Reading{}, err
	}
	return s.agent.Posture(ctx)
}

// What takes long comes with the next answer; what never comes is left out.
func TestPartial(t *testing.T) {
	for takes, whole := range map[time.Duration]bool{2 * time.Second: true, time.Hour: false} {
		synctest.Test(t, func(t *testing.T) {
			p := wishing(nil, nil)
			p.opts.Agent = slow{signedIn(), takes}
			began := time.Now()
			first := p.look(t.Context(), none)
			if !first.Partial || first.Revision != partial || first.View.Headline == "" || time.Since(began) > soon {
				t.Errorf("first: partial %v, revision %d after %v", first.Partial, first.Revision, time.Since(began))
			}
			second := p.look(t.Context(), first.Revision)
			if second.Partial || second.Revision != 7 || len(second.Signals) > 0 != whole || time.Since(began) > soon+late {
				t.Errorf("second: partial %v, revision %d, %d signals after %v", second.Partial, second.Revision, len(second.Signals), time.Since(began))
			}
		})
	}
}

// While the agent is away the page hears nothing, until it is back or something
// else is wrong.
func TestTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &agent{err: localapi.ErrNotRunning}
		p := wishing(a, nil)
		first := p.look(t.Context(), 5)
		began := time.Now()
		if same := p.look(t.Context(), first.Revision); same.Revision != first.Revision || time.Since(began) < longest {
			t.Errorf("the same trouble is told again after %v", time.Since(began))
		}
		for _, next := range []error{localapi.ErrNoAccess, &localapi.Refused{Code: localapi.CodeNotOwner}, &localapi.Refused{Code: localapi.CodeService}, errors.New("broken off")} {
			began = time.Now()
			time.AfterFunc(3*time.Second, func() { a.mu.Lock(); a.err = next; a.mu.Unlock() })
			got := p.look(t.Context(), first.Revision)
			if got.Revision == first.Revision || got.Revision >= 0 || time.Since(began) > 3*time.Second+away {
				t.Errorf("%v: revision %d after %v", next, got.Revision, time.Since(began))
			}
			first = got
		}
		time.AfterFunc(time.Second, func() { a.mu.Lock(); a.err, a.status = nil, signedIn().status; a.mu.Unlock() })
		if got := p.look(t.Context(), first.Revision); got.Revision != 7 {
			t.Errorf("the agent is back, and the revision is %d", got.Revision)
		}
	})
}

// Who knocks without a session does not keep the page alive; a question that
// is held does.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := wishing(signedIn(), nil)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		began, ended := time.Now(), make(chan time.Time, 1)
		go p.looks.watch(ctx, time.Minute, func() { ended <- time.Now() })
		time.Sleep(30 * time.Second) // of the bubble's clock
		p.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://127.0.0.1:4000/api/state", nil))
		p.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://evil.example/", nil))
		if at := <-ended; at.Sub(began) != time.Minute {
			t.Errorf("it ended after %v", at.Sub(began))
		}
		began = time.Now()
		go p.looks.watch(ctx, time.Minute, func() { ended <- time.Now() })
		end := p.looks.begin()
		time.Sleep(10 * time.Minute)
		end()
		if at := <-ended; at.Sub(began) != 11*time.Minute {
			t.Errorf("it ended after %v", at.Sub(began))
		}
	})
}

// Show ends with an error when nobody could be brought to the page.
func TestShow(t *testing.T) {
	wrong := errors.New("no browser")
	var link string
	err := Show(t.Context(), Options{Agent: signedIn()}, func(_ context.Context, l string) error { link = l; return wrong })
	if !errors.Is(err, wrong) {
		t.Errorf("it ended with %v", err)
	}
	if _, err := http.Get(link); err == nil {
		t.Error("the page is there after the end")
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = Show(ctx, Options{Agent: signedIn()}, func(ctx context.Context, l string) error {
		res, err := http.Get(l)
		if err != nil {
			return err
		}
		defer cancel()
		return res.Body.Close()
	})
	if err != nil {
		t.Error(err)
	}
}

// A question that is held when the server ends is answered: the tab says so.
func TestHeldQuestionIsAnswered(t *testing.T) {
	p, err := Listen(Options{Agent: signedIn()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx) }()
	session := enter(t, p)
	time.AfterFunc(50*time.Millisecond, cancel)
	if status, out := call(t, p, "GET", "/api/state?after=7", "", session); status != http.StatusGone || out["error"] != "ended" {
		t.Errorf("%d %v", status, out)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
