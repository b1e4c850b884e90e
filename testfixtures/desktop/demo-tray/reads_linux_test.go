package main

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
)

// readers is how many hosts read at once, as the panels of several screens do.
const readers = 2

// TestReadsWhileItChanges draws thousands of icons while hosts read all that the
// item says: each reading is a whole one. Under the race detector the program's
// own report counts, too.
func TestReadsWhileItChanges(t *testing.T) {
	races := filepath.Join(t.TempDir(), "race")
	b := startBus(t)
	w := startWatcher(t, b, true).serve().take()
	p := startTray(t, "DBUS_SESSION_BUS_ADDRESS="+b.address, "GORACE=halt_on_error=0 log_path="+races)
	it := w.item()
	stop := make(chan struct{})
	var work sync.WaitGroup
	var read [readers]int
	for n := range readers {
		conn := b.connect(t)
		work.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if !whole(t, conn, it) {
					return
				}
				read[n]++
			}
		})
	}
	p.send("rebuild 3000")
	p.next("rebuilt", "refused")
	close(stop)
	work.Wait()
	_ = p.in.Close()
	p.next("ended")
	t.Logf("read %v times", read)
	found, err := filepath.Glob(races + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range found {
		report, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
		}
		t.Errorf("%d races, the first of them:\n%s", bytes.Count(report, []byte("WARNING: DATA RACE")), report[:min(len(report), 4000)])
	}
}

// whole reads all properties once and reports whether they fit together.
func whole(t *testing.T, conn *dbus.Conn, it *item) bool {
	t.Helper()
	var all map[string]dbus.Variant
	if err := conn.Object(it.name, it.path).Call("org.freedesktop.DBus.Properties.GetAll", 0, "org.kde.StatusNotifierItem").Store(&all); err != nil {
		t.Error(err)
		return false
	}
	var pictures []struct {
		W, H int32
		Pix  []byte
	}
	if err := all["IconPixmap"].Store(&pictures); err != nil || len(pictures) == 0 {
		t.Errorf("%d pictures, %v", len(pictures), err)
		return false
	}
	for _, m := range pictures {
		if m.W <= 0 || m.W != m.H || len(m.Pix) != int(4*m.W*m.H) {
			t.Errorf("a picture of %d × %d in %d bytes", m.W, m.H, len(m.Pix))
			return false
		}
	}
	return true
}
