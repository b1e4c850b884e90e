package notify

import (
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"unsafe"

	"github.com/go-ole/go-ole"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

func testProgram() App { return App{Name: "Postern test", ID: "dev.postern.NotifyTest"} }

// isWine: its ntdll has a function that Windows has not.
func isWine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}

func unregister(t *testing.T) {
	t.Cleanup(func() {
		registry.DeleteKey(registry.CURRENT_USER, `Software\Classes\AppUserModelId\`+testProgram().ID)
	})
}

// TestOpenWindows: a Windows without toasts says so and leaves nothing behind;
// one with them shows, replaces and withdraws.
func TestOpenWindows(t *testing.T) {
	unregister(t)
	n, err := Open(t.Context(), testProgram())
	if isWine() {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("without toasts: %v", err)
		}
		if k, err := registry.OpenKey(registry.CURRENT_USER, `Software\Classes\AppUserModelId\`+testProgram().ID, registry.QUERY_VALUE); err == nil {
			k.Close()
			t.Error("the program is registered for toasts that are not there")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for _, title := range []string{"first", "second 🌱"} {
		if err := n.Show(t.Context(), Note{ID: "a", Title: title, Choices: []Choice{{"fix", "Fix"}}}); err != nil && !errors.Is(err, ErrOff) {
			t.Error(err)
		}
	}
	if err := n.Withdraw(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}

func TestRegister(t *testing.T) {
	unregister(t)
	app := testProgram()
	app.Icon = `C:\Program Files\Postern\postern.png`
	if err := register(app); err != nil {
		t.Fatal(err)
	}
	k, err := registry.OpenKey(registry.CURRENT_USER, `Software\Classes\AppUserModelId\`+app.ID, registry.QUERY_VALUE)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	for name, want := range map[string]string{"DisplayName": app.Name, "IconUri": app.Icon} {
		if got, _, err := k.GetStringValue(name); err != nil || got != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestStrings: texts go into the runtime and come back, also characters of two
// units.
func TestStrings(t *testing.T) {
	w, err := loadWinRT()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"", "default", "grün 🌱🌱🌱 end"} {
		handle, err := w.text(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.read(handle); got != s {
			t.Errorf("%q came back as %q", s, got)
		}
		w.drop(handle)
	}
}

// clickArgs is what the system calls a handler with, made here.
type clickArgs struct {
	table *[7]uintptr
	refs  atomic.Int32
	winRT winRT
	text  string
}

func newClickArgs(w winRT, text string) *clickArgs {
	a := &clickArgs{winRT: w, text: text}
	a.refs.Store(1)
	a.table = &[7]uintptr{
		syscall.NewCallback(func(a *clickArgs, iid *ole.GUID, out *uintptr) uintptr {
			if !ole.IsEqualGUID(iid, ole.NewGUID(iidActivatedArgs)) {
				return noInterface
			}
			a.refs.Add(1)
			*out = uintptr(unsafe.Pointer(a))
			return 0
		}),
		syscall.NewCallback(func(a *clickArgs) uintptr { return uintptr(a.refs.Add(1)) }),
		syscall.NewCallback(func(a *clickArgs) uintptr { return uintptr(a.refs.Add(-1)) }),
		0, 0, 0,
		syscall.NewCallback(func(a *clickArgs, out *uintptr) uintptr {
			handle, err := a.winRT.text(a.text)
			if err != nil {
				return 0x80004005 // E_FAIL
			}
			*out = handle
			return 0
		}),
	}
	return a
}

// TestHandler calls a handler through its table, as the system does.
func TestHandler(t *testing.T) {
	w, err := loadWinRT()
	if err != nil {
		t.Fatal(err)
	}
	var kept handlers
	var said []string
	h := newHandler(&kept, w, func(s string) { said = append(said, s) })
	for _, iid := range []string{iidUnknown, iidAgile, iidHandler} {
		other, err := as(h.object(), iid)
		if err != nil || other != h.object() {
			t.Fatalf("%s: %p, %v", iid, other, err)
		}
		other.Release()
	}
	if _, err := as(h.object(), iidXML); !errors.Is(err, result(noInterface)) {
		t.Errorf("an interface it does not have: %v", err)
	}
	args := newClickArgs(w, "choice-1")
	if err := method(h.object(), 3, 0, uintptr(unsafe.Pointer(args))); err != nil {
		t.Error(err)
	}
	if err := method(h.object(), 3, 0, 0); err != nil { // nothing was clicked
		t.Error(err)
	}
	if len(said) != 1 || said[0] != "choice-1" {
		t.Errorf("said %q", said)
	}
	if got := args.refs.Load(); got != 1 {
		t.Errorf("%d references to what was clicked, want 1", got)
	}
	if got := h.object().AddRef(); got != 2 {
		t.Errorf("%d references, want 2", got)
	}
	h.object().Release()
	if len(kept.list) != 1 {
		t.Error("let go while it has a reference")
	}
	if left := h.object().Release(); left != 0 || len(kept.list) != 0 {
		t.Errorf("%d references left, %d objects kept", left, len(kept.list))
	}
}
