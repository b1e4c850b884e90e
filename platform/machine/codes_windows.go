package machine

import (
	"errors"
	"syscall"

	"github.com/go-ole/go-ole"
	"golang.org/x/sys/windows"
)

// dispException says that the real code is in the description of the
// exception.
const dispException = 0x80020009

// systemCode finds the code in an error of COM, Win32 or the kernel.
func systemCode(err error) (code, bool) {
	var e *ole.OleError
	if errors.As(err, &e) {
		c := code(e.Code())
		var info ole.EXCEPINFO
		if c == dispException && errors.As(e.SubError(), &info) && info.SCODE() != 0 {
			c = code(info.SCODE())
		}
		return c, true
	}
	var status windows.NTStatus
	if errors.As(err, &status) {
		return code(status.Errno()), true
	}
	var errno syscall.Errno
	// The bit marks the errors that Go made up itself.
	if errors.As(err, &errno) && errno&syscall.APPLICATION_ERROR == 0 {
		return code(errno), true
	}
	return 0, false
}

// hresult is nil for success.
func hresult(r uintptr) error {
	if int32(r) >= 0 {
		return nil
	}
	return code(r)
}

// win32Result is nil for ERROR_SUCCESS.
func win32Result(r uintptr) error {
	if uint32(r) == 0 {
		return nil
	}
	return code(r)
}

// procedure finds a function of a DLL in the system's folder. Calling one that
// is not there would panic.
func procedure(dll, name string) (*windows.LazyProc, error) {
	p := windows.NewLazySystemDLL(dll).NewProc(name)
	return p, p.Find()
}
