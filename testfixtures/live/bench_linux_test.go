package live

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v3/process"

	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/machine"
	"github.com/postern-zt/postern/platform/watch"
	"github.com/postern-zt/postern/posture/fact"
)

// cpu is the time this process has spent on a processor.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure runs f b.N times and reports processor time and programs started.
func measure(b *testing.B, m *counting, f func()) {
	b.Helper()
	m.take()
	before := cpu(b)
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N)/1000, "cpu-ms/op")
	b.ReportMetric(float64(len(m.take()))/float64(b.N), "children/op")
}

// BenchmarkFullCollection reads every signal of this machine: cold, with
// nothing remembered, and warm.
func BenchmarkFullCollection(b *testing.B) {
	b.Run("cold", func(b *testing.B) {
		m := &counting{}
		measure(b, m, func() {
			m.Machine = machine.New(machine.Config{})
			collector(b, m).Read(b.Context())
		})
	})
	b.Run("warm", func(b *testing.B) {
		m := &counting{Machine: machine.New(machine.Config{})}
		c := collector(b, m)
		c.Read(b.Context())
		measure(b, m, func() { c.Read(b.Context()) })
	})
}

// BenchmarkSignal reads one signal of this machine, warm.
func BenchmarkSignal(b *testing.B) {
	m := &counting{Machine: machine.New(machine.Config{})}
	c := collector(b, m)
	c.Read(b.Context())
	for _, signal := range c.Signals() {
		b.Run(signal, func(b *testing.B) {
			measure(b, m, func() { c.Reread(b.Context(), signal) })
		})
	}
}

// BenchmarkPeerCommands starts the programs that other clients start for the
// same signals, in the same run, for the ratio.
func BenchmarkPeerCommands(b *testing.B) {
	commands := [][]string{
		{"/usr/sbin/nft", "-j", "list", "ruleset"}, {"/usr/bin/lsblk", "-J", "-o", "NAME,FSTYPE,TYPE,MOUNTPOINTS"},
		{"/usr/bin/dpkg-query", "-W"}, {"/bin/cat", "/etc/os-release"},
	}
	commands = slices.DeleteFunc(commands, func(c []string) bool { _, err := os.Stat(c[0]); return err != nil })
	for b.Loop() {
		for _, c := range commands {
			if out, err := exec.CommandContext(b.Context(), c[0], c[1:]...).CombinedOutput(); err != nil {
				b.Fatalf("%q: %v\n%s", c, err, out)
			}
		}
	}
	b.ReportMetric(float64(len(commands)), "children/op")
}

// BenchmarkProcesses lists the processes with their executables, as this
// project does it and as gopsutil does.
func BenchmarkProcesses(b *testing.B) {
	b.Run("postern", func(b *testing.B) {
		m := machine.New(machine.Config{})
		for b.Loop() {
			if _, err := m.Processes(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("gopsutil", func(b *testing.B) {
		for b.Loop() {
			list, err := process.ProcessesWithContext(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			for _, p := range list {
				// What this user may not see, or ended meanwhile, stays empty.
				_, _ = p.NameWithContext(b.Context())
				_, _ = p.ExeWithContext(b.Context())
				_, _ = p.UidsWithContext(b.Context())
			}
		}
	})
}

// BenchmarkEventToReport changes a file that a signal stands on and measures
// until the signal's new report is there: the notice, and the reading after it.
func BenchmarkEventToReport(b *testing.B) {
	w, err := watch.New(clock.System())
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	c := collector(b, machine.New(machine.Config{}))
	c.Read(b.Context())
	for _, signal := range c.Signals() {
		b.Run(signal, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "input")
			if err := w.SetFiles(signal, append(c.Inputs(signal).Files, path)); err != nil {
				b.Fatal(err)
			}
			drain(w)
			took := make([]time.Duration, 0, b.N)
			for b.Loop() {
				began := time.Now()
				if err := os.WriteFile(path, []byte(began.String()), 0o600); err != nil {
					b.Fatal(err)
				}
				await(b, w, signal)
				c.Reread(b.Context(), signal)
				took = append(took, time.Since(began))
				drain(w)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

// await takes events until one of the signal comes.
func await(b *testing.B, w *watch.Watcher, signal string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
	defer cancel()
	for {
		select {
		case e := <-w.Events():
			if e.Kind == signal {
				return
			}
		case <-ctx.Done():
			b.Fatal("no event came")
		}
	}
}

// drain throws away what else the change set off.
func drain(w *watch.Watcher) {
	for {
		select {
		case <-w.Events():
		case <-time.After(30 * time.Millisecond):
			return
		}
	}
}

// BenchmarkIdleWatching measures what watching costs while nothing happens.
func BenchmarkIdleWatching(b *testing.B) {
	w, err := watch.New(clock.System())
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	c := collector(b, machine.New(machine.Config{}))
	c.Read(b.Context())
	for _, signal := range c.Signals() {
		if err := w.SetFiles(signal, c.Inputs(signal).Files); err != nil {
			b.Log(err)
		}
	}
	if err := w.SetMounts(fact.SignalDisk); err != nil {
		b.Log(err)
	}
	runtime.GC()
	before, began := cpu(b), time.Now()
	<-time.After(10 * time.Second) // one span, however many rounds are asked for: each would wake us
	spent := 100 * float64(cpu(b)-before) / float64(time.Since(began))
	for b.Loop() {
		runtime.KeepAlive(w)
	}
	b.ReportMetric(spent, "cpu-%") // a loop that begins takes earlier figures away
}
