package watch

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// securityCenter tells when Windows Security Center says something else of the
// antivirus or firewall products (Microsoft, WscRegisterForChanges). Windows
// Server has none.
type securityCenter struct {
	pool         *pool
	kinds        map[string]bool
	event        windows.Handle
	registration uintptr
}

// add has a kind told. A Windows without the Security Center answers in its own
// way: no library, or an error of the call.
func (c *securityCenter) add(kind string) error {
	if c.registration == 0 {
		if err := c.register(); err != nil {
			return err
		}
	}
	c.kinds[kind] = true
	return nil
}

// wsc finds a procedure of the Security Center's library.
func wsc(name string) (*windows.LazyProc, error) {
	proc := windows.NewLazySystemDLL("wscapi.dll").NewProc(name)
	if err := proc.Find(); err != nil {
		return nil, unsupported("the security center", err.Error())
	}
	return proc, nil
}

func (c *securityCenter) register() error {
	proc, err := wsc("WscRegisterForChanges")
	if err != nil {
		return err
	}
	if c.event == 0 {
		event, err := windows.CreateEvent(nil, 0, 0, nil)
		if err != nil {
			return fmt.Errorf("watch the security center: %w", os.NewSyscallError("CreateEvent", err))
		}
		if err := c.pool.add(&source{handle: event, take: c.changed}); err != nil {
			return fmt.Errorf("watch the security center: %w", err)
		}
		c.event = event
	}
	// The callback runs on a thread of the system; it leaves the event for the
	// pool and nothing else. Its registration outlives no close.
	event := c.event
	callback := windows.NewCallback(func(uintptr) uintptr {
		windows.SetEvent(event)
		return 0
	})
	code, _, _ := proc.Call(0, uintptr(unsafe.Pointer(&c.registration)), callback, 0)
	if code != 0 {
		c.registration = 0
		return fmt.Errorf("watch the security center: WscRegisterForChanges: %w", windows.Errno(uint32(code)))
	}
	return nil
}

func (c *securityCenter) changed() {
	for kind := range c.kinds {
		c.pool.tell(kind, CauseSecurity, "", 0)
	}
}

func (c *securityCenter) closeAll() {
	if c.registration == 0 {
		return
	}
	if proc, err := wsc("WscUnRegisterChanges"); err == nil {
		proc.Call(c.registration)
	}
	c.registration = 0
}
