package tray

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postern-zt/postern/testfixtures/desktop"
)

// BenchmarkStart measures from the start of the tray until the panel lists it.
func BenchmarkStart(b *testing.B) {
	p, w := newPerson(b, desktop.Options{}), newTwin(b, well())
	w.serve(p)
	var all time.Duration
	for range b.N {
		began := time.Now()
		tray := p.start(w.socket)
		all += p.heard.first(b, "StatusNotifierItemRegistered", began).Sub(began)
		ok(b, tray.Stop())
		p.heard.first(b, "StatusNotifierItemUnregistered", began)
	}
	b.ReportMetric(float64(all.Microseconds())/float64(b.N)/1000, "ms/start")
	b.ReportMetric(0, "ns/op") // with the end of each it says nothing
}

const (
	// warm is how old the tray is when its memory is read.
	warm = 10 * time.Second
	// quiet is for how long nothing changes while it is watched.
	quiet = 30 * time.Second
)

// BenchmarkIdle measures a tray while nothing changes: memory, processor time,
// how often it wakes; beside an agent that has nothing to do, and beside the
// real one, which renews its leases. It takes forty seconds each, whatever b.N.
func BenchmarkIdle(b *testing.B) {
	var quietly, renewing measured
	b.Run("agent=twin", func(b *testing.B) {
		quietly.report(b, func(p *person) string {
			w := newTwin(b, well())
			w.serve(p)
			return w.socket
		})
	})
	b.Run("agent=real", func(b *testing.B) {
		renewing.report(b, func(*person) string {
			w := newWorldOf(b, time.Minute) // as it is by default
			ok(b, w.agent.Start(b.Context()))
			_, err := w.agent.Login(b.Context())
			ok(b, err)
			return w.agent.Socket()
		})
	})
}

type metric struct {
	value float64
	unit  string
}

// measured is what was measured once, for every time that it is to be told.
type measured []metric

func (m *measured) report(b *testing.B, agent func(*person) (socket string)) {
	if *m == nil {
		p := newPerson(b, desktop.Options{})
		*m = measureIdle(b, p, agent(p))
	}
	for _, x := range *m {
		b.ReportMetric(x.value, x.unit)
	}
	b.ReportMetric(0, "ns/op")
}

func measureIdle(b *testing.B, p *person, socket string) measured {
	tray := p.start(socket, "GOTRACEBACK=all")
	p.find()
	p.wears("healthy", "2 apps open")
	time.Sleep(warm) // idling is what is measured
	before := must[usage](b)(usageOf(tray.PID()))
	began := time.Now()
	time.Sleep(quiet)
	after := must[usage](b)(usageOf(tray.PID()))
	mib := func(kib int) float64 { return float64(kib) / 1024 }
	out := measured{
		{mib(before.rss), "MiB-RSS"}, {mib(before.anonymous), "MiB-RSS-own"}, {mib(before.pss), "MiB-PSS"},
		{float64(after.ticks-before.ticks) / quiet.Seconds(), "ticks/s"},
		{float64(after.switches-before.switches) / quiet.Seconds(), "wake-ups/s"},
		{float64(p.heard.count("LayoutUpdated", began)) / quiet.Seconds(), "menus/s"},
		{float64(after.threads), "threads"},
	}
	// The runtime lists its goroutines when it is asked to quit (os/signal).
	ok(b, syscall.Kill(tray.PID(), syscall.SIGQUIT))
	<-tray.Done()
	said := must[[]byte](b)(os.ReadFile(filepath.Join(p.Artifacts, "postern-tray.log")))
	return append(out, metric{float64(bytes.Count(said, []byte("\ngoroutine "))), "goroutines"})
}

// usage is what a process takes: memory in KiB, time in clock ticks, voluntary
// switches.
type usage struct{ rss, anonymous, pss, ticks, switches, threads int }

// usageOf reads proc_pid_status(5), proc_pid_smaps(5) and proc_pid_stat(5).
func usageOf(pid int) (usage, error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	var u usage
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return u, err
	}
	u.rss, u.anonymous = field(status, "VmRSS:"), field(status, "RssAnon:")
	rollup, err := os.ReadFile(filepath.Join(dir, "smaps_rollup"))
	if err != nil {
		return u, err
	}
	u.pss = field(rollup, "Pss:")
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return u, err
	}
	// After the name, which may hold anything: utime is the 12th, stime the 13th.
	rest := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(rest) < 13 {
		return u, fmt.Errorf("read usage: %q", stat)
	}
	for _, n := range rest[11:13] {
		ticks, err := strconv.Atoi(n)
		if err != nil {
			return u, err
		}
		u.ticks += ticks
	}
	tasks, err := os.ReadDir(filepath.Join(dir, "task"))
	if err != nil {
		return u, err
	}
	for _, t := range tasks {
		text, err := os.ReadFile(filepath.Join(dir, "task", t.Name(), "status"))
		if err != nil {
			return u, err
		}
		u.switches += field(text, "\nvoluntary_ctxt_switches:")
		u.threads++
	}
	return u, nil
}

// field is the number behind a name.
func field(text []byte, name string) int {
	_, rest, _ := strings.Cut(string(text), name)
	words := strings.Fields(rest)
	if len(words) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(words[0])
	return n
}
