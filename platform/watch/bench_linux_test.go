package watch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/postern-zt/postern/platform/osexec"
)

// BenchmarkLatency measures from a change to the event that tells of it. File,
// mount, firewall and device events include what they are held back for.
func BenchmarkLatency(b *testing.B) {
	exe := filepath.Join(b.TempDir(), "sensor")
	conf := exe + ".conf"
	at := filepath.Join(filepath.Dir(exe), "mnt")
	for _, path := range []string{exe, exe + "-new", conf} {
		if err := os.WriteFile(path, nil, 0o755); err != nil {
			b.Fatal(err)
		}
	}
	if err := os.Mkdir(at, 0o755); err != nil {
		b.Fatal(err)
	}
	mounted, tables := false, 0
	for _, bench := range []struct {
		cause string
		set   func(w *Watcher) error
		do    func() error
	}{
		{CauseExec, func(w *Watcher) error { return w.SetExecutables(kind, []string{exe}) }, func() error {
			f, err := os.Open(exe)
			if err == nil {
				f.Close()
			}
			return err
		}},
		{CauseReplaced, func(w *Watcher) error { return w.SetExecutables(kind, []string{exe}) }, func() error {
			return unix.Renameat2(0, exe, 0, exe+"-new", unix.RENAME_EXCHANGE)
		}},
		{CauseFile, func(w *Watcher) error { return w.SetFiles(kind, []string{conf}) }, func() error {
			return os.WriteFile(conf, []byte("text"), 0o644)
		}},
		{CauseMount, func(w *Watcher) error { return w.SetMounts(kind) }, func() error {
			if mounted = !mounted; mounted {
				return unix.Mount("tmpfs", at, "tmpfs", 0, "")
			}
			return unix.Unmount(at, 0)
		}},
		{CauseFirewall, func(w *Watcher) error { return w.SetFirewall(kind) }, func() error {
			tables++
			return addTable(fmt.Sprint("t", tables), 1)
		}},
		{CauseDevice, func(w *Watcher) error { return w.SetUevents(kind) }, func() error {
			files, _ := filepath.Glob("/sys/class/block/*/uevent")
			return os.WriteFile(files[0], []byte("change"), 0)
		}},
	} {
		b.Run(bench.cause, func(b *testing.B) { latency(b, bench.cause, bench.set, bench.do) })
	}
	b.Run(CauseExit, latencyOfExit)
}

// latency runs on a thread with namespaces of its own, for what needs them.
func latency(b *testing.B, cause string, set func(*Watcher) error, do func() error) {
	w := watcher(b)
	var took []time.Duration
	made := apart(b, unix.CLONE_NEWNS|unix.CLONE_FS|unix.CLONE_NEWNET, func() error {
		if err := errors.Join(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), set(w)); err != nil {
			return err
		}
		for b.Loop() {
			began := time.Now()
			if err := do(); err != nil {
				return err
			}
			await(w, cause)
			took = append(took, time.Since(began))
			quiet(w)
		}
		return nil
	})
	if !made {
		b.Skip("needs rights to make namespaces")
	}
	report(b, took)
}

func latencyOfExit(b *testing.B) {
	w := watcher(b)
	var took []time.Duration
	for b.Loop() {
		c, err := osexec.Start(b.Context(), "/bin/sleep", osexec.Self{Args: []string{"600"}})
		if err != nil {
			b.Fatal(err)
		}
		if err := w.SetProcesses(kind, []int{c.PID()}, nil); err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		if err := c.Kill(); err != nil {
			b.Fatal(err)
		}
		await(w, CauseExit)
		took = append(took, time.Since(began))
		<-c.Done()
	}
	report(b, took)
}

// BenchmarkSetFiles sets 512 paths, half of them there: for the first time, and
// the same again, as before every reading.
func BenchmarkSetFiles(b *testing.B) {
	dir := b.TempDir()
	var paths []string
	for i := range 512 {
		paths = append(paths, filepath.Join(dir, fmt.Sprint(i)))
		if i%2 == 0 {
			if err := os.WriteFile(paths[i], nil, 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	set := func(b *testing.B, w *Watcher, paths []string) {
		if err := w.SetFiles(kind, paths); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("first", func(b *testing.B) {
		w := watcher(b)
		for b.Loop() {
			set(b, w, paths)
			set(b, w, nil)
		}
	})
	b.Run("again", func(b *testing.B) {
		w := watcher(b)
		set(b, w, paths)
		for b.Loop() {
			set(b, w, paths)
		}
	})
	b.Run("remounted", func(b *testing.B) {
		w := watcher(b)
		set(b, w, paths)
		for b.Loop() {
			w.sys.calm.do(func() error { w.sys.files.remounted(); return nil })
		}
	})
}

// BenchmarkIdle counts how often the loops wake up in a second in which nothing
// happens that was asked for.
func BenchmarkIdle(b *testing.B) {
	w := watcher(b)
	for _, err := range []error{
		w.SetFiles(kind, []string{b.TempDir(), "/etc/passwd"}), w.SetExecutables(kind, []string{"/bin/sleep"}),
		w.SetProcesses(kind, []int{1}, nil), w.SetMounts(kind), w.SetUevents(kind),
	} {
		if err != nil {
			b.Fatal(err)
		}
	}
	turns := func() (n int) {
		for _, l := range w.sys.loops() {
			l.mu.Lock()
			n += l.turns
			l.mu.Unlock()
		}
		return n
	}
	before := turns()
	for b.Loop() {
		<-time.After(time.Second)
	}
	b.ReportMetric(float64(turns()-before)/float64(b.N), "wakeups/s")
}
