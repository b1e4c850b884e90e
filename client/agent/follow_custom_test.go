package agent

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-zt/postern/client/brokerclient"
	"github.com/postern-zt/postern/client/signin"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/watch"
	"github.com/postern-zt/postern/posture/collect"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

const vpn = "/opt/vpn/vpnd"

// programWatch is what a follower has watched for custom observations, beside
// what the product watcher has.
type programWatch struct {
	*watchTwin
	custom watchTwin
}

func (w *programWatch) of(kind string) *watchTwin {
	if kind == fact.SignalCustom {
		return &w.custom
	}
	return w.watchTwin
}

func (w *programWatch) SetExecutables(kind string, paths []string) error {
	return w.of(kind).SetExecutables(kind, paths)
}

func (w *programWatch) SetProcesses(kind string, pids []int, exe map[int]string) error {
	return w.of(kind).SetProcesses(kind, pids, exe)
}

func (w *programWatch) SetFiles(kind string, paths []string) error {
	return w.of(kind).SetFiles(kind, paths)
}

// customLab is an agent with real collectors and an observation of a process.
type customLab struct {
	*lab
	watching *programWatch
	asked    *observer
}

// tells says something of the observed program.
func (l customLab) tells(cause string) {
	l.watching.events <- watch.Event{Kind: fact.SignalCustom, Cause: cause, Path: vpn, At: l.clock.Boot()}
	synctest.Wait()
}

// runs is the fact as it was read last.
func (l customLab) runs(want bool) {
	l.t.Helper()
	s, _ := l.cfg.Posture.Last().Signal(fact.SignalCustom)
	f, ok := s.Find("org/vpn", "running")
	if got, _ := f.Value.AsBool(); !ok || got != want {
		l.t.Errorf("running is %+v, want %v", f, want)
	}
}

func (l customLab) watches(want ...int) {
	l.t.Helper()
	if got := l.watching.custom.watched(); !slices.Equal(got, want) {
		l.t.Errorf("watched are processes %v, want %v", got, want)
	}
}

func vpnProcess(pid int) evidence.Process {
	return evidence.Process{PID: pid, Name: "vpnd", Executable: vpn, Owner: "0"}
}

