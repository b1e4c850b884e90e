package files

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
)

// maxNote bounds how much of a lock file is read or written.
const maxNote = 256

// Held is a lock that this process holds on a file.
type Held struct{ f *os.File }

// LockedError says that somebody else holds the lock on Path.
type LockedError struct {
	Path string
	// Holder is the note of the one who holds it, "" if it cannot be read.
	Holder string
}

func (e *LockedError) Error() string {
	holder := e.Holder
	if holder == "" {
		holder = "another process"
	}
	return fmt.Sprintf("lock %s: held by %s", e.Path, holder)
}

// Lock opens the file at path, making it (mode 0600) if it is not there, locks
// it for this process alone and writes note into it, for example "posternd pid
// 1234", of which 256 bytes are kept. It does not wait: if somebody holds the
// lock, another caller in this process included, the error is a *LockedError
// with that holder's note. The system itself releases the lock when the process
// ends in whatever way (flock(2); LockFileEx on Windows). The file stays.
//
// The note is information, not proof: it says what the holder wrote.
func Lock(path, note string) (*Held, error) {
	f, err := openLock(path)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	held, err := lockFile(f)
	if held {
		holder := readNote(f)
		f.Close()
		return nil, &LockedError{Path: path, Holder: holder}
	}
	if err == nil {
		err = writeNote(f, note)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &Held{f: f}, nil
}

// Unlock releases the lock and empties its file. A second call is an error.
func (l *Held) Unlock() error {
	emptied := l.f.Truncate(0)
	if err := l.f.Close(); err != nil { // closing is what releases
		return fmt.Errorf("unlock %s: %w", l.f.Name(), err)
	}
	if emptied != nil {
		return fmt.Errorf("unlock %s: %w", l.f.Name(), emptied)
	}
	return nil
}

func writeNote(f *os.File, note string) error {
	if len(note) > maxNote-1 {
		note = note[:maxNote-1]
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(note+"\n"), 0)
	return err
}

// readNote returns the first line of the note, without what could play tricks
// on a terminal.
func readNote(f *os.File) string {
	data, _ := io.ReadAll(io.NewSectionReader(f, 0, maxNote))
	line, _, _ := strings.Cut(string(data), "\n")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, strings.TrimSpace(line))
}
