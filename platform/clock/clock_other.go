//go:build !linux && !darwin && !windows

package clock

import (
	"errors"
	"fmt"
	"runtime"
	"time"
)

func newSystem() *system { return &system{read: readBoot} }

// readBoot does not know which clock of this system counts sleep.
func readBoot() (time.Duration, error) {
	return 0, fmt.Errorf("read boot clock: no clock known to count sleep on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