func inCustomLab(t *testing.T, forbid observe.Forbid, test func(customLab)) {
	synctest.Test(t, func(t *testing.T) {
		j, c := &journal{}, clock.NewFake(day)
		l := customLab{asked: &observer{}, lab: &lab{t: t, journal: j, clock: c, files: evidence.NewMemory(evidence.Linux, day),
			broker: &brokerTwin{journal: j, clock: c, ttl: time.Minute, record: brokerclient.Record{UEID: "u", DeviceID: "dev_1"}}}}
		l.watching = &programWatch{watchTwin: &watchTwin{events: make(chan watch.Event, 8)}}
		l.files.SetFile(vpn, "elf")
		l.files.SetProcesses(vpnProcess(7))
		list := []observe.Observation{{ID: "org/vpn", Kind: observe.KindProcess, Path: vpn, Origin: fact.OriginBroker}}
		l.asked.kept = observe.Document{Version: 1, Observations: list}
		l.asked.next = l.asked.kept
		collector := collect.New(collect.Config{Machine: l.files, Observations: list, Forbid: forbid, Clock: c, Version: "1"})
		l.Agent = New(Config{
			Clock: c, Broker: l.broker, Posture: collector, Machine: l.files, Watch: l.watching, Version: "1",
			Observe: Observe{Broker: l.asked, Posture: both{collector, l.asked}, Forbid: forbid},
			SignIns: signin.New("jkt", c.Boot, c.Now), Log: slog.New(slog.DiscardHandler),
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- l.Run(ctx) }()
		synctest.Wait()
		l.pass(time.Second) // the first looks are over
		test(l)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// both are collectors that follow the broker, and a note of what it asked for.
type both struct {
	*collect.Collector
	noted *observer
}

func (b both) SetObservations(rows []observe.EDRRow, list []observe.Observation, forbid observe.Forbid) {
	b.Collector.SetObservations(rows, list, forbid)
	b.noted.SetObservations(rows, list, forbid)
}

// The end of an observed process is known at once, and its next start soon.
func TestEndOfAnObservedProcess(t *testing.T) {
	inCustomLab(t, observe.Forbid{}, func(l customLab) {
		l.runs(true)
		l.watches(7)
		if !slices.Equal(l.watching.custom.paths, []string{vpn}) {
			t.Errorf("watched for starts are %v", l.watching.custom.paths)
		}
		began := l.clock.Boot()
		l.files.SetProcesses()
		l.tells(watch.CauseExit)
		l.runs(false)
		l.watches()
		if l.clock.Boot() != began {
			t.Error("it took time")
		}
		l.tells(watch.CauseExec) // its executable is opened a little before it runs
		l.runs(false)
		l.files.SetProcesses(vpnProcess(8))
		l.pass(settle[len(settle)-1])
		l.runs(true)
		l.watches(8)
	})
}

// A system that tells of no start has programs that ran before looked for.
func TestObservedProcessComesBackUntold(t *testing.T) {
	inCustomLab(t, observe.Forbid{}, func(l customLab) {
		l.files.SetProcesses()
		l.tells(watch.CauseExit)
		l.pass(10 * time.Second)
		l.files.SetProcesses(vpnProcess(8))
		l.pass(missingPoll)
		l.runs(true)
		l.watches(8)
	})
}

// A process that ends between being listed and being watched, or starts between
// being watched and being read, is noticed.
func TestObservedProcessChangesUnderTheWatch(t *testing.T) {
	inCustomLab(t, observe.Forbid{}, func(l customLab) {
		l.watching.custom.mu.Lock()
		l.watching.custom.then = func() { l.files.SetProcesses() }
		l.watching.custom.mu.Unlock()
		l.files.SetProcesses(vpnProcess(9))
		l.tells(watch.CauseFile)
		l.runs(false)
		l.watches()
		l.watching.custom.mu.Lock()
		l.watching.custom.then = func() { l.files.SetProcesses(vpnProcess(10)) }
		l.watching.custom.mu.Unlock()
		l.files.SetProcesses(vpnProcess(11))
		l.tells(watch.CauseFile)
		l.runs(true)
		l.watches(10)
	})
}

// Processes are watched for as long as somebody asks, behind links too.
func TestObservedProgramsFollowTheBroker(t *testing.T) {
	inCustomLab(t, observe.Forbid{}, func(l customLab) {
		l.files.SetFile("/srv/agent-2", "elf")
		l.files.SetLink("/opt/agent", "../srv/agent-2")
		l.files.SetProcesses(vpnProcess(7), evidence.Process{PID: 20, Executable: "/srv/agent-2"}, evidence.Process{PID: 21, Executable: "/srv/agent-2", Deleted: true})
		ask := func(version int64, list ...observe.Observation) {
			l.asked.set(func() { l.asked.next = observe.Document{Version: version, Observations: list} })
			l.pass(observeEvery)
		}
		ask(2, observe.Observation{ID: "org/agent", Kind: observe.KindProcess, Path: "/opt/agent", Origin: fact.OriginBroker},
			observe.Observation{ID: "org/conf", Kind: observe.KindFile, Path: vpn, Origin: fact.OriginBroker})
		l.watches(20)
		ask(3)
		l.watches()
		if len(l.watching.custom.paths) != 0 {
			t.Errorf("watched for starts are %v", l.watching.custom.paths)
		}
	})
}

// What the settings forbid is not watched.
func TestForbiddenProcessIsNotWatched(t *testing.T) {
	for name, forbid := range map[string]observe.Forbid{"kind": {Kinds: []string{observe.KindProcess}}, "path": {Paths: []string{"/opt/vpn"}}} {
		t.Run(name, func(t *testing.T) {
			inCustomLab(t, forbid, func(l customLab) {
				l.watches()
				if len(l.watching.custom.paths) != 0 {
					t.Errorf("watched for starts are %v", l.watching.custom.paths)
				}
			})
		})
	}
	inCustomLab(t, observe.Forbid{Paths: []string{"/srv"}}, func(l customLab) {
		l.watches(7)
		l.files.SetFile("/srv/hidden", "elf")
		l.files.SetLink(vpn, "/srv/hidden")
		l.files.SetProcesses(evidence.Process{PID: 30, Executable: "/srv/hidden"})
		l.tells(watch.CauseFile)
		l.watches()
	})
}

// An observed program that is only opened is looked for, and not read again.
func TestOpenedProgramIsNotReadAgain(t *testing.T) {
	inCustomLab(t, observe.Forbid{}, func(l customLab) {
		at := func() time.Time {
			s, _ := l.cfg.Posture.Last().Signal(fact.SignalCustom)
			return s.ObservedAt
		}
		before := at()
		l.files.SetNow(day.Add(time.Minute))
		l.tells(watch.CauseExec)
		l.pass(2 * time.Second)
		if !at().Equal(before) {
			t.Error("opening the program had everything read again")
		}
		l.tells(watch.CauseFile)
		if at().Equal(before) {
			t.Error("a change was not read")
		}
	})
}

// A process that runs only while it is read is not known to run after: nobody
// would tell of its end.
func TestObservedProcessThatRanForAMoment(t *testing.T) {
	inCustomLab(t, observe.Forbid{}, func(l customLab) {
		l.files.SetProcesses()
		l.tells(watch.CauseExit)
		l.runs(false)
		lists := 0
		l.files.Before(evidence.ProcessList, func(context.Context) error {
			if lists++; lists == 1 {
				l.files.SetProcesses(vpnProcess(9))
			} else {
				l.files.SetProcesses()
			}
			return nil
		})
		l.tells(watch.CauseFile)
		l.runs(false)
		if lists < 3 {
			t.Errorf("listed %d times: it was not read again", lists)
		}
	})
}
