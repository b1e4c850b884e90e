package clock

import (
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// newSystem looks QueryInterruptTime up once (Windows 10 and Server 2016 on;
// realtimeapiset.h). Where it is missing, GetTickCount64 counts sleep as well,
// in steps of 10 to 16 ms (sysinfoapi.h).
func newSystem() *system {
	for _, dll := range []string{"api-ms-win-core-realtime-l1-1-1.dll", "kernelbase.dll"} {
		query := windows.NewLazySystemDLL(dll).NewProc("QueryInterruptTime")
		if query.Find() != nil {
			continue
		}
		return &system{read: func() (time.Duration, error) {
			var ticks uint64 // in units of 100 ns
			query.Call(uintptr(unsafe.Pointer(&ticks)))
			return time.Duration(ticks) * 100, nil
		}}
	}
	return &system{read: func() (time.Duration, error) { return windows.DurationSinceBoot(), nil }}
}
