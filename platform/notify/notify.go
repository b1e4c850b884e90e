// Package notify shows notifications to the person this process runs as, by the system's own service and without starting a program.
package notify

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
)

// Limits of what is shown, in characters where not said otherwise. Longer texts
// are cut; more choices and longer ids are refused.
const (
	MaxTitle   = 80
	MaxBody    = 400
	MaxLabel   = 40
	MaxChoices = 2
	MaxID      = 64 // bytes
)

// Clicks that nobody takes from the channel are dropped after this many.
const waiting = 16

var (
	// ErrNote is in the chain of the error for a note or a program that is
	// malformed: a mistake of the caller, never of the system.
	ErrNote = errors.New("not a notification that can be shown")
	// ErrOff is in the chain when the person, or an administrator, does not let
	// this program notify. Asking again later may succeed.
	ErrOff = errors.New("notifications are switched off for this program")
	// ErrClosed is in the chain after Close.
	ErrClosed = errors.New("notifier is closed")
)

// App says who notifies.
type App struct {
	Name string // shown to people, as in "Postern"
	// ID is the name by which the system knows the program: the AppUserModelID
	// on Windows, the name of the .desktop file without its suffix on Linux.
	// macOS goes by the bundle. Letters, digits, dots, hyphens, underscores.
	ID string
	// Icon is the absolute path of a picture or, on Linux, the name of one in
	// the icon theme; "" for none.
	Icon string
}

// Note is one notification.
type Note struct {
	// ID names the note: showing another with the same ID replaces it. Up to
	// MaxID bytes of printable ASCII without spaces.
	ID          string
	Title, Body string // plain text; Body may have several lines
	// Urgent notes stay until the person has seen them, where the system can.
	Urgent  bool
	Choices []Choice // at most MaxChoices
}

// Choice is a button of a note. Where the system has no buttons, none is shown,
// and the note must make sense without.
type Choice struct {
	ID    string // as a Note's
	Label string // shown to people
}

// Chosen is what a person clicked.
type Chosen struct {
	ID     string // of the note
	Choice string // the choice's ID, "" for the note itself
}

// Notifier shows notes. Its methods may be called from several goroutines.
type Notifier struct {
	service service
	chosen  chan Chosen

	mu     sync.Mutex
	closed bool
}

// service is the notification service of a system. It gets checked and cleaned
// notes only.
type service interface {
	show(ctx context.Context, n Note) error
	withdraw(ctx context.Context, id string) error
	close() error
}

// Open finds the service of this session. Where there is none the error's chain
// has errors.ErrUnsupported, with the reason. ctx bounds the opening only.
func Open(ctx context.Context, app App) (*Notifier, error) {
	if err := checkApp(&app); err != nil {
		return nil, fmt.Errorf("open notifications: %w", err)
	}
	n := &Notifier{chosen: make(chan Chosen, waiting)}
	s, err := open(ctx, app, n.click)
	if err != nil {
		return nil, fmt.Errorf("open notifications: %w", err)
	}
	n.service = s
	return n, nil
}

// Show shows a note, or replaces the one with its ID. nil says that the service
// has taken it, not that a person has seen it.
func (n *Notifier) Show(ctx context.Context, note Note) error {
	note, err := clean(note)
	if err != nil {
		return fmt.Errorf("show notification: %w", err)
	}
	if n.isClosed() {
		return fmt.Errorf("show notification %s: %w", note.ID, ErrClosed)
	}
	if err := n.service.show(ctx, note); err != nil {
		return fmt.Errorf("show notification %s: %w", note.ID, err)
	}
	return nil
}

// Withdraw takes a note back. One that is not shown (any more) is no error.
func (n *Notifier) Withdraw(ctx context.Context, id string) error {
	if err := checkID(id); err != nil {
		return fmt.Errorf("withdraw notification: %w", err)
	}
	if n.isClosed() {
		return fmt.Errorf("withdraw notification %s: %w", id, ErrClosed)
	}
	if err := n.service.withdraw(ctx, id); err != nil {
		return fmt.Errorf("withdraw notification %s: %w", id, err)
	}
	return nil
}

// Chosen returns the channel of what people click. It is closed by Close. Clicks
// on notes that an earlier process showed may come, too, where the system keeps
// them.
func (n *Notifier) Chosen() <-chan Chosen { return n.chosen }

// Close lets go of the service. Notes that are shown stay. A second call does
// nothing.
func (n *Notifier) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	close(n.chosen)
	n.mu.Unlock()
	if err := n.service.close(); err != nil {
		return fmt.Errorf("close notifications: %w", err)
	}
	return nil
}

func (n *Notifier) isClosed() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.closed
}

// click hands on what was clicked. It never blocks, as it is called by the
// system on a thread of its own.
func (n *Notifier) click(c Chosen) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	select {
	case n.chosen <- c:
	default:
	}
}

// checkApp checks who notifies, and cleans the name.
func checkApp(app *App) error {
	app.Name = line(app.Name, MaxLabel)
	if app.Name == "" {
		return fmt.Errorf("program without a name: %w", ErrNote)
	}
	if app.ID == "" || len(app.ID) > 128 {
		return fmt.Errorf("program's id has %d bytes, 1 to 128 are right: %w", len(app.ID), ErrNote)
	}
	for _, c := range []byte(app.ID) {
		if !isWord(c) && c != '.' {
			return fmt.Errorf("program's id %q: %w", app.ID, ErrNote)
		}
	}
	if filepath.IsAbs(app.Icon) {
		return nil
	}
	for _, c := range []byte(app.Icon) {
		if !isWord(c) && c != '.' {
			return fmt.Errorf("icon %q is neither an absolute path nor a name: %w", app.Icon, ErrNote)
		}
	}
	return nil
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}
