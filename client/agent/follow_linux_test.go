package agent

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/brokerclient"
	"github.com/postern-zt/postern/client/signin"
	"github.com/postern-zt/postern/platform/clock"
	live "github.com/postern-zt/postern/platform/machine"
	"github.com/postern-zt/postern/platform/osexec"
	"github.com/postern-zt/postern/platform/watch"
	"github.com/postern-zt/postern/posture/collect"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// program puts a real small program into a folder of its own.
func program(t *testing.T) string {
	t.Helper()
	in, err := os.Open("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	path := filepath.Join(t.TempDir(), "vpnd")
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func start(t *testing.T, path string) *osexec.Child {
	t.Helper()
	c, err := osexec.Start(t.Context(), path, osexec.Self{Args: []string{"600"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(t, c) })
	return c
}

func end(t *testing.T, c *osexec.Child) {
	t.Helper()
	if err := c.Kill(); err != nil {
		t.Error(err)
	}
	<-c.Done()
}

// TestObservedProcessOnThisMachine kills and starts a real program that an
// observation names. Both are known long before the backstop.
func TestObservedProcessOnThisMachine(t *testing.T) {
	path, c, mach := program(t), clock.System(), live.New(live.Config{})
	watcher, err := watch.New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Close()
	list := []observe.Observation{{ID: "local/vpn", Kind: observe.KindProcess, Path: path, Read: []string{observe.ReadSHA256}, Origin: fact.OriginUserSettings}}
	collector := collect.New(collect.Config{Machine: mach, Observations: list, Clock: c, Version: "1"})
	a := New(Config{
		Clock: c, Broker: &brokerTwin{journal: &journal{}, clock: c, record: brokerclient.Record{UEID: "u", DeviceID: "dev_1"}},
		Posture: only{collector, fact.SignalCustom}, Machine: mach, Watch: watcher, Version: "1", Observe: Observe{Local: list},
		SignIns: signin.New("jkt", c.Boot, c.Now), Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	known := func(what string, want bool) time.Duration {
		t.Helper()
		began := time.Now()
		for {
			s, _ := collector.Last().Signal(fact.SignalCustom)
			f, _ := s.Find("local/vpn", "running")
			if got, ok := f.Value.AsBool(); ok && got == want && s.StateOf(f).Usable() {
				return time.Since(began)
			}
			if time.Since(began) > backstop/2 {
				t.Fatalf("%s: running is %+v", what, f)
			}
			select {
			case <-t.Context().Done():
				t.Fatal("the test ended")
			case <-time.After(200 * time.Microsecond):
			}
		}
	}
	known("before it was started", false)
	for range 5 {
		child := start(t, path)
		up := known("started", true)
		end(t, child)
		t.Logf("start to fact %v, end to fact %v", up, known("killed", false))
	}
}

// only has one signal read beside the products.
type only struct {
	*collect.Collector
	signal string
}

func (o only) Signals() []string { return []string{o.signal, fact.SignalEDR} }
