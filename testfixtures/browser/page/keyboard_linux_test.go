package page

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"testing"

	"github.com/postern-zt/postern/testfixtures/lab"
)

// order is where Tab leads, until it is where it has been.
func (t *tab) order() []string {
	t.s.Helper()
	var out []string
	for range 100 {
		t.press("Tab")
		at := t.focused()
		if at == "BODY" || slices.Contains(out, at) {
			return out
		}
		out = append(out, at)
	}
	t.s.Fatal("Tab has no end")
	return nil
}

// Everything can be reached and used with the keyboard alone, in the order in
// which it is read.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	s, tab := newStage(t, closed(), "en", like{Permissions: []string{"clipboard-read", "clipboard-write"}})
	want := []string{"skip", "do-fix", "do-check", "do-pause", "do-sign-out", "do-switch", "fix-org/disk", "link-wiki", "copy-wiki", "open-needs-payroll",
		"open-signal-os_version", "open-signal-patch", "open-signal-disk", "open-signal-firewall", "open-signal-edr", "open-signal-integrity",
		"open-signal-screen_lock", "open-signal-enrolment", "open-signal-device", "open-signal-custom"}
	got := tab.order()
	if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		t.Errorf("Tab leads to %q, want %q", got, want)
	}
	if n := ask[int](tab, `[...document.querySelectorAll("button, a[href], summary, input, select")].filter((e) => e.checkVisibility()).length`); n != len(got) {
		t.Errorf("%d things can be used, Tab leads to %d", n, len(got))
	}
	// Every place is seen to have the focus.
	ask[any](tab, `document.getElementById("skip").focus()`)
	for _, id := range []string{"skip", "do-fix"} {
		if tab.focused() != id || ask[string](tab, `getComputedStyle(document.activeElement).outlineStyle`) != "solid" || ask[float64](tab, `document.activeElement.getBoundingClientRect().left`) < 0 {
			t.Errorf("at %s, want %s, or it does not show", tab.focused(), id)
		}
		tab.press("Tab")
	}
	ask[any](tab, `document.getElementById("skip").focus()`)
	tab.press("Enter")
	if tab.focused() != "headline" || ask[string](tab, `location.hash`) != "" {
		t.Errorf("the skip link leads to %s, address %s", tab.focused(), ask[string](tab, `location.href`))
	}
	tab.press("Tab", "Enter")
	s.called("fix disk-encryption")
	tab.said("The settings have been opened.")
	tab.press("Tab", "Space")
	s.called("check")
	tab.said("signals")
	ask[any](tab, `document.getElementById("copy-wiki").focus()`)
	tab.press("Space")
	tab.said("127.0.0.1:4081")
	ask[any](tab, `document.getElementById("open-signal-disk").focus()`)
	tab.press("Enter")
	tab.until(`document.getElementById("signal-disk").open`)
	ask[any](tab, `document.getElementById("hide").focus()`)
	tab.press("Enter")
	if tab.focused() == "BODY" {
		t.Error("the focus is lost with the message")
	}
}

