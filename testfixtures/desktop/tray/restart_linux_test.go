package tray

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/testfixtures/desktop"
	"github.com/postern-zt/postern/tray/view"
)

// rounds is how often an agent is killed and started again: what is promised
// holds for the one in the middle, on any machine.
const rounds = 5

// TestAgentDies kills the real agent and starts it again: the tray says so
// within a second, and recovers by itself within a second of the agent's first
// answer.
func TestAgentDies(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPerson(t, desktop.Options{})
	ok(t, w.agent.Start(t.Context()))
	_, err := w.agent.Login(t.Context())
	ok(t, err)
	p.start(w.agent.Socket())
	p.find()
	p.wears(view.IconHealthy, "2 apps open")
	var said, found, whole []time.Duration
	for round := range rounds {
		killed := time.Now()
		ok(t, w.agent.Kill())
		said = append(said, p.heard.first(t, "NewIcon", killed).Sub(killed))
		p.wearsOnBus(view.IconOffline, "The agent is not running")
		if round == 0 {
			p.wears(view.IconOffline, "The agent is not running")
			p.shows("The agent is not running", "Ask the agent again")
			gone := p.notes.expect("The agent is not running")
			t.Logf("told %v after its death: %s", gone.At.Sub(killed).Round(time.Millisecond), gone.Body)
		}
		began := time.Now()
		ok(t, w.agent.Launch())
		answers := answering(t, w.agent.Socket())
		// It may answer first that it has not reached the broker, with the icon as
		// before.
		told, back := p.heard.first(t, "NewToolTip", began), p.heard.first(t, "NewIcon", began)
		found, whole = append(found, max(told.Sub(answers), 0)), append(whole, back.Sub(began))
		p.wearsOnBus(view.IconHealthy, "2 apps open")
	}
	p.wears(view.IconHealthy, "2 apps open")
	t.Logf("from the agent's start to the icon: %v", rounded(whole))
	median(t, "from the agent's death to the icon", said)
	median(t, "from the agent's first answer to the tooltip", found)
}

// answering waits until an agent answers, and tells when that was.
func answering(t *testing.T, socket string) time.Time {
	t.Helper()
	c := localapi.Dial(socket)
	defer c.Close()
	ok(t, desktop.Until("the agent to answer", desktop.Patience, func() (bool, error) {
		_, err := c.Version(t.Context())
		return err == nil, err
	}))
	return time.Now()
}

// TestAgentStopped stops the real agent's process, which then neither answers
// nor ends: the tray shows nothing as open for much longer than its leases, and
// recovers when the process goes on.
func TestAgentStopped(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), newPerson(t, desktop.Options{})
	ok(t, w.agent.Start(t.Context()))
	_, err := w.agent.Login(t.Context())
	ok(t, err)
	p.start(w.agent.Socket())
	p.find()
	p.wears(view.IconHealthy, "2 apps open")
	pid := w.agent.PID()
	goOn := func() { _ = syscall.Kill(pid, syscall.SIGCONT) }
	defer goOn() // the world ends it
	// The leases of this world are of four seconds: half of that until the tray
	// asks, two seconds for the answer (tray/desk).
	const promised, slack = 4 * time.Second, 4 * time.Second
	for range 2 {
		stopped := time.Now()
		ok(t, syscall.Kill(pid, syscall.SIGSTOP))
		said := p.heard.first(t, "NewIcon", stopped).Sub(stopped)
		t.Logf("from the agent's stop to the icon: %v (%v are promised)", said.Round(time.Millisecond), promised)
		if said > promised+slack {
			t.Errorf("open was shown for %v after the agent stopped", said)
		}
		p.wears(view.IconOffline, "The agent ")
		p.shows("Ask the agent again")
		began := time.Now()
		goOn()
		back := p.heard.first(t, "NewIcon", began)
		inTime(t, "from the agent's going on to the icon", back.Sub(began))
		p.wears(view.IconHealthy, "2 apps open")
	}
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
	p.shows("Reading this computer …")
	ok(t, tray.Stop()) // with two questions under way
	if err := tray.Err(); err != nil {
		t.Errorf("told to stop, the tray ended with %v", err)
	}
	ok(t, p.WaitForNoIcon())
	p.start(w.socket)
	p.find()
	p.wears(view.IconOffline, "The agent ")
	ok(t, syscall.Kill(agent.PID(), syscall.SIGCONT))
	p.wears(view.IconHealthy, "2 apps open")
	w.did("check")
	p.choose("Check again")
	p.shows("Read again at ", "2 signals, nothing changed")
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
