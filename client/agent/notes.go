package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"

	"github.com/postern-zt/postern/client/state"
)

// PauseFile keeps the note of a pause across restarts of the agent and of the
// computer: whole or not at all, and for nobody else to read or to write.
type PauseFile interface {
	// Read returns the note. When there is none, the error has fs.ErrNotExist
	// in its chain. At most state.MaxKeptPause bytes are of use.
	Read() ([]byte, error)
	// Write puts a note in place of the one before, durably.
	Write(note []byte) error
	// Remove deletes the note, durably. That there is none is no error, or one
	// with fs.ErrNotExist in its chain.
	Remove() error
}

// What people are told when the disk does not do as the pause does.
const (
	notNoted   = "The pause could not be written to disk: it ends when the agent does."
	notRemoved = "A pause that is over could not be deleted from disk: it may come back when the agent starts."
)

// errNote is in the chain when a note could not be written or deleted.
var errNote = errors.New("the note of a pause is not as it should be")

// notes has the note on disk follow what the writer wants there, beside the
// writer: a disk that is slow, or hangs, must not keep it from closing tunnels.
// Only the last wish counts.
type notes struct {
	file PauseFile // nil: nothing is kept
	log  *slog.Logger
	tell func()        // the fault is another now
	due  chan struct{} // holds one token while there is something to do
	end  chan struct{} // closed when nothing more will be wanted

	mu      sync.Mutex
	wanted  []byte        // nil: none
	waiting []func(error) // for what is wanted to be on disk
	asked   bool          // something is to be done
	there   bool          // there may be a note on disk
	fault   string        // for people; empty: the disk is as wanted
}

func newNotes(file PauseFile, log *slog.Logger, tell func()) *notes {
	return &notes{file: file, log: log, tell: tell, due: make(chan struct{}, 1), end: make(chan struct{}), there: file != nil}
}

// read returns the note on disk; false when there is none. One that is there
// and cannot be understood is an error.
func (n *notes) read() (state.KeptPause, bool, error) {
	if n.file == nil {
		return state.KeptPause{}, false, nil
	}
	data, err := n.file.Read()
	if errors.Is(err, fs.ErrNotExist) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.there = false
		return state.KeptPause{}, false, nil
	}
	if err != nil {
		return state.KeptPause{}, true, fmt.Errorf("read the note of a pause: %w", err)
	}
	k, err := state.ParsePause(data)
	return k, true, err
}

// want has the disk hold this note; nil: none. done is called once, when that
// is so or did not work; it must not wait for anything.
func (n *notes) want(note []byte, done func(error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.file == nil || note == nil && !n.there && !n.asked {
		done(nil)
		return
	}
	n.wanted, n.asked = note, true
	n.waiting = append(n.waiting, done)
	select {
	case n.due <- struct{}{}:
	default:
	}
}

// keep does what is wanted until end is closed, and then what is left.
func (n *notes) keep() {
	for {
		select {
		case <-n.due:
			n.follow()
		case <-n.end:
			n.mu.Lock()
			n.asked = n.asked || n.fault != "" // once more: it may work now
			n.mu.Unlock()
			n.follow()
			return
		}
	}
}

func (n *notes) follow() {
	n.mu.Lock()
	note, waiting, asked := n.wanted, n.waiting, n.asked
	n.waiting, n.asked = nil, false
	// While it is being done nobody knows what is there, and whoever wants
	// another thing meanwhile waits for their turn.
	n.there = n.there || asked
	n.mu.Unlock()
	if !asked {
		return
	}
	err := n.put(note)
	fault := ""
	switch {
	case err != nil && note != nil:
		fault = notNoted
	case err != nil:
		fault = notRemoved
	}
	if err != nil {
		n.log.Error("the note of a pause", "error", err, "wanted", note != nil)
		err = fmt.Errorf("%w: %w", errNote, err)
	}
	n.mu.Lock()
	n.there = note != nil || err != nil
	changed := n.fault != fault
	n.fault = fault
	n.mu.Unlock()
	if changed {
		n.tell()
	}
	for _, done := range waiting {
		done(err)
	}
}

func (n *notes) put(note []byte) error {
	if note != nil {
		return n.file.Write(note)
	}
	if err := n.file.Remove(); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// trouble is what people are told of the disk, if anything.
func (n *notes) trouble() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.fault
}