// The dialog keeps the focus inside, ends with Escape, and gives it back.
func TestDialog(t *testing.T) {
	t.Parallel()
	s, tab := newStage(t, healthy(), "en", like{})
	ask[any](tab, `document.getElementById("do-pause").focus()`)
	tab.press("Enter")
	tab.until(`document.getElementById("pause").open`)
	if inside := tab.order(); !slices.Equal(inside, []string{"pause-reason-0", "pause-do", "pause-cancel"}) {
		t.Errorf("Tab leads to %q", inside)
	}
	// What is behind it is out of reach, also for a screen reader.
	if ask[bool](tab, `(() => { const b = document.getElementById("do-check"); b.focus(); return document.activeElement === b; })()`) {
		t.Error("what is behind the dialog can have the focus")
	}
	s.agent.alter(func(x *scene) { x.status.Managed.By = "while it is open" })
	tab.until(`document.getElementById("row-list").textContent.includes("while it is open")`)
	tab.press("Escape")
	tab.until(`!document.getElementById("pause").open`)
	if tab.focused() != "do-pause" {
		t.Errorf("after Escape the focus is at %s", tab.focused())
	}
	s.called()
	tab.press("Enter")
	if at := tab.focused(); at != "pause-hour" {
		t.Errorf("the dialog begins at %s", at)
	}
	tab.press("Tab", "ArrowUp") // the last is a reason in one's own words
	tab.until(`!document.getElementById("pause-own").hidden`)
	tab.press("Tab")
	tab.do("type", map[string]any{"text": "   "}, nil)
	tab.press("Enter")
	if !ask[bool](tab, `document.getElementById("pause").open && !document.getElementById("pause-why").validity.valid`) {
		t.Error("a pause without a reason")
	}
	tab.do("type", map[string]any{"text": "the dentist"}, nil)
	tab.press("Enter")
	s.called("pause: the dentist")
	tab.says("Paused until")
	if at := tab.focused(); at != "headline" && at != "do-resume" {
		t.Errorf("the focus is at %s", at)
	}
	ask[any](tab, `document.getElementById("do-resume").focus()`)
	tab.press("Space")
	s.called("resume")
	tab.says("device healthy")
	if at := tab.focused(); at == "BODY" {
		t.Error("the focus is lost with the button")
	}
	ask[any](tab, `document.getElementById("do-pause").focus()`)
	tab.press("Space")
	ask[any](tab, `document.getElementById("pause-hour").focus()`)
	tab.press("ArrowRight", "Tab", "Tab", "Tab", "Enter") // four hours, the first reason, past the button that does it
	tab.until(`!document.getElementById("pause").open`)
	s.called()
	ask[any](tab, `document.getElementById("do-sign-out").focus()`)
	tab.press("Enter")
	s.called("sign out")
	tab.says("Not signed in")
	if at := tab.focused(); at != "headline" {
		t.Errorf("after signing out the focus is at %s", at)
	}
	tab.press("Tab")
	if at := tab.focused(); at != "do-sign-in" {
		t.Errorf("after the headline comes %s", at)
	}
	tab.press("Enter")
	s.called("sign in")
}

// A link to an application opens it by Enter, in a tab of its own.
func TestLinkByKeyboard(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "the wiki") })}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-done })
	first := brief(healthy())
	first.status.Apps[0].URL = "http://" + l.Addr().String() + "/"
	s, tab := newStage(t, first, "en", like{})
	ask[any](tab, `document.getElementById("link-wiki").focus()`)
	tab.press("Enter")
	if err := lab.Until(s.ctx, patience, "a tab with the application", func() (bool, error) {
		return slices.Contains(s.logged().Tabs, first.status.Apps[0].URL), nil
	}); err != nil {
		t.Error(err)
	}
	if at := tab.focused(); at != "link-wiki" {
		t.Errorf("the focus is at %s", at)
	}
}

// When what has the focus is drawn again the focus stays, and when it goes the
// heading above it has it: never does the keyboard begin at the top.
func TestFocusStays(t *testing.T) {
	t.Parallel()
	s, tab := newStage(t, closed(), "en", like{})
	for _, c := range []struct{ at, after string }{
		{"fix-org/disk", "fix-org/disk"}, {"copy-wiki", "copy-wiki"}, {"open-signal-disk", "open-signal-disk"}, {"do-check", "do-check"}, {"open-sent-disk", "open-sent-disk"},
	} {
		ask[any](tab, `document.getElementById(%s).closest("#sent-all")?.setAttribute("open", "")`, c.at)
		ask[any](tab, `document.getElementById(%s).focus()`, c.at)
		s.agent.alter(func(x *scene) {
			x.reading = readingOf("linux-debian-12-server-lvm-docker-unhealthy")
			x.status.Posture.Checks[0].Remedy.Text += "!"
			x.status.Apps[0].LocalAddress += "1"
			x.sent.Report = x.reading.Report
			x.status.Managed.By += "x"
		})
		tab.until(`document.getElementById("row-list").textContent.includes(%s)`, s.agent.Status().Managed.By)
		if at := tab.focused(); at != c.after {
			t.Errorf("from %s the focus went to %s", c.at, at)
		}
	}
	ask[any](tab, `document.getElementById("signal-disk").open = true`)
	ask[any](tab, `document.getElementById("fix-org/disk").focus()`)
	s.agent.show(healthy())
	tab.says("device healthy")
	if at := tab.focused(); at != "headline" {
		t.Errorf("the focus went to %s when nothing was wrong any more", at)
	}
	if !ask[bool](tab, `document.getElementById("signal-disk").open`) {
		t.Error("what was open is shut")
	}
	ask[any](tab, `document.getElementById("link-payroll").focus()`)
	s.agent.alter(func(x *scene) { x.status.Apps = x.status.Apps[:1] })
	tab.until(`!document.getElementById("link-payroll")`)
	if at := tab.focused(); at != "apps-title" {
		t.Errorf("the focus went to %s with the application", at)
	}
}
