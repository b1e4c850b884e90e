package clock

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

func newSystem() *system { return &system{read: readBoot, arm: armTimerfd} }

// readBoot reads CLOCK_BOOTTIME, which is CLOCK_MONOTONIC plus time suspended
// (clock_gettime(2)).
func readBoot() (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0, fmt.Errorf("read boot clock: %w", err)
	}
	return time.Duration(ts.Nano()), nil
}

// armTimerfd sets a timerfd to the absolute boot time at. The descriptor does
// not block, so reading it parks a goroutine in the runtime's poller, not a
// thread in the kernel.
func armTimerfd(at time.Duration) (wait, cancel func(), err error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, nil, fmt.Errorf("create boot timer: %w", err)
	}
	// A value of zero would disarm the timer (timerfd_settime(2)).
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(at, 1)))}
	if err := unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME, &spec, nil); err != nil {
		unix.Close(fd)
		return nil, nil, fmt.Errorf("set boot timer: %w", err)
	}
	f := os.NewFile(uintptr(fd), "timerfd")
	// Whatever ends the read, the caller then asks the clock itself.
	wait = func() { f.Read(make([]byte, 8)) }
	cancel = func() { f.Close() }
	return wait, cancel, nil
}
