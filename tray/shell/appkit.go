package shell

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"structs"
	"sync"
	"sync/atomic"

	"github.com/postern-zt/postern/tray/view"
)

// This file and appkit_menu.go decide which messages AppKit is sent, in which
// order and on which thread; appkit_darwin.go only sends them. They carry no
// build tag, so that the rules below are tested where there is no AppKit. Each
// rule has a test in appkit_test.go that names it:
//
//	first-thread   AppKit is only used on the process's first thread, which init in appkit_darwin.go keeps main on.
//	launch-first   Nothing is put on the status bar before applicationDidFinishLaunching: (macOS 15 aborts).
//	control-center The status item waits for Control Center, which draws it and may come late at log-on.
//	one-hop        Any goroutine's change is one performSelectorOnMainThread:withObject:waitUntilDone:NO, coalesced.
//	pool           A message from another thread is sent with the goroutine locked to it, inside an autorelease pool.
//	owned          The status item is retained, for NSStatusBar does not own it; delegate and targets are not, so the
//	               one target is kept for the process's life; whatever is made is released once.
//	accessory      The activation policy is Accessory: no Dock icon. (LSUIElement in Info.plist says it earlier.)
//	visible        setVisible:YES at the start: a person may have dragged the item off, and it stays off.
//	native-menu    The menu is attached to the status item: macOS 14 tracks it out of process, and no current event is read.
//	hidden         macOS 26 may keep the item off the bar and has no call for it: its window then lies at the screen's foot.
//	stop-event     stop: is noticed after one more event: quitting posts one of type ApplicationDefined.
//	no-unwinding   A Go panic never crosses AppKit's frames: each callback recovers. Nothing is passed that would raise an
//	               Objective-C exception, such as a nil title.
//	no-variadics   No variadic method is called, and no structure is asked for as a result: purego's weak points.
//	no-empty-image An icon without bytes is not set.

// objID is an Objective-C object; 0 is nil.
type objID uintptr

// selector is a method's name where it is an argument.
type selector string

// nsSize is NSSize, in points.
type nsSize struct {
	_             structs.HostLayout
	Width, Height float64
}

// nsPoint is NSPoint, in points.
type nsPoint struct {
	_    structs.HostLayout
	X, Y float64
}

// cocoa is the Objective-C runtime as far as a tray needs it.
type cocoa interface {
	// Open loads the frameworks.
	Open() error
	// OnFirstThread is [NSThread isMainThread].
	OnFirstThread() bool
	// Class returns the class of that name as an object to send messages to.
	Class(name string) objID
	// Target registers the one class of ours, with a method for each selector
	// that takes an object, and returns an instance that is owned by the caller.
	Target(methods map[selector]func(sender objID)) (objID, error)
	// Send sends a message. Arguments are objID, selector, int, int16, uint,
	// float64, bool, nsSize, nsPoint, []byte (its address, for the call only) and
	// *[4]float64 (its address). Messages to nil do nothing and give nil.
	Send(to objID, method selector, args ...any) objID
	// Int is Send for a method that returns an NSInteger.
	Int(to objID, method selector) int
	// InPool runs f locked to its thread and inside an autorelease pool.
	InPool(f func())
}

// What the target answers to.
const (
	selLaunched = selector("applicationDidFinishLaunching:")
	selPlace    = selector("posternPlace:")
	selApply    = selector("posternApply:")
	selChosen   = selector("posternChosen:")
	selLook     = selector("posternLook:")
	selQuit     = selector("posternQuit:")
)

// Values of AppKit's enumerations (its documentation: NSApplication.ActivationPolicy,
// NSEvent.EventType, NSStatusItem's variable length).
const (
	policyAccessory    = 1
	applicationDefined = 15
	variableLength     = -1.0
)

// appKit is the backend over AppKit.
type appKit struct {
	o     Options
	rt    cocoa
	calls *calls
	pick  func(view.Action)
	ran   atomic.Bool

	wanted wanted
	mu     sync.Mutex
	live   objID // the target while the application runs, else nil
	coming bool  // a hop to apply is on its way

	// The rest belongs to the first thread.
	app, target, item, menu objID
	waited                  int // how often Control Center was waited for
	icon, tip               string
	drawn                   []view.Item
	tags                    map[int]view.Action
	lastTag                 int
}

func newAppKit(o Options, rt cocoa) *appKit { return &appKit{o: o, rt: rt} }

