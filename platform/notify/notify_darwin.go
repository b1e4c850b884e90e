package notify

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/ebitengine/purego/objc"
)

func open(ctx context.Context, _ App, click func(Chosen)) (service, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, name := range []string{"Foundation", "UserNotifications"} {
		path := "/System/Library/Frameworks/" + name + ".framework/" + name
		if _, err := purego.Dlopen(path, purego.RTLD_LAZY|purego.RTLD_GLOBAL); err != nil {
			return nil, fmt.Errorf("load %s: %w: %w", name, err, errors.ErrUnsupported)
		}
	}
	c, err := openCenter(objectiveC{}, click)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// objectiveC is the bridge. UserNotifications may be called from any thread;
// autorelease pools belong to one, so a goroutine that sends messages stays on
// its own until the pool is drained.
type objectiveC struct{}

func (b objectiveC) within(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pool := b.class("NSAutoreleasePool")
	pool = b.send(pool, "new")
	defer b.send(pool, "drain")
	f()
}

func (objectiveC) class(name string) object { return object(objc.GetClass(name)) }

func (b objectiveC) send(to object, selector string, args ...any) object {
	sent := make([]any, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case object:
			sent[i] = objc.ID(v)
		case string:
			sent[i] = objc.ID(objc.GetClass("NSString")).Send(objc.RegisterName("stringWithUTF8String:"), v)
		default:
			sent[i] = v
		}
	}
	return object(objc.ID(to).Send(objc.RegisterName(selector), sent...))
}

// text is what an NSString holds.
func (objectiveC) text(o object) string {
	if o == 0 {
		return ""
	}
	return objc.Send[string](objc.ID(o), objc.RegisterName("UTF8String"))
}

func (objectiveC) answer(f func(granted bool)) object {
	return object(objc.NewBlock(func(_ objc.Block, granted bool, _ objc.ID) { f(granted) }))
}

// foreignBlock is the beginning of a block that is not Go's (Clang, "Block
// Implementation Specification").
type foreignBlock struct {
	isa             uintptr
	flags, reserved int32
	invoke          uintptr
}

// call calls a block with its arguments.
func (b *foreignBlock) call(args ...uintptr) {
	purego.SyscallN(b.invoke, append([]uintptr{uintptr(unsafe.Pointer(b))}, args...)...)
}

// delegate makes a class with the two methods of UNUserNotificationCenterDelegate
// and an object of it. A class cannot be taken back and keeps what its methods
// refer to; its name is the address of one of these things, and so its own.
func (b objectiveC) delegate(clicked func(request, action string)) (object, error) {
	own := new(byte)
	responded := func(_ objc.ID, _ objc.SEL, _, response objc.ID, done *foreignBlock) {
		b.within(func() {
			r := object(response)
			request := b.send(b.send(r, "notification"), "request")
			clicked(b.text(b.send(request, "identifier")), b.text(b.send(r, "actionIdentifier")))
		})
		done.call()
		runtime.KeepAlive(own) // and so its address is given to nothing else
	}
	presented := func(_ objc.ID, _ objc.SEL, _, _ objc.ID, done *foreignBlock) {
		const sound, list, banner = 1 << 1, 1 << 3, 1 << 4 // UNNotificationPresentationOptions: also while our menu is open
		done.call(sound | list | banner)
	}
	class, err := objc.RegisterClass(fmt.Sprintf("PosternNotificationDelegate%p", own), objc.GetClass("NSObject"), nil, nil, []objc.MethodDef{
		{Cmd: objc.RegisterName("userNotificationCenter:didReceiveNotificationResponse:withCompletionHandler:"), Fn: responded},
		{Cmd: objc.RegisterName("userNotificationCenter:willPresentNotification:withCompletionHandler:"), Fn: presented},
	})
	if err != nil {
		return 0, err
	}
	return b.send(object(class), "new"), nil
}
