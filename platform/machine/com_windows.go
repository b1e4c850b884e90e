package machine

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"syscall"
	"unsafe"

	"github.com/go-ole/go-ole"
)

// Apartments of COM that a thread can be in.
const (
	multiThreaded  = ole.COINIT_MULTITHREADED
	singleThreaded = ole.COINIT_APARTMENTTHREADED
)

// inCOM runs f on a thread that has entered COM. The thread must be f's alone,
// as in await.
func inCOM(apartment uint32, f func() error) error {
	err := ole.CoInitializeEx(0, apartment)
	if c, failed := codeOf(err); err == nil || failed && int32(c) >= 0 { // S_FALSE: had entered before
		defer ole.CoUninitialize()
	} else if c != 0x80010106 { // the thread is in the other apartment, which serves as well
		return err
	}
	return f()
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

// object is an automation object with names looked up as scripts do it.
type object struct{ *ole.IDispatch }

// createObject makes an object of a class by its name in the registry.
func createObject(class string) (object, error) {
	id, err := ole.CLSIDFromProgID(class)
	if err != nil {
		return object{}, fmt.Errorf("class %s: %w", class, err)
	}
	made, err := ole.CreateInstance(id, ole.IID_IDispatch)
	if err != nil {
		return object{}, fmt.Errorf("create %s: %w", class, err)
	}
	return object{(*ole.IDispatch)(unsafe.Pointer(made))}, nil
}

// get reads a property; nil stands for nothing.
func (o object) get(name string, args ...any) (any, error) {
	v, err := o.GetProperty(name, args...)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	return take(v), nil
}

// call calls a method.
func (o object) call(name string, args ...any) (any, error) {
	v, err := o.CallMethod(name, args...)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", name, err)
	}
	return take(v), nil
}

var errNoObject = errors.New("answer is not an object")

// sub is a property that is itself an object; the caller releases it.
func (o object) sub(name string, args ...any) (object, error) { return asObject(o.get(name, args...)) }

func asObject(v any, err error) (object, error) {
	if err != nil {
		return object{}, err
	}
	if o, ok := v.(object); ok {
		return o, nil
	}
	return object{}, errNoObject
}

// text is a property as text; empty when it cannot be read.
func (o object) text(name string) string {
	v, _ := o.get(name)
	s, _ := v.(string)
	return s
}

// each calls f for the elements of a collection, at most limit of them.
func (o object) each(limit int, f func(any) error) error {
	v, err := o.get("Count")
	if err != nil {
		return err
	}
	count, _ := v.(int64)
	for i := range min(int(count), limit) {
		v, err := o.get("Item", int32(i))
		if err != nil {
			return err
		}
		err = f(v)
		if e, ok := v.(object); ok {
			e.Release()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// take makes a plain value of a variant and frees it: string, bool, int64,
// float64, time.Time, object or nil.
func take(v *ole.VARIANT) any {
	switch v.VT {
	case ole.VT_DISPATCH:
		if v.Val == 0 {
			return nil
		}
		return object{v.ToIDispatch()} // the reference goes over to the caller
	case ole.VT_BSTR:
		defer v.Clear()
		return v.ToString()
	case ole.VT_BOOL:
		return int16(v.Val) != 0
	case ole.VT_DATE:
		if at, ok := oleDate(math.Float64frombits(uint64(v.Val))); ok {
			return at
		}
		return nil
	case ole.VT_R4:
		return float64(math.Float32frombits(uint32(v.Val)))
	case ole.VT_R8:
		return math.Float64frombits(uint64(v.Val))
	}
	if n, ok := integer(v.VT, v.Val); ok {
		return n
	}
	v.Clear()
	return nil
}

// integer reads the kinds of integers; the bytes above a short one are not
// defined.
func integer(kind ole.VT, raw int64) (int64, bool) {
	switch kind {
	case ole.VT_I1:
		return int64(int8(raw)), true
	case ole.VT_UI1:
		return int64(uint8(raw)), true
	case ole.VT_I2:
		return int64(int16(raw)), true
	case ole.VT_UI2:
		return int64(uint16(raw)), true
	case ole.VT_I4, ole.VT_INT, ole.VT_ERROR:
		return int64(int32(raw)), true
	case ole.VT_UI4, ole.VT_UINT:
		return int64(uint32(raw)), true
	case ole.VT_I8, ole.VT_UI8:
		return raw, true
	}
	return 0, false
}

// decimal writes an integer of so many bytes, with a sign or without.
func decimal(n int64, bytes int, signed bool) string {
	shift := 64 - 8*bytes
	if signed {
		return strconv.FormatInt(n<<shift>>shift, 10)
	}
	return strconv.FormatUint(uint64(n)<<shift>>shift, 10)
}