func (a *appKit) Show(m view.Menu) error {
	if err := a.wanted.put(m); err != nil {
		return fmt.Errorf("show tray menu: %w", err)
	}
	a.mu.Lock()
	target := a.live
	hop := target != 0 && !a.coming
	a.coming = a.coming || hop
	a.mu.Unlock()
	if hop {
		a.hop(target, selApply)
	}
	return nil
}

// hop has the first thread send method to the target soon. It is the one
// message that is sent from other threads.
func (a *appKit) hop(target objID, method selector) {
	a.rt.InPool(func() {
		a.rt.Send(target, "performSelectorOnMainThread:withObject:waitUntilDone:", method, objID(0), false)
	})
}

func (a *appKit) Run(ctx context.Context, first view.Menu, chosen func(view.Action)) error {
	if err := a.wanted.begin(first); err != nil {
		return fmt.Errorf("run tray: %w", err)
	}
	if ctx.Err() != nil {
		return nil
	}
	if a.ran.Swap(true) {
		return fmt.Errorf("run tray: %w", ErrRunsOnce)
	}
	if err := a.rt.Open(); err != nil {
		return fmt.Errorf("run tray: %w", err)
	}
	if !a.rt.OnFirstThread() {
		return fmt.Errorf("run tray: %w", ErrNotFirstThread)
	}
	a.calls = newCalls()
	defer a.calls.end()
	a.pick = func(do view.Action) {
		if !a.calls.add(func() { chosen(do) }) {
			a.o.Log.Warn("entry chosen while too many others wait", "action", do.Kind)
		}
	}
	if err := a.start(); err != nil {
		return fmt.Errorf("run tray: %w", err)
	}
	// Until the application runs, a hop waits in the queue of its run loop.
	stop := context.AfterFunc(ctx, func() { a.hop(a.target, selQuit) })
	a.rt.Send(a.app, "run")
	a.mu.Lock()
	a.live = 0
	a.mu.Unlock()
	if stop() {
		return errors.New("run tray: the application's loop ended by itself")
	}
	return nil
}

// start makes the application and its delegate. NSApplication makes a pool for
// each event; this one covers what comes before.
func (a *appKit) start() (err error) {
	a.rt.InPool(func() {
		a.app = a.rt.Send(a.rt.Class("NSApplication"), "sharedApplication")
		a.rt.Send(a.app, "setActivationPolicy:", policyAccessory)
		a.target, err = a.rt.Target(map[selector]func(objID){
			selLaunched: a.guarded(selLaunched, func(objID) { a.place() }),
			selPlace:    a.guarded(selPlace, func(objID) { a.place() }),
			selApply:    a.guarded(selApply, func(objID) { a.apply() }),
			selChosen:   a.guarded(selChosen, a.choose),
			selLook:     a.guarded(selLook, func(objID) { a.look() }),
			selQuit:     a.guarded(selQuit, func(objID) { a.quit() }),
		})
		if err == nil {
			a.rt.Send(a.app, "setDelegate:", a.target)
		}
	})
	if err != nil {
		return fmt.Errorf("make the application's delegate: %w", err)
	}
	a.mu.Lock()
	a.live = a.target
	a.mu.Unlock()
	return nil
}

// guarded keeps a panic in f from unwinding through AppKit's frames.
func (a *appKit) guarded(name selector, f func(objID)) func(objID) {
	return func(sender objID) {
		defer func() {
			if r := recover(); r != nil {
				a.o.Log.Error("panic in a callback of the tray", "method", string(name), "panic", r, "stack", string(debug.Stack()))
			}
		}()
		f(sender)
	}
}

// quit takes the item from the bar and ends the application's loop.
func (a *appKit) quit() {
	if a.item != 0 {
		a.rt.Send(a.rt.Send(a.rt.Class("NSStatusBar"), "systemStatusBar"), "removeStatusItem:", a.item)
		a.rt.Send(a.item, "release")
		a.rt.Send(a.menu, "release")
		a.item, a.menu = 0, 0
	}
	a.rt.Send(a.app, "stop:", objID(0))
	event := a.rt.Send(a.rt.Class("NSEvent"),
		"otherEventWithType:location:modifierFlags:timestamp:windowNumber:context:subtype:data1:data2:",
		uint(applicationDefined), nsPoint{}, uint(0), 0.0, 0, objID(0), int16(0), 0, 0)
	a.rt.Send(a.app, "postEvent:atStart:", event, true)
}
