package ipc

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"time"
)

// crowdSize is how many watchers one user has.
const crowdSize = 1000

// Bounds of what a waiting watcher may cost the agent.
const (
	maxBytes      = 64 << 10
	maxGoroutines = 4
)

// cost is what this process uses: bytes of heap and stacks in use, goroutines
// and descriptors.
type cost struct{ bytes, goroutines, descriptors int }

func measure(t testing.TB) cost {
	t.Helper()
	debug.FreeOSMemory() // collects first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return cost{int(m.HeapAlloc + m.StackInuse), runtime.NumGoroutine(), len(open)}
}

func (c cost) minus(d cost) cost {
	return cost{c.bytes - d.bytes, c.goroutines - d.goroutines, c.descriptors - d.descriptors}
}

// gather has a user's process wait with n watchers, and says what each costs.
func gather(t testing.TB, a *Agent, who *caller, n int) cost {
	t.Helper()
	before, were := measure(t), a.Waiting()
	if said := who.do(fmt.Sprint("watch ", n)); said != fmt.Sprint("watching ", n) {
		t.Fatal(said)
	}
	until(t, "all watchers wait", func() bool { return a.Waiting() == were+n })
	all := measure(t).minus(before)
	return cost{all.bytes / n, all.goroutines / n, all.descriptors / n}
}

func TestThousandWatchers(t *testing.T) {
	needRoot(t)
	a := NewAgent()
	socket := serve(t, a, io.Discard)
	watcher, other := as(t, socket, ada), as(t, socket, bob)
	if said := other.do("version"); said != "ok" {
		t.Fatal(said)
	}
	idle := measure(t)
	each := gather(t, a, watcher, crowdSize)
	t.Logf("a watcher costs %d bytes, %d goroutines, %d descriptors", each.bytes, each.goroutines, each.descriptors)
	if each.bytes > maxBytes || each.goroutines > maxGoroutines || each.descriptors > 1 {
		t.Errorf("a watcher costs %+v", each)
	}

	for _, verb := range []string{"version", "status", "start"} { // meanwhile
		if said := other.do(verb); said != "ok" {
			t.Errorf("another user is answered %q to %s", said, verb)
		}
	}
	began := time.Now()
	revision := a.Change()
	if said, want := watcher.do("hear"), fmt.Sprintf("map[revision %d:%d]", revision, crowdSize); said != want {
		t.Errorf("the watchers heard %s, want %s", said, want)
	}
	t.Logf("all of them had heard of a change after %s", time.Since(began).Round(time.Millisecond))

	// They go without a word: so do their places.
	gather(t, a, watcher, crowdSize)
	watcher.end()
	until(t, "nobody waits for the dead", func() bool { return a.Waiting() == 0 })
	until(t, "nothing of them is left", func() bool {
		now := measure(t).minus(idle)
		return now.goroutines < 20 && now.descriptors < 20
	})
	again := as(t, socket, ada)
	gather(t, a, again, crowdSize)
}

// TestNobodyTakesAll: one user holds all the connections he can get; the agent
// has descriptors left, and others are served, a thousand watchers of theirs too.
func TestNobodyTakesAll(t *testing.T) {
	needRoot(t)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 8192 {
		t.Skipf("this process may have %d descriptors only (%v): the budget would be another", limit.Cur, err)
	}
	a := NewAgent()
	socket := serve(t, a, io.Discard)
	greedy := as(t, socket, ada)
	const many, most = 2100, 2048 // half of the budget
	if said, want := greedy.do(fmt.Sprint("hold ", many)), fmt.Sprintf("held %d refused %d", most, many-most); said != want {
		t.Errorf("one user: %s, want %s", said, want)
	}
	servant := as(t, socket, service)
	if said, want := servant.do("hold 40"), "held 16 refused 24"; said != want {
		t.Errorf("a service: %s, want %s", said, want)
	}
	other := as(t, socket, bob)
	for range 3 {
		if said := other.do("status"); said != "ok" {
			t.Errorf("another user is answered %q", said)
		}
	}
	gather(t, a, other, crowdSize)
	if said := as(t, socket, rootUser).do("status"); said != "ok" {
		t.Errorf("an administrator is answered %q", said)
	}
	if held := measure(t).descriptors; held > 4096 {
		t.Errorf("%d descriptors are in use", held)
	}
}

// BenchmarkThousandWatchers measures what a watcher costs and how long it takes
// until all have heard of a change.
func BenchmarkThousandWatchers(b *testing.B) {
	needRoot(b)
	a := NewAgent()
	socket := serve(b, a, io.Discard)
	watcher := as(b, socket, ada)
	var each cost
	var heard time.Duration
	for b.Loop() {
		each = gather(b, a, watcher, crowdSize)
		began := time.Now()
		a.Change()
		watcher.do("hear")
		heard += time.Since(began)
	}
	b.ReportMetric(float64(each.bytes), "B/watcher")
	b.ReportMetric(float64(each.goroutines), "goroutines/watcher")
	b.ReportMetric(float64(heard.Milliseconds())/float64(b.N), "ms/change")
	b.ReportMetric(0, "ns/op")
}
