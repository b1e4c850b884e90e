package page

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/statuspage"
)

// Every action reaches the agent once, and only the actions.
func TestActions(t *testing.T) {
	t.Parallel()
	s, tab := newStage(t, closed(), "en", like{Permissions: []string{"clipboard-read", "clipboard-write"}})
	tab.click("#do-fix")
	s.called("fix disk-encryption")
	tab.click(`[id="fix-org/disk"]`)
	s.called("fix disk-encryption")
	ask[any](tab, `document.getElementById("signal-firewall").open = true`)
	tab.click("#copy-wiki")
	tab.said("Copied: 127.0.0.1:4081")
	if got := ask[string](tab, `navigator.clipboard.readText()`); got != "127.0.0.1:4081" {
		t.Errorf("on the clipboard is %q", got)
	}
	tab.click("#do-pause")
	tab.click("#pause-do")
	s.called("pause: technical trouble")
	tab.says("Paused until")
	if text := ask[string](tab, `document.getElementById("status").innerText`); !strings.Contains(text, "technical trouble") {
		t.Errorf("the page says %q", text)
	}
	tab.click("#do-resume")
	s.called("resume")
	tab.click("#do-sign-out")
	s.called("sign out")
	tab.says("Not signed in")
	tab.click("#do-sign-in")
	s.called("sign in")
	tab.said("Finish the sign-in in the new tab.")
	if ask[bool](tab, `document.body.innerText.includes("Wiki")`) {
		t.Error("applications of somebody who has signed out")
	}
	// A settings page that this computer does not have is not opened.
	if got := ask[int](tab, `fetch("/api/do", { method: "POST", headers: { "Content-Type": "application/json", "Postern-Session": sessionStorage.getItem("postern-session") }, body: '{"do":"fix","page":"/bin/sh"}' }).then((r) => r.status)`); got != http.StatusBadRequest {
		t.Errorf("another page: %d", got)
	}
	s.bad = []string{"400 (Bad Request)"}
	s.called()
}

// Show is all of it in one call: it ends when nobody looks any more, and not
// while a tab is open.
func TestShowUntilIdle(t *testing.T) {
	t.Parallel()
	s := bare(t, healthy(), "en", like{})
	s.close()
	const idle = 5 * time.Second // less than a question is held
	links, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- statuspage.Show(s.ctx, statuspage.Options{Agent: localapi.Dial(s.agent.socket), Idle: idle}, func(_ context.Context, link string) error {
			links <- link
			return nil
		})
	}()
	tab := s.open(<-links)
	tab.says("device healthy")
	opened := time.Now()
	s.agent.alter(func(*scene) {})
	tab.until(fmt.Sprintf(`performance.now() > %d`, (3 * idle / 2).Milliseconds()))
	select {
	case err := <-ended:
		t.Fatalf("it ended with %v after %v, while somebody looked", err, time.Since(opened))
	default:
	}
	tab.do("close-tab", nil, nil)
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("it goes on though nobody looks")
	}
}

// What an application needs is there to be opened, stays open while the page
// changes, and follows what the broker says.
func TestWhatAnApplicationNeeds(t *testing.T) {
	t.Parallel()
	s, tab := newStage(t, healthy(), "en", like{})
	if n := ask[int](tab, `document.querySelectorAll("details.needs").length`); n != 1 {
		t.Errorf("%d applications say what they need; the broker told it of one", n)
	}
	tab.click(`[id="open-needs-payroll"]`)
	const needs = `document.getElementById("needs-payroll")`
	if text := ask[string](tab, needs+`.innerText`); !strings.Contains(text, "Disk encryption: met") || !strings.Contains(text, "System disk") {
		t.Errorf("it needs %q", text)
	}
	s.agent.alter(func(sc *scene) {
		sc.status.Posture.Checks[0].Outcome, sc.status.Posture.Checks[0].Parts[0].Outcome = "fail", "fail"
		sc.status.Apps[1].State, sc.status.Apps[1].Reasons = localapi.AppDenied, []string{codeDisk}
	})
	tab.until(needs + `.innerText.includes("Disk encryption: not met")`)
	if !ask[bool](tab, needs+`.open`) {
		t.Error("what was open has closed")
	}
}

// Somebody else may sign in from the page, too.
func TestSomebodyElse(t *testing.T) {
	t.Parallel()
	s, tab := newStage(t, healthy(), "en", like{})
	tab.click("#do-switch")
	s.called("sign in as somebody else")
	tab.said("Finish the sign-in in the new tab.")
}
