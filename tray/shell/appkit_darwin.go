//go:build !cgo || postern_purego

package shell

import (
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/ebitengine/purego/objc"
)

// main must keep the process's first thread, which is the only one AppKit may
// be used on, and goroutines move unless this is said before any other starts.
func init() { runtime.LockOSThread() }

func newBackend(o Options) Backend { return newAppKit(o, &objcRuntime{}) }

// objcRuntime sends the messages that appKit decides on. Callbacks are made once
// per selector and process: purego's table of them has 2,000 places and frees
// none.
type objcRuntime struct {
	selectors sync.Map // selector → objc.SEL; looking one up takes the runtime's lock
	poolPush  func() uintptr
	poolPop   func(uintptr)
}

// Open loads what the class and pool functions come from. Since macOS 11 these
// files are in the loader's shared cache only.
func (r *objcRuntime) Open() error {
	for _, path := range []string{
		"/System/Library/Frameworks/Foundation.framework/Foundation",
		"/System/Library/Frameworks/AppKit.framework/AppKit",
	} {
		if _, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL); err != nil {
			return fmt.Errorf("load %s: %w", path, err)
		}
	}
	const library = "/usr/lib/libobjc.A.dylib"
	lib, err := purego.Dlopen(library, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return fmt.Errorf("load %s: %w", library, err)
	}
	for name, f := range map[string]any{"objc_autoreleasePoolPush": &r.poolPush, "objc_autoreleasePoolPop": &r.poolPop} {
		symbol, err := purego.Dlsym(lib, name)
		if err != nil {
			return fmt.Errorf("find %s: %w", name, err)
		}
		purego.RegisterFunc(f, symbol)
	}
	return nil
}

func (r *objcRuntime) OnFirstThread() bool {
	return objc.Send[bool](objc.ID(r.Class("NSThread")), r.sel("isMainThread"))
}

func (r *objcRuntime) Class(name string) objID { return objID(objc.GetClass(name)) }

func (r *objcRuntime) Target(methods map[selector]func(objID)) (objID, error) {
	var defs []objc.MethodDef
	for name, f := range methods {
		defs = append(defs, objc.MethodDef{Cmd: r.sel(name), Fn: func(_ objc.ID, _ objc.SEL, sender objc.ID) { f(objID(sender)) }})
	}
	class, err := objc.RegisterClass("PosternTrayTarget", objc.GetClass("NSObject"), nil, nil, defs)
	if err != nil {
		return 0, fmt.Errorf("register the class: %w", err)
	}
	return r.Send(r.Send(objID(class), "alloc"), "init"), nil
}

func (r *objcRuntime) Send(to objID, method selector, args ...any) objID {
	sent := make([]any, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case objID:
			sent[i] = objc.ID(v)
		case selector:
			sent[i] = r.sel(v)
		case []byte:
			sent[i] = unsafe.Pointer(unsafe.SliceData(v))
		case *[4]float64:
			sent[i] = unsafe.Pointer(v)
		default:
			sent[i] = v
		}
	}
	got := objc.ID(to).Send(r.sel(method), sent...)
	runtime.KeepAlive(args)
	return objID(got)
}

func (r *objcRuntime) Int(to objID, method selector) int {
	return objc.Send[int](objc.ID(to), r.sel(method))
}

func (r *objcRuntime) InPool(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pool := r.poolPush()
	defer r.poolPop(pool)
	f()
}

func (r *objcRuntime) sel(name selector) objc.SEL {
	if s, ok := r.selectors.Load(name); ok {
		return s.(objc.SEL)
	}
	s := objc.RegisterName(string(name))
	r.selectors.Store(name, s)
	return s
}
