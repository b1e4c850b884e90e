package notify

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/postern-zt/postern/platform/osexec"
)

// patience bounds what is waited for.
const patience = 30 * time.Second

func testApp() App { return App{Name: "Postern", ID: "dev.postern.Tray", Icon: "postern"} }

// startBus starts a message bus of the test's own, which starts no services.
func startBus(t *testing.T) (address string) {
	t.Helper()
	const program = "/usr/bin/dbus-daemon"
	if _, err := os.Stat(program); err != nil {
		t.Skip("dbus-daemon is not installed (Debian: apt-get install dbus-daemon)")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "bus.conf")
	text := `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=` + filepath.Join(dir, "socket") + `</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, in := io.Pipe()
	start(t, program, osexec.Self{Args: []string{"--config-file=" + config, "--nofork", "--nopidfile", "--print-address=1"}, Stdout: in})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("bus did not tell its address: %v", err)
	}
	return strings.TrimSpace(line)
}

// start starts a program that ends with the test.
func start(t *testing.T, program string, s osexec.Self) {
	t.Helper()
	child, err := osexec.Start(context.WithoutCancel(t.Context()), program, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		child.Kill()
		if in, ok := s.Stdout.(io.Closer); ok {
			in.Close()
		}
		child.Wait()
	})
}

// joinBus is another program of the session.
func joinBus(t *testing.T, address string) *dbus.Conn {
	t.Helper()
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// request is a call of Notify as the service got it.
type request struct {
	App, Icon, Summary, Body string
	Replaces                 uint32
	Actions                  []string
	Urgency                  byte
	Entry                    string
	Expire                   int32
}

// desk is a notification service of the test's own.
type desk struct {
	conn *dbus.Conn
	able []string
	// early: a click on each new note goes out before the answer.
	early string
	// hang: Notify is not answered until this is closed.
	hang chan struct{}

	mu       sync.Mutex
	last     uint32
	requests []request
	closed   []uint32
}

// startDesk starts a service with these capabilities.
func startDesk(t *testing.T, address string, able ...string) *desk {
	t.Helper()
	return (&desk{able: able}).start(t, address)
}

func (d *desk) start(t *testing.T, address string) *desk {
	t.Helper()
	d.last, d.conn = 40, joinBus(t, address)
	if err := d.conn.Export(d, busPath, busName); err != nil {
		t.Fatal(err)
	}
	got, err := d.conn.RequestName(busName, dbus.NameFlagDoNotQueue)
	if err != nil || got != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("become the service: %v, %v", got, err)
	}
	return d
}

// GetCapabilities is called over the bus.
func (d *desk) GetCapabilities() ([]string, *dbus.Error) { return d.able, nil }

// Notify is called over the bus.
func (d *desk) Notify(app string, replaces uint32, icon, summary, body string, actions []string, hints map[string]dbus.Variant, expire int32) (uint32, *dbus.Error) {
	d.mu.Lock()
	number := replaces
	if number == 0 {
		d.last++
		number = d.last
	}
	r := request{App: app, Icon: icon, Summary: summary, Body: body, Replaces: replaces, Actions: actions, Expire: expire}
	r.Urgency, _ = hints["urgency"].Value().(byte)
	r.Entry, _ = hints["desktop-entry"].Value().(string)
	d.requests = append(d.requests, r)
	d.mu.Unlock()
	if d.early != "" {
		d.emit("ActionInvoked", number, d.early)
	}
	if d.hang != nil {
		<-d.hang
	}
	return number, nil
}

// CloseNotification is called over the bus.
func (d *desk) CloseNotification(number uint32) *dbus.Error {
	d.mu.Lock()
	d.closed = append(d.closed, number)
	d.mu.Unlock()
	d.emit("NotificationClosed", number, uint32(3))
	return nil
}

func (d *desk) emit(signal string, values ...any) {
	d.conn.Emit(busPath, busName+"."+signal, values...)
}

// took returns the last request, of so many.
func (d *desk) took(t *testing.T, count int) request {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.requests) != count {
		t.Fatalf("%d requests, want %d: %+v", len(d.requests), count, d.requests)
	}
	return d.requests[count-1]
}

func (d *desk) number() uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last
}

// notifier opens a Notifier on a bus, as Open does on the session's.
func notifier(t *testing.T, address string) *Notifier {
	t.Helper()
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", address)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	n, err := Open(ctx, testApp())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// next waits for a click.
func next(t *testing.T, n *Notifier) Chosen {
	t.Helper()
	select {
	case c, ok := <-n.Chosen():
		if !ok {
			t.Fatal("the channel is closed")
		}
		return c
	case <-time.After(patience):
		t.Fatal("no click came")
	}
	return Chosen{}
}

// eventually asks until there is no error any more.
func eventually(t *testing.T, ask func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond) // between two looks
	}
}

// noService waits until the service is known to be gone.
func noService(n *Notifier) error {
	f := n.service.(*freedesktop)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.owner != "" || len(f.numbers) > 0 {
		return fmt.Errorf("still believes in %s with %v", f.owner, f.numbers)
	}
	return nil
}
