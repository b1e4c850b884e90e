//go:build !linux && !darwin && !windows

package paths

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// systemSet has no other answer than the Linux one, which other Unix systems
// share for the most part.
func systemSet() Set { return linuxSystem() }

func userSet() (Set, error) {
	if _, err := os.UserHomeDir(); err != nil {
		return Set{}, errNoHome
	}
	return Set{}, fmt.Errorf("where users keep files is not known on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func socketIn(dir string) string { return filepath.Join(dir, socketName) }
