package tray

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/postern-zt/postern/testfixtures/desktop"
)

// The notification service by its names in the Desktop Notifications
// Specification 1.2.
const (
	notesName = "org.freedesktop.Notifications"
	notesPath = "/org/freedesktop/Notifications"
)

// note is a notification as the service got it.
type note struct {
	Number      uint32
	Title, Body string
	Actions     []string // name, label, name, label …
	Urgent      bool
	At          time.Time
}

// notes is a notification service of a desktop.
type notes struct {
	t    testing.TB
	conn *dbus.Conn

	mu   sync.Mutex
	last uint32
	got  []note
}

// serveNotes starts a service that ends with the test.
func serveNotes(t testing.TB, d *desktop.Desktop) *notes {
	t.Helper()
	n := &notes{t: t, conn: must[*dbus.Conn](t)(d.Connect())}
	t.Cleanup(func() { _ = n.conn.Close() })
	ok(t, n.conn.ExportMethodTable(map[string]any{
		"GetCapabilities": func() ([]string, *dbus.Error) { return []string{"body", "actions"}, nil },
		"Notify":          n.notify, "CloseNotification": func(uint32) *dbus.Error { return nil },
	}, notesPath, notesName))
	if got, err := n.conn.RequestName(notesName, dbus.NameFlagDoNotQueue); err != nil || got != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("become the notification service: %v, %v", got, err)
	}
	return n
}

func (n *notes) notify(_ string, replaces uint32, _, title, body string, actions []string, hints map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	number := replaces
	if number == 0 {
		n.last++
		number = n.last
	}
	urgency, _ := hints["urgency"].Value().(byte)
	n.got = append(n.got, note{Number: number, Title: title, Body: body, Actions: actions, Urgent: urgency == 2, At: time.Now()})
	return number, nil
}

// all are the notes so far.
func (n *notes) all() []note {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.got)
}

// expect waits for a note whose title has the words.
func (n *notes) expect(title string) note {
	n.t.Helper()
	var found note
	err := desktop.Until("a notification "+title, 2*desktop.Patience, func() (bool, error) {
		all := n.all()
		i := slices.IndexFunc(all, func(x note) bool { return strings.Contains(x.Title, title) })
		if i < 0 {
			return false, fmt.Errorf("there are %+v", all)
		}
		found = all[i]
		return true, nil
	})
	ok(n.t, err)
	return found
}

// only fails the test if the notes so far are others than those with these
// titles.
func (n *notes) only(titles ...string) {
	n.t.Helper()
	var got []string
	for _, x := range n.all() {
		got = append(got, x.Title)
	}
	if !slices.Equal(got, titles) {
		n.t.Errorf("notifications %q, want %q", got, titles)
	}
}

// click chooses an action of a note.
func (n *notes) click(number uint32, action string) {
	n.t.Helper()
	ok(n.t, n.conn.Emit(notesPath, notesName+".ActionInvoked", number, action))
}
