package notify

import (
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/go-ole/go-ole"
)

// handlerTable is what the system calls: the functions of IUnknown and Invoke.
type handlerTable struct{ queryInterface, addRef, release, invoke uintptr }

// handler is an object that the system calls when a toast is clicked: a
// TypedEventHandler<ToastNotification, Object>. Its first word is the table, as
// for every COM object; the system holds a bare pointer to it, so it is kept in
// kept until the last reference is gone.
type handler struct {
	table *handlerTable
	refs  atomic.Int32
	kept  *handlers
	said  func(arguments string)
	winRT winRT
}

// handlers keeps objects alive that only the system points to.
type handlers struct {
	mu   sync.Mutex
	list map[*handler]bool
}

// functions are made once: there can only be so many in a process, and they are
// never given back (syscall.NewCallback).
var functions = sync.OnceValue(func() *handlerTable {
	return &handlerTable{
		queryInterface: syscall.NewCallback(handlerQuery),
		addRef:         syscall.NewCallback(handlerAddRef),
		release:        syscall.NewCallback(handlerRelease),
		invoke:         syscall.NewCallback(handlerInvoke),
	}
})

// newHandler makes an object with one reference, the caller's.
func newHandler(kept *handlers, w winRT, said func(string)) *handler {
	h := &handler{table: functions(), kept: kept, said: said, winRT: w}
	h.refs.Store(1)
	kept.mu.Lock()
	defer kept.mu.Unlock()
	if kept.list == nil {
		kept.list = map[*handler]bool{}
	}
	kept.list[h] = true
	return h
}

func (h *handler) object() *ole.IUnknown { return (*ole.IUnknown)(unsafe.Pointer(h)) }

// Interfaces of a handler, and of what it is called with.
const (
	iidUnknown       = "{00000000-0000-0000-C000-000000000046}"
	iidAgile         = "{94EA2B94-E9CC-49E0-C0FF-EE64CA8F5B90}" // IAgileObject: may be called on any thread
	iidHandler       = "{AB54DE2D-97D9-5528-B6AD-105AFE156530}" // TypedEventHandler<ToastNotification, IInspectable>
	iidActivatedArgs = "{E3BF92F3-C197-436F-8265-0625824F8DAC}" // IToastActivatedEventArgs
)

// handlerQuery writes a plain number: out is not memory of Go's, and what is in
// it before is nothing Go should look at.
func handlerQuery(h *handler, iid *ole.GUID, out *uintptr) uintptr {
	if out == nil || iid == nil {
		return 0x80004003 // E_POINTER
	}
	for _, own := range []string{iidUnknown, iidAgile, iidHandler} {
		if ole.IsEqualGUID(iid, ole.NewGUID(own)) {
			h.refs.Add(1)
			*out = uintptr(unsafe.Pointer(h))
			return 0
		}
	}
	*out = 0
	return noInterface
}

func handlerAddRef(h *handler) uintptr { return uintptr(h.refs.Add(1)) }

func handlerRelease(h *handler) uintptr {
	left := h.refs.Add(-1)
	if left == 0 {
		h.kept.mu.Lock()
		delete(h.kept.list, h)
		h.kept.mu.Unlock()
	}
	return uintptr(left)
}

// handlerInvoke is called on a thread of the system's. What it gets is the toast
// and, as a plain object, what was clicked.
func handlerInvoke(h *handler, _ *ole.IUnknown, args *ole.IUnknown) uintptr {
	if args == nil {
		return 0
	}
	activated, err := as(args, iidActivatedArgs)
	if err != nil {
		return 0
	}
	defer activated.Release()
	var text uintptr
	if method(activated, 6, uintptr(unsafe.Pointer(&text))) != nil { // get_Arguments
		return 0
	}
	defer h.winRT.drop(text)
	h.said(h.winRT.read(text))
	return 0
}
