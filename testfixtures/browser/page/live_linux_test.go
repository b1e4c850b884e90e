package page

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
)

// atOnce is how soon a person sees a change.
const atOnce = time.Second

// A change of the agent is seen at once, without loading anything again; so is
// its end, and its return.
func TestLive(t *testing.T) {
	s, tab := newStage(t, healthy(), "en", like{})
	ask[any](tab, `window.same = true`)
	best := time.Hour
	for range 3 { // the machine may be busy with others
		s.agent.show(closed())
		best = min(best, tab.says("closed:"))
		s.agent.show(healthy())
		best = min(best, tab.says("device healthy"))
	}
	t.Logf("a change is seen within %v", best)
	if best > atOnce {
		t.Errorf("a change was seen after %v at best", best)
	}
	s.agent.down()
	gone := tab.says("The agent is not running")
	s.agent.up()
	back := tab.says("device healthy")
	t.Logf("the agent's end is seen within %v, its return within %v", gone, back)
	if gone > 10*atOnce || back > 10*atOnce {
		t.Errorf("the agent's end was seen after %v, its return after %v", gone, back)
	}
	if !ask[bool](tab, `window.same === true`) {
		t.Error("the page was loaded again")
	}
}

// What the agent needs long for does not hold up the headline.
func TestSlowReading(t *testing.T) {
	t.Parallel()
	s, tab := newStage(t, healthy(), "en", like{})
	hold := make(chan struct{})
	s.agent.mu.Lock()
	s.agent.hold = hold
	s.agent.mu.Unlock()
	s.agent.show(closed())
	tab.says("closed:")
	if !ask[bool](tab, `document.getElementById("machine").hidden === false`) {
		t.Error("the reading before is gone while the next is awaited")
	}
	close(hold)
	tab.until(`document.getElementById("event-list").textContent.includes("got worse")`)
}

// When the page's server ends, its tabs say so and offer nothing more.
func TestServerEnds(t *testing.T) {
	t.Parallel()
	s, tab := newStage(t, healthy(), "en", like{})
	second := s.open(s.page.Link(""))
	second.says("device healthy")
	s.close()
	for _, x := range []*tabOf{{tab, "first"}, {second, "second"}} {
		x.says("no longer connected")
		if n := ask[int](x.tab, `[...document.querySelectorAll("#main button, #main a")].filter((e) => e.getClientRects().length).length`); n != 0 {
			t.Errorf("the %s tab offers %d things", x.name, n)
		}
		if ask[bool](x.tab, `sessionStorage.length > 0 || document.body.innerText.includes("Wiki")`) {
			t.Errorf("the %s tab keeps what is over", x.name)
		}
		if !ask[bool](x.tab, `[...document.images].every((i) => i.complete && i.naturalWidth > 0)`) {
			t.Errorf("the %s tab misses a picture", x.name)
		}
	}
	for _, r := range s.logged().Requests {
		mine := strings.Contains(r.URL, "/api/state") || strings.HasSuffix(r.URL, "/healthy.svg") // the icon of the tab comes when it likes
		if r.Failure != "" && !strings.Contains(r.Failure, "ABORTED") && !mine {
			t.Errorf("%s %s: %s", r.Method, r.URL, r.Failure)
		}
	}
	s.bad = []string{"410 (Gone)", "ERR_CONNECTION_REFUSED"}
}

type tabOf struct {
	*tab
	name string
}

