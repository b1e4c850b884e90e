package settings

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

func find(p Page) (place, error) {
	way, err := winMachine{home: isHome(), handles: handles}.choose(p)
	if err != nil {
		return nil, err
	}
	return way, nil
}

// isHome: the ids of the Home editions begin with "Core".
func isHome() bool {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Windows NT\CurrentVersion`, registry.QUERY_VALUE)
	if err != nil {
		return false
	}
	defer k.Close()
	edition, _, err := k.GetStringValue("EditionID")
	return err == nil && strings.HasPrefix(edition, "Core")
}

// handles reports whether the shell knows the scheme of an address: its key
// then has the value "URL Protocol" (Microsoft Learn, "Registering an Application
// to a URI Scheme"). Windows Server Core has no program for any.
func handles(scheme string) bool {
	k, err := registry.OpenKey(registry.CLASSES_ROOT, scheme, registry.QUERY_VALUE)
	if err != nil {
		return false
	}
	defer k.Close()
	_, _, err = k.GetStringValue("URL Protocol")
	return err == nil
}

// open hands the way to the shell with ShellExecuteW, which starts what shows
// it as the shell's own business.
func (w winWay) open(ctx context.Context) error {
	file, args := w.address, ""
	if w.item != "" {
		system, err := windows.GetSystemDirectory()
		if err != nil {
			return fmt.Errorf("find system folder: %w", err)
		}
		file, args = filepath.Join(system, "control.exe"), "/name "+w.item
	}
	done := make(chan error, 1)
	go func() { done <- execute(file, args) }() // ends with the call, on a thread that ends with it
	select {
	case err := <-done:
		return err
	case <-ctx.Done(): // the shell may be asking the person something
		return ctx.Err()
	}
}

// execute runs on a thread of its own because ShellExecuteW may use extensions
// of the shell that need COM in a single-threaded apartment (Microsoft Learn,
// "ShellExecuteW function"). The thread is not given back.
func execute(file, args string) error {
	runtime.LockOSThread()
	err := windows.CoInitializeEx(0, windows.COINIT_APARTMENTTHREADED|windows.COINIT_DISABLE_OLE1DDE)
	if err == nil {
		defer windows.CoUninitialize()
	}
	name, err := windows.UTF16PtrFromString(file)
	if err != nil {
		return err
	}
	var parameters *uint16
	if args != "" {
		if parameters, err = windows.UTF16PtrFromString(args); err != nil {
			return err
		}
	}
	if err := windows.ShellExecute(0, nil, name, parameters, nil, windows.SW_SHOWNORMAL); err != nil {
		return fmt.Errorf("shell: %w", err)
	}
	return nil
}
