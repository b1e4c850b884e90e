package notify

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

// The service by its names in the Desktop Notifications Specification 1.2.
const (
	busName  = "org.freedesktop.Notifications"
	busPath  = "/org/freedesktop/Notifications"
	busOwner = "org.freedesktop.DBus.NameOwnerChanged"

	// callTime bounds a call whose context has no deadline. A service may have
	// to be started by the bus first.
	callTime = 25 * time.Second
)

// freedesktop is the service on the session bus.
type freedesktop struct {
	app   App
	click func(Chosen)
	conn  *dbus.Conn
	quit  context.CancelFunc
	ended sync.WaitGroup // of the goroutine that listens

	live live

	// mu is held while a note is handed over, so that a click on it is looked
	// up after its number is known.
	mu           sync.Mutex
	capabilities []string // nil until the present service was asked
	owner        string   // the service's unique name, "" if not known
	numbers      map[string]uint32
}

func open(ctx context.Context, app App, click func(Chosen)) (service, error) {
	address, err := busAddress(os.Getenv)
	if err != nil {
		return nil, err
	}
	return connect(ctx, address, app, click)
}

// connect joins a bus. Whether there is a service is asked with each note: it
// may come later than we do, and come back after a crash.
func connect(ctx context.Context, address string, app App, click func(Chosen)) (*freedesktop, error) {
	whole, quit := context.WithCancel(context.WithoutCancel(ctx))
	giveUp := context.AfterFunc(ctx, quit)
	defer giveUp()
	conn, err := dbus.Connect(address, dbus.WithContext(whole), dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
	if err != nil {
		quit()
		return nil, fmt.Errorf("join session bus: %w", errors.Join(err, ctx.Err()))
	}
	f := &freedesktop{app: app, click: click, conn: conn, quit: quit, numbers: map[string]uint32{}}
	signals := make(chan *dbus.Signal, waiting)
	conn.Signal(signals)
	f.ended.Go(func() { // until the connection ends, which closes the channel
		for s := range signals {
			f.heard(s)
		}
	})
	for _, rule := range [][]dbus.MatchOption{
		{dbus.WithMatchSender(busName), dbus.WithMatchInterface(busName), dbus.WithMatchObjectPath(busPath)},
		{dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, busName)},
	} {
		if err := conn.AddMatchSignalContext(ctx, rule...); err != nil {
			f.close()
			return nil, fmt.Errorf("listen on session bus: %w", err)
		}
	}
	return f, nil
}

func (f *freedesktop) show(ctx context.Context, n Note) error {
	ctx, cancel := f.bounded(ctx)
	defer cancel()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.ask(ctx); err != nil {
		return err
	}
	number, err := f.notify(ctx, n)
	if err != nil {
		return err
	}
	f.numbers[n.ID] = number
	f.live.set(n)
	return nil
}

// bounded bounds calls by callTime, and ends them with the connection.
func (f *freedesktop) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	unhook := context.AfterFunc(f.conn.Context(), cancel)
	return ctx, func() { unhook(); cancel() }
}

// ask asks the present service what it can and who it is, once.
func (f *freedesktop) ask(ctx context.Context) error {
	if f.capabilities != nil {
		return nil
	}
	var able []string
	if err := f.call(ctx, "GetCapabilities").Store(&able); err != nil {
		return failure(err)
	}
	var owner string
	if err := f.conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetNameOwner", 0, busName).Store(&owner); err != nil {
		return failure(err)
	}
	f.capabilities, f.owner = append(make([]string, 0, len(able)), able...), owner
	return nil
}

