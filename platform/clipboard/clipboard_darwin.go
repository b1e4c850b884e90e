package clipboard

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/ebitengine/purego"
	"github.com/ebitengine/purego/objc"
)

const appKit = "/System/Library/Frameworks/AppKit.framework/AppKit"

func supported() error { return nil }

// put writes to the general pasteboard: clearContents, then
// setString:forType: with the type of plain text (Apple, NSPasteboard). It starts
// no application and draws nothing, so any thread will do; objects that are
// released later belong to the pool of the thread they were made on.
func put(text string) error {
	if _, err := purego.Dlopen(appKit, purego.RTLD_LAZY|purego.RTLD_GLOBAL); err != nil {
		return fmt.Errorf("load AppKit: %w", err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pool := class("NSAutoreleasePool").Send(objc.RegisterName("new"))
	defer pool.Send(objc.RegisterName("drain"))

	board := class("NSPasteboard").Send(objc.RegisterName("generalPasteboard"))
	if board == 0 {
		return errors.New("there is no pasteboard")
	}
	board.Send(objc.RegisterName("clearContents"))
	const plain = "public.utf8-plain-text" // NSPasteboardTypeString
	if !objc.Send[bool](board, objc.RegisterName("setString:forType:"), nsString(text), nsString(plain)) {
		return errors.New("the pasteboard did not take it")
	}
	return nil
}

func class(name string) objc.ID { return objc.ID(objc.GetClass(name)) }

// nsString makes an NSString that the pool releases.
func nsString(s string) objc.ID {
	return class("NSString").Send(objc.RegisterName("stringWithUTF8String:"), s)
}
