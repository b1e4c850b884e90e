package page

import (
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/ipc"
)

// shown is one of the states that a person may be shown.
type shown struct {
	name            string
	english, german string // part of its headline, in none of its neighbours'
	come            func(*stage, *tab)
	leave           func(*stage, *tab) // back to an agent that answers; may be nil
}

// whole are the states with a long reading of the computer. What is below the
// applications is the same in the others: a little of it will do.
var whole = []string{"healthy", "closed"}

func brief(s scene) scene {
	s.reading.Report.Signals = s.reading.Report.Signals[:2]
	s.sent.Report.Signals = s.reading.Report.Signals
	return s
}

// answers are the states that are one answer of the agent.
func answers() []shown {
	var out []shown
	for _, c := range []struct {
		name, english, german string
		scene                 scene
	}{
		{"healthy", "3 apps open · device healthy", "3 Anwendungen offen", healthy()},
		{"closed", "closed:", "geschlossen:", closed()},
		{"signed-out", "Not signed in", "Nicht angemeldet", signedOut()},
		{"paused", "Paused until", "Pausiert bis", paused("meeting or presentation")},
		{"offline", "The broker cannot be reached", "Broker", offline()},
		{"forecast", "will be required", "wird verlangt", forecast()},
		{"starting", "waiting for the broker", "steht aus", starting()},
		{"connecting", "Connecting", "werden verbunden", connecting()},
		{"no-apps", "no applications", "keine Anwendungen", without()},
		{"rejected", "Closed: ", "Geschlossen: ", rejected()},
		{"no-broker", "No broker", "kein Broker", noBroker()},
		{"odd", "does not know", "nicht kennt", odd()},
		{"older", "3 apps open", "3 Anwendungen offen", older()},
	} {
		if !slices.Contains(whole, c.name) {
			c.scene = brief(c.scene)
		}
		out = append(out, shown{c.name, c.english, c.german, func(s *stage, _ *tab) { s.agent.show(c.scene) }, nil})
	}
	return out
}

// others are the states that come about otherwise, those last that need another
// document.
func others() []shown {
	return []shown{
		{"all-open", "closed:", "geschlossen:", everything, func(_ *stage, t *tab) {
			t.click("#hide")
			ask[any](t, `document.querySelectorAll("details").forEach((d) => { d.open = false; })`)
		}},
		{"hostile", "", "", func(s *stage, t *tab) {
			s.agent.show(brief(hostile()))
			t.until(`document.getElementById("app-list").children.length === 15`)
		}, nil},
		{"pause", "3 apps open", "3 Anwendungen offen", pausing, func(_ *stage, t *tab) { t.press("Escape") }},
		{"failed", "3 apps open", "3 Anwendungen offen", func(s *stage, t *tab) {
			s.agent.alter(func(x *scene) { x.fail = &localapi.Refused{Code: localapi.CodeUnreachable, Message: "no"} })
			t.click("#do-check")
			t.until(`!document.getElementById("hide").hidden && document.getElementById("do-check").getAttribute("aria-disabled") === null`)
		}, func(_ *stage, t *tab) { t.click("#hide") }},
		{"agent-gone", "not running", "läuft nicht", func(s *stage, _ *tab) { s.agent.down() }, nil},
		{"other-user", "Another person", "eine andere Person", func(s *stage, _ *tab) {
			s.agent.owner = ipc.Peer{Known: true, UID: ipc.Self().UID + 1}
			s.agent.up()
		}, func(s *stage, _ *tab) { s.agent.down(); s.agent.owner = ipc.Self() }},
		{"refused", "refuses", "verweigert", func(s *stage, _ *tab) { s.agent.stop = babble(s) }, func(s *stage, t *tab) {
			s.agent.down()
			s.agent.up()
		}},
		{"asking", "Asking the agent", "Der Agent wird gefragt", func(s *stage, t *tab) {
			s.agent.mute(true)
			t.do("go", map[string]any{"url": s.page.Link("")}, nil)
		}, func(s *stage, t *tab) { s.agent.mute(false) }},
		{"used-link", "has been used", "schon benutzt", func(s *stage, t *tab) {
			link := s.page.Link("")
			first := s.open(link)
			first.until(`document.getElementById("rest").hidden === false`)
			first.do("close-tab", nil, nil)
			t.elsewhere(link)
		}, nil},
		{"no-link", "needs a link", "braucht einen Link", func(s *stage, t *tab) {
			link, _, _ := strings.Cut(s.page.Link(""), "#")
			t.elsewhere(link)
		}, func(s *stage, t *tab) { t.elsewhere(s.page.Link("")) }},
		{"ended", "no longer connected", "nicht mehr verbunden", func(s *stage, t *tab) {
			t.until(`document.getElementById("rest").hidden === false`)
			s.close()
		}, nil},
	}
}