// Each link works once; two are two sessions; a tab that is loaded again goes on.
func TestLinks(t *testing.T) {
	t.Parallel()
	s := bare(t, healthy(), "en", like{})
	s.bad = []string{"401 (Unauthorized)"}
	link := s.page.Link("about")
	first, second := s.open(link), s.open(s.page.Link(""))
	first.says("device healthy")
	second.says("device healthy")
	first.until(`document.activeElement.id === "about-title"`)
	if a, b := first.session(), second.session(); a == b || len(a) < 40 {
		t.Errorf("the sessions are %q and %q", a, b)
	}
	before := first.session()
	first.do("reload", nil, nil)
	first.says("device healthy")
	if first.session() != before {
		t.Error("another session after loading again")
	}
	used := s.open(link)
	used.says("This link has been used")
	without := s.open(strings.Split(link, "#")[0])
	without.says("This page needs a link")
	for _, x := range []*tabOf{{used, "used"}, {without, "none"}} {
		if text := ask[string](x.tab, `document.body.innerText`); strings.Contains(text, "Wiki") || strings.Contains(text, "Kim") || !strings.Contains(text, "postern open --status") {
			t.Errorf("with a %s link the page says %s", x.name, text)
		}
	}
	// A used link in a tab that has a session goes on with that.
	second.do("go", map[string]any{"url": link}, nil)
	second.says("device healthy")
	// Many tabs: a browser has six connections for one server.
	for range 8 {
		many := s.open(s.page.Link(""))
		ask[any](many, `Object.defineProperty(document, "hidden", { value: true }), document.dispatchEvent(new Event("visibilitychange"))`)
		many.says("device healthy")
	}
}

func (t *tab) session() string { return ask[string](t, `sessionStorage.getItem("postern-session")`) }

// A screen reader hears of a change once, and of nothing while nothing changes.
func TestAnnouncements(t *testing.T) {
	t.Parallel()
	s, tab := newStage(t, healthy(), "en", like{})
	ask[any](tab, `window.heard = [], new MutationObserver((list) => window.heard.push(document.getElementById("status").innerText))
		.observe(document.getElementById("status"), { childList: true, characterData: true, subtree: true })`)
	// The same again under other revisions, with other times of reading.
	for i := range 3 {
		s.agent.alter(func(x *scene) {
			x.status.Apps[0].RxBytes++
			x.reading = readingOf("linux-ubuntu-2404-luks-ufw-healthy")
		})
		s.agent.alter(func(x *scene) { x.timeline.Events[0].At = x.timeline.Events[0].At.Add(time.Second) })
		s.agent.alter(func(x *scene) { x.status.Managed.By = fmt.Sprint("Example ", i) })
		tab.until(`document.getElementById("row-list").textContent.includes(%s)`, fmt.Sprint("Example ", i))
	}
	if heard := ask[[]string](tab, `window.heard`); len(heard) != 0 {
		t.Errorf("nothing changed, and it was said %q", heard)
	}
	s.agent.show(closed())
	tab.says("closed:")
	s.agent.alter(func(x *scene) { x.status.Managed.By = "after" })
	tab.until(`document.getElementById("row-list").textContent.includes("after")`)
	if heard := ask[[]string](tab, `window.heard`); len(heard) != 1 || !strings.Contains(heard[0], "not encrypted") {
		t.Errorf("of one change it was said %q", heard)
	}
}

// While the computer is read again, nothing is redrawn over the answer.
func TestCheckAgain(t *testing.T) {
	t.Parallel()
	s, tab := newStage(t, healthy(), "en", like{})
	hold := make(chan struct{})
	s.agent.mu.Lock()
	s.agent.hold = hold
	s.agent.mu.Unlock()
	ask[any](tab, `document.getElementById("do-check").focus()`)
	tab.press("Enter", "Enter") // the second while it is under way
	tab.said("Reading this computer again")
	if tab.focused() != "do-check" {
		t.Errorf("the focus is at %s", tab.focused())
	}
	close(hold)
	tab.said("2 signals, 1 changed")
	s.called("check")
	ask[any](tab, `document.querySelector("#proof").open = true`)
	if proof := ask[string](tab, `document.getElementById("proof").innerText`); !strings.Contains(proof, "Disk encryption") || !strings.Contains(proof, "Firewall") {
		t.Errorf("the proof is %q", proof)
	}
	s.agent.alter(func(x *scene) { x.fail = &localapi.Refused{Code: localapi.CodeUnreachable, Message: "no"} })
	tab.click("#do-check")
	tab.said("It did not work.")
}