// notify hands the note over. The number of the last note of its ID goes along,
// so that the service replaces it; 0 is none.
func (f *freedesktop) notify(ctx context.Context, n Note) (number uint32, err error) {
	body := n.Body
	if slices.Contains(f.capabilities, "body-markup") {
		// Without it the service shows the text as it is.
		body = escapeMarkup(body)
	}
	actions := []string{}
	if slices.Contains(f.capabilities, "actions") {
		actions = append(actions, clickNote, f.app.Name)
		for i, c := range n.Choices {
			actions = append(actions, choiceName(i), c.Label)
		}
	}
	const normal, critical = byte(1), byte(2)
	const never, asUsual = int32(0), int32(-1)
	urgency, expire := normal, asUsual
	if n.Urgent {
		urgency, expire = critical, never
	}
	hints := map[string]dbus.Variant{
		"urgency":       dbus.MakeVariant(urgency),
		"desktop-entry": dbus.MakeVariant(f.app.ID),
	}
	call := f.call(ctx, "Notify", f.app.Name, f.numbers[n.ID], iconName(f.app.Icon), n.Title, body, actions, hints, expire)
	if err := call.Store(&number); err != nil {
		return 0, failure(err)
	}
	return number, nil
}

func (f *freedesktop) withdraw(ctx context.Context, id string) error {
	ctx, cancel := f.bounded(ctx)
	defer cancel()
	f.mu.Lock()
	defer f.mu.Unlock()
	number, shown := f.numbers[id]
	if !shown {
		return nil
	}
	f.forget(id)
	err := f.call(ctx, "CloseNotification", number).Err
	var said dbus.Error
	if errors.As(err, &said) && f.conn.Connected() {
		return nil // the service answers so when the note is gone (specification, CloseNotification)
	}
	return failure(err)
}

func (f *freedesktop) call(ctx context.Context, method string, args ...any) *dbus.Call {
	return f.conn.Object(busName, busPath).CallWithContext(ctx, busName+"."+method, 0, args...)
}

// heard takes a signal. Only the service itself is believed.
func (f *freedesktop) heard(s *dbus.Signal) {
	if s.Name == busOwner && s.Sender == "org.freedesktop.DBus" {
		f.restarted(s.Body)
		return
	}
	if len(s.Body) != 2 || s.Path != busPath {
		return
	}
	number, ok := s.Body[0].(uint32)
	if !ok {
		return
	}
	f.mu.Lock()
	id, ours := f.noteOf(number)
	if !ours || s.Sender != f.owner {
		f.mu.Unlock()
		return
	}
	var clicked *Chosen
	switch s.Name {
	case busName + ".ActionInvoked":
		if name, isText := s.Body[1].(string); isText {
			if c, known := f.live.clicked(id, name); known {
				clicked = &c
			}
		}
	case busName + ".NotificationClosed":
		f.forget(id)
	}
	f.mu.Unlock()
	if clicked != nil {
		f.click(*clicked)
	}
}

// restarted forgets what an earlier service was told: its numbers mean nothing
// to the next, which may be another program with other abilities.
func (f *freedesktop) restarted(body []any) {
	if len(body) != 3 || body[0] != busName {
		return
	}
	owner, _ := body[2].(string)
	f.mu.Lock()
	defer f.mu.Unlock()
	if owner == f.owner && owner != "" {
		return // it had just been asked
	}
	f.capabilities, f.owner = nil, ""
	for id := range f.numbers {
		f.forget(id)
	}
}

func (f *freedesktop) noteOf(number uint32) (id string, ok bool) {
	for id, n := range f.numbers {
		if n == number {
			return id, true
		}
	}
	return "", false
}

func (f *freedesktop) forget(id string) {
	delete(f.numbers, id)
	f.live.drop(id)
}

func (f *freedesktop) close() error {
	f.quit()
	err := f.conn.Close()
	f.ended.Wait()
	return err
}

// iconName is a name in the icon theme or a file: URI (specification, "Icons and
// Images").
func iconName(icon string) string {
	if filepath.IsAbs(icon) {
		return (&url.URL{Scheme: "file", Path: icon}).String()
	}
	return icon
}

// failure says what an answer of the bus means.
func failure(err error) error {
	var said dbus.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, dbus.ErrClosed):
		return fmt.Errorf("the session bus is gone: %w", err)
	case errors.As(err, &said) && slices.Contains([]string{
		"org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner",
	}, said.Name):
		return fmt.Errorf("no notification service runs on this desktop: %w", errors.ErrUnsupported)
	}
	return fmt.Errorf("ask notification service: %w", err)
}
