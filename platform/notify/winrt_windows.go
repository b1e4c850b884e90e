package notify

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"github.com/go-ole/go-ole"
	"golang.org/x/sys/windows"
)

// Results of calls (winerror.h).
const (
	notRegistered = 0x80040154 // REGDB_E_CLASSNOTREG
	notFound      = 0x80070490 // HRESULT_FROM_WIN32(ERROR_NOT_FOUND)
	noInterface   = 0x80004002 // E_NOINTERFACE
)

// result is the failed result of a call.
type result uint32

func (r result) Error() string { return fmt.Sprintf("code 0x%08x", uint32(r)) }

// Is makes what is missing from this Windows unsupported.
func (r result) Is(target error) bool { return target == errors.ErrUnsupported && r == notRegistered }

// hresult makes an error of what a call gave back.
func hresult(r uintptr) error {
	if int32(r) < 0 {
		return result(r)
	}
	return nil
}

// winRT are the functions of the Windows Runtime itself.
type winRT struct{ initialize, activate, factory, create, remove, buffer *windows.LazyProc }

// loadWinRT finds them. They are in Windows since version 8.
func loadWinRT() (winRT, error) {
	dll := windows.NewLazySystemDLL("combase.dll")
	w := winRT{
		dll.NewProc("RoInitialize"), dll.NewProc("RoActivateInstance"), dll.NewProc("RoGetActivationFactory"),
		dll.NewProc("WindowsCreateString"), dll.NewProc("WindowsDeleteString"), dll.NewProc("WindowsGetStringRawBuffer"),
	}
	for _, p := range []*windows.LazyProc{w.initialize, w.activate, w.factory, w.create, w.remove, w.buffer} {
		if err := p.Find(); err != nil {
			return w, fmt.Errorf("find %s: %w: %w", p.Name, err, errors.ErrUnsupported)
		}
	}
	return w, nil
}

// enter makes the calling thread one of the multi-threaded apartment.
func (w winRT) enter() error {
	const multiThreaded = 1 // RO_INIT_MULTITHREADED, roapi.h
	r, _, _ := w.initialize.Call(multiThreaded)
	return hresult(r)
}

// text makes a string of the runtime. The caller removes it. go-ole's counts
// characters where the runtime wants units of UTF-16, and would cut a text with
// a character beyond the first 65,536.
func (w winRT) text(s string) (uintptr, error) {
	wide, err := windows.UTF16FromString(s)
	if err != nil {
		return 0, err
	}
	var handle uintptr
	r, _, _ := w.create.Call(uintptr(unsafe.Pointer(&wide[0])), uintptr(len(wide)-1), uintptr(unsafe.Pointer(&handle)))
	return handle, hresult(r)
}

func (w winRT) drop(text uintptr) { w.remove.Call(text) }

// read returns what a string of the runtime holds.
func (w winRT) read(text uintptr) string {
	var length uint32
	at, _, _ := w.buffer.Call(text, uintptr(unsafe.Pointer(&length)))
	if at == 0 || length == 0 {
		return ""
	}
	wide := make([]uint16, length)
	windows.NewLazySystemDLL("kernel32.dll").NewProc("RtlMoveMemory").Call(uintptr(unsafe.Pointer(&wide[0])), at, uintptr(length)*2)
	return windows.UTF16ToString(wide)
}

// getFactory returns the static part of a class.
func (w winRT) getFactory(class, iid string) (*ole.IUnknown, error) {
	name, err := w.text(class)
	if err != nil {
		return nil, err
	}
	defer w.drop(name)
	var object *ole.IUnknown
	r, _, _ := w.factory.Call(name, uintptr(unsafe.Pointer(ole.NewGUID(iid))), uintptr(unsafe.Pointer(&object)))
	if err := hresult(r); err != nil {
		return nil, fmt.Errorf("class %s: %w", class, err)
	}
	return object, nil
}

// newObject makes an object of a class.
func (w winRT) newObject(class string) (*ole.IUnknown, error) {
	name, err := w.text(class)
	if err != nil {
		return nil, err
	}
	defer w.drop(name)
	var object *ole.IUnknown
	r, _, _ := w.activate.Call(name, uintptr(unsafe.Pointer(&object)))
	if err := hresult(r); err != nil {
		return nil, fmt.Errorf("class %s: %w", class, err)
	}
	return object, nil
}

// as asks an object for another of its interfaces, which the caller releases.
func as(object *ole.IUnknown, iid string) (*ole.IUnknown, error) {
	var other *ole.IUnknown
	err := method(object, 0, uintptr(unsafe.Pointer(ole.NewGUID(iid))), uintptr(unsafe.Pointer(&other)))
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", iid, err)
	}
	return other, nil
}

// method calls the function at a place of an object's table. What pointers in
// args point to is kept in place until it returns.
//
//go:uintptrescapes
func method(object *ole.IUnknown, place int, args ...uintptr) error {
	table := (*[64]uintptr)(unsafe.Pointer(object.RawVTable))
	r, _, _ := syscall.SyscallN(table[place], append([]uintptr{uintptr(unsafe.Pointer(object))}, args...)...)
	return hresult(r)
}

// pass hands an object to a method.
func pass(object *ole.IUnknown) uintptr { return uintptr(unsafe.Pointer(object)) }
