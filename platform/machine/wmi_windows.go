package machine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"unsafe"

	"github.com/go-ole/go-ole"
	"golang.org/x/sys/windows"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// maxRows bounds the instances of a class.
const maxRows = 1 << 14

// Places of methods in the tables of WMI's interfaces ("COM API for WMI").
const (
	locatorConnectServer = 3

	servicesGetObject          = 6
	servicesCreateInstanceEnum = 18
	servicesExecMethod         = 24

	enumNext = 4

	objectGet              = 4
	objectPut              = 5
	objectBeginEnumeration = 8
	objectNext             = 9
	objectEndEnumeration   = 10
	objectSpawnInstance    = 15
	objectGetMethod        = 19
)

// WMI lists the instances of a class with all properties that are not null.
// Zero rows mean that there are none, or that a provider keeps them to itself;
// that is for the reader to know.
func (m *live) WMI(ctx context.Context, namespace, class string) ([]evidence.Row, error) {
	op := "wmi " + namespace + ":" + class
	if strings.Trim(strings.ToLower(class), "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || class == "" {
		return nil, &evidence.Error{Reason: fact.ReasonUnsupported, Op: op, Err: errors.New("not the name of a class")}
	}
	return await(ctx, &m.native, op, func() (rows []evidence.Row, err error) {
		err = inCOM(multiThreaded, func() error {
			rows, err = queryWMI(ctx, namespace, class)
			return err
		})
		return rows, err
	})
}

func queryWMI(ctx context.Context, namespace, class string) ([]evidence.Row, error) {
	services, err := connectWMI(namespace)
	if err != nil {
		return nil, err
	}
	defer services.Release()
	name := newText(class)
	defer name.free()
	var enum *ole.IUnknown
	const semiSynchronous, forwardOnly = 0x10, 0x20 // WBEM_FLAG_…
	err = method(services, servicesCreateInstanceEnum, name.arg(), semiSynchronous|forwardOnly, 0, uintptr(unsafe.Pointer(&enum)))
	if err != nil {
		return nil, err
	}
	defer enum.Release()
	secure(enum)
	rows := []evidence.Row{}
	for {
		instance, err := nextInstance(ctx, enum)
		if err != nil || instance == nil {
			return rows, err
		}
		row, err := readInstance(instance)
		if err == nil && strings.EqualFold(class, "Win32_EncryptableVolume") {
			addProtection(services, instance, row)
		}
		instance.Release()
		if err != nil {
			return nil, err
		}
		if rows = append(rows, row); len(rows) > maxRows {
			return nil, &evidence.Error{Reason: fact.ReasonTruncated, Op: "wmi " + namespace + ":" + class}
		}
	}
}

// connectWMI connects to a namespace of this machine.
func connectWMI(namespace string) (*ole.IUnknown, error) {
	var (
		classLocator = ole.NewGUID("{4590F811-1D3A-11D0-891F-00AA004B2E24}") // WbemLocator
		iidLocator   = ole.NewGUID("{DC12A687-737F-11CF-884D-00AA004B2E24}") // IWbemLocator
	)
	locator, err := ole.CreateInstance(classLocator, iidLocator)
	if err != nil {
		return nil, fmt.Errorf("create locator: %w", err)
	}
	defer locator.Release()
	name := newText(strings.ReplaceAll(namespace, "/", `\`))
	defer name.free()
	var services *ole.IUnknown
	const useMaxWait = 0x80 // two minutes at most, not for ever
	err = method(locator, locatorConnectServer, name.arg(), 0, 0, 0, useMaxWait, 0, 0, uintptr(unsafe.Pointer(&services)))
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	secure(services)
	return services, nil
}

// secure asks that calls are made as this process's user and encrypted, which
// the namespaces of disk encryption and TPM demand ("Setting the Security
// Levels on a WMI Connection"). An object that is no proxy does without.
func secure(proxy *ole.IUnknown) {
	const authnWinNT, authzNone, packetPrivacy, impersonate, noCapabilities = 10, 0, 6, 3, 0
	if set, err := procedure("ole32.dll", "CoSetProxyBlanket"); err == nil {
		set.Call(uintptr(unsafe.Pointer(proxy)), authnWinNT, authzNone, 0, packetPrivacy, impersonate, 0, noCapabilities)
	}
}

// nextInstance is nil at the end. It asks again and again for a short time, so
// that a provider that answers late does not outlive ctx for ever.
func nextInstance(ctx context.Context, enum *ole.IUnknown) (*ole.IUnknown, error) {
	const wait = 500 // ms
	const timedOut = 0x40004
	table := (*[64]uintptr)(unsafe.Pointer(enum.RawVTable))
	for {
		var instance *ole.IUnknown
		var returned uint32
		r, _, _ := syscall.SyscallN(table[enumNext], uintptr(unsafe.Pointer(enum)), wait, 1,
			uintptr(unsafe.Pointer(&instance)), uintptr(unsafe.Pointer(&returned)))
		switch {
		case int32(r) < 0:
			return nil, code(r)
		case returned == 1:
			return instance, nil
		case uint32(r) != timedOut:
			return nil, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
	}
}

// readInstance reads all properties that are not the system's own.
func readInstance(instance *ole.IUnknown) (evidence.Row, error) {
	const nonSystemOnly = 0x40
	if err := method(instance, objectBeginEnumeration, nonSystemOnly); err != nil {
		return nil, err
	}
	defer method(instance, objectEndEnumeration)
	row := evidence.Row{}
	table := (*[64]uintptr)(unsafe.Pointer(instance.RawVTable))
	for {
		var name *uint16
		var v ole.VARIANT
		var kind int32
		const noMoreData = 0x40005
		r, _, _ := syscall.SyscallN(table[objectNext], uintptr(unsafe.Pointer(instance)), 0,
			uintptr(unsafe.Pointer(&name)), uintptr(unsafe.Pointer(&v)), uintptr(unsafe.Pointer(&kind)), 0)
		if int32(r) < 0 {
			return nil, code(r)
		}
		if uint32(r) == noMoreData || name == nil {
			return row, nil
		}
		if values, ok := cells(&v, cimType(kind)); ok {
			row[windows.UTF16PtrToString(name)] = values
		}
		v.Clear()
		ole.SysFreeString((*int16)(unsafe.Pointer(name)))
	}
}

// property reads one property, also a system one such as __RELPATH.
func property(instance *ole.IUnknown, name string) ([]string, bool) {
	wideName, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return nil, false
	}
	var v ole.VARIANT
	var kind int32
	err = method(instance, objectGet, uintptr(unsafe.Pointer(wideName)), 0, uintptr(unsafe.Pointer(&v)), uintptr(unsafe.Pointer(&kind)), 0)
	if err != nil {
		return nil, false
	}
	defer v.Clear()
	return cells(&v, cimType(kind))
}

// text is a BSTR, which COM wants in place of plain text.
type text struct{ p *int16 }

func newText(s string) text { return text{ole.SysAllocStringLen(s)} }

func (t text) arg() uintptr { return uintptr(unsafe.Pointer(t.p)) }

func (t text) free() { ole.SysFreeString(t.p) }
