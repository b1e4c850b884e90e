package machine

import (
	"errors"
	"fmt"

	"github.com/postern-zt/postern/posture/fact"
)

// code is a number by which Windows says why something failed: an HRESULT, or
// an error of Win32 as it is, below 0x10000 ("System Error Codes" and "Error
// Codes in WMI" of Microsoft's documentation).
type code uint32

func (c code) String() string {
	if c < 0x10000 {
		return fmt.Sprintf("%#x", uint32(c))
	}
	return fmt.Sprintf("0x%08x", uint32(c))
}

func (c code) Error() string { return "error " + c.String() }

// codeOf finds the code inside err.
func codeOf(err error) (code, bool) {
	var c code
	if errors.As(err, &c) {
		return c, true
	}
	return systemCode(err)
}

// win32 is the plain error inside an HRESULT of facility Win32, or c itself.
func (c code) win32() code {
	if c>>16 == 0x8007 {
		return c & 0xffff
	}
	return c
}

// reason maps a code to the report's words. What is not known is an answer
// that cannot be interpreted.
func (c code) reason() fact.Reason {
	switch c.win32() {
	case 2, // file not found
		3,          // path not found
		15,         // drive not found
		1060,       // no such service
		1168,       // element not found
		2202,       // no such account (NERR)
		0x80041002, // WBEM: object not found
		0x8004100e, // WBEM: no such namespace
		0x80041010, // WBEM: no such class
		0x80092004: // CRYPT: object not found
		return fact.ReasonNotFound
	case 5, // access denied
		1314,       // a privilege is not held
		0x80041003, // WBEM: access denied
		0x80041062, // WBEM: privilege not held
		0x80240044, // WU: only for administrators
		0x80090010: // NTE: access denied
		return fact.ReasonNeedsPrivilege
	case 0x78, // not implemented
		0x7e,       // a module is missing
		0x7f,       // a procedure is missing
		50,         // not supported
		0x80004001, // not implemented
		0x80004002, // no such interface
		0x80020003, // DISP: no such member
		0x80020006, // DISP: unknown name
		0x80040154, // class not registered
		0x800401f3, // no such class name
		0x80041025, // WBEM: method not implemented
		0x80041051, // WBEM: provider is not capable
		0x8004100c, // WBEM: not supported
		0x80090029, // NTE: not supported
		0x80284016, // TBS: no such device
		0x8028400f: // TBS: no TPM
		return fact.ReasonUnsupported
	case 1460, // timeout
		121,        // semaphore timeout
		258,        // wait timeout
		0x80041069, // WBEM: timed out
		0x8001011f: // RPC: timed out
		return fact.ReasonTimeout
	case 170, // busy
		21,         // not ready
		1722,       // RPC server unavailable
		1723,       // RPC server too busy
		1726,       // RPC failed
		1053,       // the service did not respond in time
		1115,       // the system is shutting down
		1450,       // out of resources
		14,         // out of memory
		0x80010001, // RPC: call rejected
		0x8001010a, // RPC: retry later
		0x80010108, // RPC: the object has gone
		0x80041006, // WBEM: out of memory
		0x80041015, // WBEM: transport failure
		0x80041033, // WBEM: shutting down
		0x80041045, // WBEM: server too busy
		0x8004106c, // WBEM: quota exceeded
		0x80240009, // WU: another operation runs
		0x8024001e, // WU: the service is stopping
		0x8028400a: // TBS: the service is starting
		return fact.ReasonBusy
	case 1058, // service disabled
		1062,       // service not started
		0x80284008: // TBS: service not running
		return fact.ReasonNotRunning
	case 0x8024002e: // WU: updating is switched off by policy
		return fact.ReasonRefused
	}
	return fact.ReasonUnreadable
}
