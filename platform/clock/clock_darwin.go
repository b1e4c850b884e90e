package clock

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

func newSystem() *system { return &system{read: readBoot} }

// readBoot reads CLOCK_MONOTONIC_RAW, "a clock that increments monotonically,
// tracking the time since an arbitrary point like CLOCK_MONOTONIC" but
// unaffected by frequency or time adjustments (clock_gettime(3)); it keeps
// counting while the system is asleep. CLOCK_MONOTONIC counts sleep too, but is
// the wall clock less the time of boot and so follows its adjustments.
func readBoot() (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC_RAW, &ts); err != nil {
		return 0, fmt.Errorf("read boot clock: %w", err)
	}
	return time.Duration(ts.Nano()), nil
}
