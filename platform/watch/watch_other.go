//go:build !linux

package watch

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/postern-zt/postern/platform/clock"
)

// Watcher does not exist on this system: New never returns one.
type Watcher struct{}

// New reports that this system's notices are not read. Whoever watches has to
// read again from time to time.
func New(clock.Clock) (*Watcher, error) { return nil, unsupported() }

func unsupported() error {
	return fmt.Errorf("watch processes and executables: no source of notices is known on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// Events returns a closed channel.
func (w *Watcher) Events() <-chan Event {
	c := make(chan Event)
	close(c)
	return c
}

// SetExecutables always fails.
func (w *Watcher) SetExecutables(string, []string) error { return unsupported() }

// SetProcesses always fails.
func (w *Watcher) SetProcesses(string, []int, map[int]string) error { return unsupported() }

// Close has nothing to close.
func (w *Watcher) Close() error { return nil }
