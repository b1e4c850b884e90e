package tray

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/postern-zt/postern/testfixtures/desktop"
	"github.com/postern-zt/postern/tray/view"
)

// TestAgentDies kills the real agent and starts it again: the tray says so
// within a second, and recovers by itself.
func TestAgentDies(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPerson(t, desktop.Options{})
	ok(t, w.agent.Start(t.Context()))
	_, err := w.agent.Login(t.Context())
	ok(t, err)
	p.start(w.agent.Socket())
	p.find()
	p.wears(view.IconHealthy, "2 apps open")

	killed := time.Now()
	ok(t, w.agent.Kill())
	shown := p.heard.first(t, "NewIcon", killed)
	inTime(t, "from the agent's death to the icon", shown.Sub(killed))
	p.wears(view.IconOffline, "The agent is not running")
	p.shows("(The agent is not running)", "Ask the agent again")
	gone := p.notes.expect("The agent is not running")
	t.Logf("told %v after its death: %s", gone.At.Sub(killed).Round(time.Millisecond), gone.Body)

	began := time.Now()
	ok(t, w.agent.Start(t.Context()))
	back := p.heard.first(t, "NewIcon", began)
	t.Logf("%v after the agent's start the icon changes", back.Sub(began).Round(time.Millisecond))
	p.wears(view.IconHealthy, "2 apps open")
}

// TestAgentFrozen stops an agent without ending it: the tray goes on, also one
// that starts meanwhile, and what was asked is done when the agent wakes.
func TestAgentFrozen(t *testing.T) {
	t.Parallel()
	p, w := newPerson(t, desktop.Options{}), newTwin(t, well())
	agent := w.serve(p)
	tray := p.start(w.socket)
	p.find()
	p.wears(view.IconHealthy, "2 apps open")
	ok(t, syscall.Kill(agent.PID(), syscall.SIGSTOP))
	defer func() { _ = syscall.Kill(agent.PID(), syscall.SIGCONT) }()
	p.chooseByHand("Check again")
	p.shows("(Reading this computer …)")
	ok(t, tray.Stop()) // with two questions under way
	if err := tray.Err(); err != nil {
		t.Errorf("told to stop, the tray ended with %v", err)
	}
	ok(t, p.WaitForNoIcon())
	p.start(w.socket)
	p.find()
	p.wears(view.IconOffline, "The agent is not running")
	ok(t, syscall.Kill(agent.PID(), syscall.SIGCONT))
	p.wears(view.IconHealthy, "2 apps open")
	w.did("check")
	p.choose("Check again")
	p.shows("(Read again at ", "2 signals, nothing changed)")
}

// TestAgentComesLate starts the tray before the person's own agent, which it is
// told nothing of: it finds it by itself.
func TestAgentComesLate(t *testing.T) {
	t.Parallel()
	p, w := newPerson(t, desktop.Options{}), newTwin(t, well())
	must[*desktop.Process](t)(p.Run(p.environment(), program("postern-tray"), "--verbose"))
	p.find()
	p.wears(view.IconOffline, "The agent is not running")
	w.socket = filepath.Join(filepath.Dir(p.Home()), "run", "postern", "agent.sock")
	w.serve(p)
	p.wears(view.IconHealthy, "2 apps open")
}