// elsewhere opens an address in a tab that has no session.
func (t *tab) elsewhere(url string) {
	t.s.Helper()
	ask[any](t, `sessionStorage.clear()`)
	t.do("go", map[string]any{"url": "about:blank"}, nil)
	t.do("go", map[string]any{"url": url}, nil)
}

// everything is all that the page can hold at once, with all of it open, and a
// message over it.
func everything(s *stage, t *tab) {
	s.Helper()
	all := closed()
	all.reading.Report.Signals = all.reading.Report.Signals[:4]
	all.sent.Report.Signals = all.reading.Report.Signals
	all.status.Forecast = forecast().status.Forecast
	all.status.Broker.ClockSkewMS = 90_000
	all.checked.Attested, all.checked.Reason = false, localapi.CodeUnreachable // the longest message, which stays
	s.agent.show(all)
	t.until(`document.getElementById("coming").hidden === false`)
	t.click("#do-check")
	t.until(`document.getElementById("proof").hidden === false && !document.getElementById("hide").hidden`)
	ask[any](t, `document.querySelectorAll("details").forEach((d) => { d.open = true; })`)
}

// pausing is the dialog, with every field.
func pausing(s *stage, t *tab) {
	s.Helper()
	s.agent.show(brief(healthy()))
	t.until(`document.getElementById("do-pause") && document.getElementById("coming").hidden && document.getElementById("app-list").children.length === 3`)
	t.click("#do-pause")
	t.click("#pause-other")
	t.until(`!document.getElementById("pause-own").hidden`)
}

// babble is something on the agent's socket that is no agent. The function ends it.
func babble(s *stage) func() {
	l, err := net.Listen("unix", s.agent.socket)
	if err != nil {
		s.Fatal(err)
	}
	srv := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	return func() { srv.Close(); <-done }
}

func starting() scene {
	s := healthy()
	s.status.State, s.status.Apps = localapi.StateStarting, nil
	return s
}

func connecting() scene {
	s := healthy()
	for i := range s.status.Apps {
		s.status.Apps[i].State = localapi.AppConnecting
	}
	return s
}

func without() scene {
	s := healthy()
	s.status.Apps = nil
	return s
}

func rejected() scene {
	s := closed()
	s.status.State, s.status.Reasons, s.status.Message = localapi.StateNotCompliant, []string{api.CodeDeviceRevoked}, "This device has been revoked."
	for i := range s.status.Apps {
		s.status.Apps[i].State, s.status.Apps[i].URL, s.status.Apps[i].LocalAddress = localapi.AppClosed, "", ""
	}
	return s
}

func noBroker() scene {
	s := signedOut()
	s.status.Broker = localapi.Broker{}
	return s
}

// odd is a state of a later agent.
func odd() scene {
	s := healthy()
	s.status.State, s.status.Message = "hibernating", "The agent hibernates until spring."
	return s
}

func older() scene {
	s := healthy()
	s.older = true
	return s
}
