package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/windows/registry"
)

// BenchmarkLatency measures from a change to the event that tells of it. File
// and registry events include what they are held back for.
func BenchmarkLatency(b *testing.B) {
	b.Run(CauseExit, func(b *testing.B) {
		w := watcher(b)
		var took []time.Duration
		for b.Loop() {
			c, _ := child(b)
			if err := w.SetProcesses(kind, []int{c.PID()}, nil); err != nil {
				b.Fatal(err)
			}
			began := time.Now()
			if err := c.Kill(); err != nil {
				b.Fatal(err)
			}
			await(w, CauseExit)
			took = append(took, time.Since(began))
		}
		report(b, took)
	})
	b.Run(CauseFile, func(b *testing.B) {
		f := filepath.Join(b.TempDir(), "conf")
		w := watcher(b)
		if err := w.SetFiles(kind, []string{f}); err != nil {
			b.Fatal(err)
		}
		change(b, w, CauseFile, func(i int) error { return os.WriteFile(f, []byte(fmt.Sprint(i)), 0o644) })
	})
	b.Run(CauseRegistry, func(b *testing.B) {
		removeTestKey()
		b.Cleanup(removeTestKey)
		k, _, err := registry.CreateKey(registry.CURRENT_USER, testKey, registry.ALL_ACCESS)
		if err != nil {
			b.Fatal(err)
		}
		defer k.Close()
		w := watcher(b)
		if err := w.SetRegistry(kind, []string{`HKCU\` + testKey}); err != nil {
			b.Fatal(err)
		}
		change(b, w, CauseRegistry, func(i int) error { return k.SetDWordValue("v", uint32(i)) })
	})
}

func change(b *testing.B, w *Watcher, cause string, do func(i int) error) {
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		if err := do(len(took)); err != nil {
			b.Fatal(err)
		}
		await(w, cause)
		took = append(took, time.Since(began))
		quiet(w)
	}
	report(b, took)
}
