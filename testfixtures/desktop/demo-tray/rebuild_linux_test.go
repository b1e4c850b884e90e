package main

import (
	"fmt"
	"testing"

	"github.com/godbus/dbus/v5"
)

// TestRebuilds replaces the menu 10,000 times under a host that reads it again
// whenever it is told to, and compares goroutines and memory.
func TestRebuilds(t *testing.T) {
	p, it := onDesktop(t)
	signals := make(chan *dbus.Signal, 1<<16)
	it.conn.Signal(signals)
	if err := it.conn.AddMatchSignal(dbus.WithMatchInterface("com.canonical.dbusmenu"), dbus.WithMatchMember("LayoutUpdated")); err != nil {
		t.Fatal(err)
	}
	told, read, empty := 0, 0, 0
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-signals:
				told++
				for len(signals) > 0 { // hosts read once for a burst
					<-signals
					told++
				}
				root, _ := it.layout()
				if read++; len(root.entries) == 0 {
					empty++
				}
			}
		}
	}()
	var goroutines, heap, resident [3]int
	for i, n := range []int{100, 5000, 5000} {
		p.send(fmt.Sprint("rebuild ", n))
		if _, err := fmt.Sscanf(p.next("rebuilt", "refused"), "rebuilt %d %d %d %d", &n, &goroutines[i], &heap[i], &resident[i]); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	<-stopped
	t.Logf("goroutines %v, heap %v B, resident %v KiB; told %d times, read %d times, found it empty %d times", goroutines, heap, resident, told, read, empty)
	if goroutines[2] > goroutines[0]+20 {
		t.Errorf("goroutines grew: %v", goroutines)
	}
	if heap[2] > heap[0]+4<<20 {
		t.Errorf("the heap grew: %v", heap)
	}
}
