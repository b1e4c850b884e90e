package agent

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/client/brokerclient"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/signin"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/platform/watch"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const falcon = "/opt/falcon/sensor"

// lab is an agent between twins, in a synctest bubble: when the bubble ends,
// no goroutine of it may be left.
type lab struct {
	*Agent
	t       *testing.T
	journal *journal
	clock   *clock.Fake
	broker  *brokerTwin
	posture *machine
	files   *evidence.Memory
	watch   *watchTwin
	engines []*engineTwin
	observe Observe
	disk    *diskTwin
	said    *strings.Builder // the log, if a test wants to read it
	stop    func()
}

// inLab runs a test on an agent; prepare may change the twins before it starts.
func inLab(t *testing.T, prepare func(*lab), test func(*lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		j, c := &journal{}, clock.NewFake(day)
		l := &lab{
			t: t, journal: j, clock: c, broker: &brokerTwin{journal: j, clock: c, ttl: time.Minute, record: brokerclient.Record{UEID: "u"}},
			posture: &machine{now: healthy(day, true), last: unread(day), reads: map[string]int{}, blocked: map[string]chan struct{}{}},
			files:   evidence.NewMemory(evidence.Linux, day), watch: &watchTwin{events: make(chan watch.Event, 8)},
		}
		l.disk = &diskTwin{journal: j}
		l.files.SetFile(falcon, "elf")
		l.files.SetProcesses(evidence.Process{PID: 7, Name: "sensor", Executable: falcon})
		if prepare != nil {
			prepare(l)
		}
		l.start()
		synctest.Wait()
		test(l)
		l.stop()
	})
}

// start makes and runs an agent on the twins as they are.
func (l *lab) start() {
	cfg := Config{
		Clock: l.clock, Broker: l.broker, Posture: l.posture, Machine: l.files, BrokerURL: "https://broker.example", Scope: api.ScopeSystem, Version: "1",
		Catalogue: []observe.EDRRow{{ID: "falcon", Linux: []observe.Program{{Executable: falcon}}}},
		Observe:   l.observe,
		Pauses:    l.disk,
		SignIns:   signin.New("jkt", l.clock.Boot, l.clock.Now), Log: slog.New(slog.DiscardHandler),
		NewEngine: func(owner ipc.Peer, _ *Keys, _ func()) Engine {
			e := &engineTwin{journal: l.journal, who: ownerOf(owner)}
			l.engines = append(l.engines, e)
			l.journal.add("%s engine", e.who)
			return e
		},
	}
	if l.said != nil {
		cfg.Log = slog.New(slog.NewTextHandler(l.said, nil))
	}
	if l.watch != nil {
		cfg.Watch = l.watch
	}
	l.Agent = New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	l.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			l.t.Error(err)
		}
		l.stop = func() {}
	}
}

// pass lets time go by, in steps small enough for everything to happen in order.
func (l *lab) pass(d time.Duration) {
	for end := l.clock.Boot() + d; l.clock.Boot() < end; {
		l.clock.Advance(min(100*time.Millisecond, end-l.clock.Boot()))
		synctest.Wait()
	}
}

func (l *lab) signIn(peer ipc.Peer, subject string) {
	l.t.Helper()
	if err := l.accept(context.Background(), peer, signin.Done{IDToken: subject}); err != nil {
		l.t.Fatal(err)
	}
	synctest.Wait()
}

// open wants exactly these applications open, at the newest engine.
func (l *lab) open(want ...string) {
	l.t.Helper()
	if got := names(l.engines[len(l.engines)-1].tunnels()); !slices.Equal(got, append([]string{}, want...)) {
		l.t.Errorf("open are %v, want %v", got, want)
	}
}

// happens wants these lines in the journal, in this order, others between.
func (l *lab) happens(want ...string) []string {
	l.t.Helper()
	lines := l.journal.take()
	at := 0
	for _, line := range lines {
		if at < len(want) && line == want[at] {
			at++
		}
	}
	if at < len(want) {
		l.t.Errorf("%q did not happen in its turn; the journal:\n%s", want[at], strings.Join(lines, "\n"))
	}
	return lines
}

func (l *lab) runs(on bool) {
	l.posture.set(func() { l.posture.now = healthy(l.clock.Now(), on) })
	if on {
		l.files.SetProcesses(evidence.Process{PID: 8, Name: "sensor", Executable: falcon})
	} else {
		l.files.SetProcesses()
	}
}

func (l *lab) tell(cause string) {
	l.watch.events <- watch.Event{Kind: fact.SignalEDR, Cause: cause, Path: falcon, At: l.clock.Boot()}
	synctest.Wait()
}

func (l *lab) app(id string) localapi.App {
	l.t.Helper()
	for _, a := range l.Status().Apps {
		if a.ID == id {
			return a
		}
	}
	l.t.Fatalf("no application %s", id)
	return localapi.App{}
}
