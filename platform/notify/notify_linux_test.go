package notify

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

func full() []string { return []string{"body", "body-markup", "actions", "persistence"} }

func TestShow(t *testing.T) {
	address := startBus(t)
	d := startDesk(t, address, full()...)
	n := notifier(t, address)
	note := Note{
		ID: "tunnel/git", Title: "Git <closed>", Body: "Disk & <b>encryption</b> is off.\nSwitch it on.", Urgent: true,
		Choices: []Choice{{"fix", "Fix…"}, {"later", "Later"}},
	}
	if err := n.Show(t.Context(), note); err != nil {
		t.Fatal(err)
	}
	want := request{
		App: "Postern", Icon: "postern", Summary: "Git <closed>", Body: "Disk &amp; &lt;b&gt;encryption&lt;/b&gt; is off.\nSwitch it on.",
		Actions: []string{"default", "Postern", "choice-0", "Fix…", "choice-1", "Later"}, Urgency: 2, Entry: "dev.postern.Tray", Expire: 0,
	}
	if got := d.took(t, 1); !slices.Equal(got.Actions, want.Actions) || got.Body != want.Body || got.Summary != want.Summary ||
		got.App != want.App || got.Icon != want.Icon || got.Urgency != want.Urgency || got.Entry != want.Entry || got.Expire != 0 || got.Replaces != 0 {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestPlainService has no buttons and shows markup as it stands.
func TestPlainService(t *testing.T) {
	address := startBus(t)
	d := startDesk(t, address, "body")
	n := notifier(t, address)
	if err := n.Show(t.Context(), Note{ID: "a", Title: "t", Body: "1 < 2 & 3", Choices: []Choice{{"fix", "Fix"}}}); err != nil {
		t.Fatal(err)
	}
	if got := d.took(t, 1); len(got.Actions) != 0 || got.Body != "1 < 2 & 3" || got.Urgency != 1 || got.Expire != -1 {
		t.Errorf("%+v", got)
	}
}

func TestReplaceAndWithdraw(t *testing.T) {
	address := startBus(t)
	d := startDesk(t, address, full()...)
	n := notifier(t, address)
	show := func(id, title string) {
		t.Helper()
		if err := n.Show(t.Context(), Note{ID: id, Title: title}); err != nil {
			t.Fatal(err)
		}
	}
	show("a", "first")
	first := d.number()
	show("a", "second")
	if got := d.took(t, 2); got.Replaces != first {
		t.Errorf("replaces %d, want %d", got.Replaces, first)
	}
	show("b", "another")
	if got := d.took(t, 3); got.Replaces != 0 {
		t.Errorf("another note replaces %d", got.Replaces)
	}
	for range 2 { // the second time it is not shown any more
		if err := n.Withdraw(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Withdraw(t.Context(), "never-shown"); err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	if !slices.Equal(d.closed, []uint32{first}) {
		t.Errorf("closed %v, want %d once", d.closed, first)
	}
	d.mu.Unlock()
	// What the person closed is shown anew, not replaced.
	second := d.number()
	d.emit("NotificationClosed", second, uint32(2))
	eventually(t, func() error { return noNumber(n, second) })
	show("b", "again")
	if got := d.took(t, 4); got.Replaces != 0 {
		t.Errorf("replaces %d, which is gone", got.Replaces)
	}
}

func noNumber(n *Notifier, number uint32) error {
	f := n.service.(*freedesktop)
	f.mu.Lock()
	defer f.mu.Unlock()
	if id, ok := f.noteOf(number); ok {
		return errors.New("still knows " + id)
	}
	return nil
}

func TestClicks(t *testing.T) {
	address := startBus(t)
	d := startDesk(t, address, full()...)
	n := notifier(t, address)
	if err := n.Show(t.Context(), Note{ID: "a", Title: "t", Choices: []Choice{{"fix", "Fix"}, {"later", "Later"}}}); err != nil {
		t.Fatal(err)
	}
	number := d.number()
	// Another program of the session, and numbers that are not ours.
	forger := joinBus(t, address)
	if err := forge(forger, n.service.(*freedesktop).conn.Names()[0], number); err != nil {
		t.Fatal(err)
	}
	if err := forger.BusObject().Call("org.freedesktop.DBus.GetId", 0).Err; err != nil { // the signal has gone through the bus
		t.Fatal(err)
	}
	d.emit("ActionInvoked", number+7, "choice-0")
	d.emit("ActionInvoked", number, "choice-9")
	d.emit("ActionInvoked", number, "fix")
	d.emit("ActionInvoked", "not a number", "choice-0")
	d.emit("ActionInvoked", number, "choice-1")
	if got := next(t, n); got != (Chosen{"a", "later"}) {
		t.Errorf("%+v", got)
	}
	d.emit("ActionInvoked", number, "default")
	if got := next(t, n); got != (Chosen{"a", ""}) {
		t.Errorf("%+v", got)
	}
}

// forge sends a click straight to a notifier, which no rule of the bus keeps out.
func forge(from *dbus.Conn, to string, number uint32) error {
	body := []any{number, "choice-0"}
	return from.Send(&dbus.Message{
		Type: dbus.TypeSignal, Flags: dbus.FlagNoReplyExpected,
		Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldDestination: dbus.MakeVariant(to), dbus.FieldPath: dbus.MakeVariant(dbus.ObjectPath(busPath)),
			dbus.FieldInterface: dbus.MakeVariant(busName), dbus.FieldMember: dbus.MakeVariant("ActionInvoked"),
			dbus.FieldSignature: dbus.MakeVariant(dbus.SignatureOf(body...)),
		},
		Body: body,
	}, nil).Err
}

// TestEarlyClick: the click overtakes the number of the note it belongs to.
func TestEarlyClick(t *testing.T) {
	address := startBus(t)
	(&desk{able: full(), early: "choice-0"}).start(t, address)
	n := notifier(t, address)
	if err := n.Show(t.Context(), Note{ID: "a", Title: "t", Choices: []Choice{{"fix", "Fix"}}}); err != nil {
		t.Fatal(err)
	}
	if got := next(t, n); got != (Chosen{"a", "fix"}) {
		t.Errorf("%+v", got)
	}
}

// TestServiceRestarts: the next service does not know the numbers of the last,
// and can do other things.
func TestServiceRestarts(t *testing.T) {
	address := startBus(t)
	first := startDesk(t, address, full()...)
	n := notifier(t, address)
	note := Note{ID: "a", Title: "t", Body: "<", Choices: []Choice{{"fix", "Fix"}}}
	if err := n.Show(t.Context(), note); err != nil {
		t.Fatal(err)
	}
	if err := first.conn.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { return noService(n) })
	if err := n.Show(t.Context(), note); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "no notification service") {
		t.Errorf("without a service: %v", err)
	}
	second := startDesk(t, address, "body")
	if err := n.Show(t.Context(), note); err != nil {
		t.Fatal(err)
	}
	if got := second.took(t, 1); got.Replaces != 0 || got.Body != "<" || len(got.Actions) != 0 {
		t.Errorf("%+v", got)
	}
}

// TestServiceHangs: neither Show nor Close waits for it for ever.
func TestServiceHangs(t *testing.T) {
	address := startBus(t)
	hang := make(chan struct{})
	defer close(hang)
	d := (&desk{able: full(), hang: hang}).start(t, address)
	n := notifier(t, address)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := n.Show(ctx, Note{ID: "a", Title: "t"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	shown := make(chan error, 1)
	go func() { shown <- n.Show(context.Background(), Note{ID: "b", Title: "second"}) }()
	eventually(t, func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, r := range d.requests {
			if r.Summary == "second" {
				return nil
			}
		}
		return errors.New("the second note did not come")
	})
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-shown:
		if err == nil {
			t.Error("a note that nobody took is shown")
		}
	case <-time.After(patience):
		t.Fatal("Show goes on after Close")
	}
}

func TestClose(t *testing.T) {
	address := startBus(t)
	startDesk(t, address, full()...)
	n := notifier(t, address)
	for range 2 {
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, open := <-n.Chosen(); open {
		t.Error("the channel is open")
	}
	if err := n.Show(t.Context(), Note{ID: "a", Title: "t"}); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	if err := n.Withdraw(t.Context(), "a"); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
}

// TestManyAtOnce is for the race detector.
func TestManyAtOnce(t *testing.T) {
	address := startBus(t)
	(&desk{able: full(), early: clickNote}).start(t, address)
	n := notifier(t, address)
	var all sync.WaitGroup
	for i := range 8 {
		id := string(rune('a' + i))
		all.Go(func() {
			for range 10 {
				if err := n.Show(t.Context(), Note{ID: id, Title: "t"}); err != nil {
					t.Error(err)
				}
				if err := n.Withdraw(t.Context(), id); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for drained := false; !drained; { // clicks on notes that were withdrawn may or may not have come
		select {
		case <-n.Chosen():
		default:
			drained = true
		}
	}
	if err := n.Show(t.Context(), Note{ID: "last", Title: "t"}); err != nil {
		t.Fatal(err)
	}
	for next(t, n).ID != "last" {
	}
}

// TestNoBus: without a bus nothing is shown, and none is started.
func TestNoBus(t *testing.T) {
	dir := t.TempDir()
	trace := filepath.Join(dir, "started")
	if err := os.WriteFile(filepath.Join(dir, "dbus-launch"), []byte("#!/bin/sh\n: > '"+trace+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	for _, address := range []string{"", "autolaunch:", "unixexec:path=/bin/true", "unix:path=/nonexistent;autolaunch:scope=user"} {
		t.Setenv("DBUS_SESSION_BUS_ADDRESS", address)
		if _, err := Open(t.Context(), testApp()); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%q: %v", address, err)
		}
	}
	if _, err := os.Stat(trace); err == nil {
		t.Error("a bus was started")
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(dir, "gone"))
	if _, err := Open(t.Context(), testApp()); err == nil {
		t.Error("joined a bus that is not there")
	}
}

// TestBusInRuntimeFolder: systemd's session bus needs no address.
func TestBusInRuntimeFolder(t *testing.T) {
	address := startBus(t)
	d := startDesk(t, address, full()...)
	dir := t.TempDir()
	if err := os.Symlink(strings.SplitN(strings.TrimPrefix(address, "unix:path="), ",", 2)[0], filepath.Join(dir, "bus")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", dir)
	n := notifier(t, "")
	if err := n.Show(t.Context(), Note{ID: "a", Title: "t"}); err != nil {
		t.Fatal(err)
	}
	d.took(t, 1)
}

// TestSilentBus: a socket that takes the call and says nothing ends with ctx.
func TestSilentBus(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+path)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, testApp()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestIconName(t *testing.T) {
	for in, want := range map[string]string{"": "", "postern": "postern", "/opt/My icons/a#b.png": "file:///opt/My%20icons/a%23b.png"} {
		if got := iconName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
