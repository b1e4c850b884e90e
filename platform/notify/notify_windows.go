package notify

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"github.com/go-ole/go-ole"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// Classes and interfaces of the runtime, as in windows.ui.notifications.idl and
// windows.data.xml.dom.idl of the Windows SDK. The first function of an
// interface is at place 6 of its table.
const (
	classManager = "Windows.UI.Notifications.ToastNotificationManager"
	classToast   = "Windows.UI.Notifications.ToastNotification"
	classXML     = "Windows.Data.Xml.Dom.XmlDocument"

	iidManager  = "{50AC103F-D235-4598-BBEF-98FE4D1A3AD4}" // IToastNotificationManagerStatics: 7 CreateToastNotifierWithId
	iidManager2 = "{7AB93C52-0E48-4750-BA9D-1A4113981847}" // IToastNotificationManagerStatics2: 6 get_History
	iidToasts   = "{04124B20-82C6-4229-B109-FD9ED4662B53}" // IToastNotificationFactory: 6 CreateToastNotification
	iidToast2   = "{9DFB9FD1-143A-490E-90BF-B9FBA7132DE7}" // IToastNotification2: 6 put_Tag, 8 put_Group
	iidXML      = "{F7F3A506-1E87-42D6-BCFB-B8C809FA5494}" // IXmlDocument
	iidXMLIO    = "{6CD0E74E-EE65-4489-9EBF-CA43E87BA637}" // IXmlDocumentIO: 6 LoadXml
)

// group holds all toasts of this program, apart from what others may show in its
// name.
const group = "notes"

// closeTime is how long Close waits for a call that has begun.
const closeTime = 5 * time.Second

// toasts is the service of Windows, on one thread of its own.
//
// A click reaches this process while it runs, by the toast's event Activated
// (Microsoft Learn, "ToastNotification.Activated"). What is clicked in the
// Action Center after the program has ended starts nothing: that takes a COM
// server in the registry ("Send a local toast notification from other types of
// unpackaged apps", step 2), which this program does not install.
type toasts struct {
	app   App
	click func(Chosen)
	winRT winRT

	live     live
	handlers handlers

	work  chan func() // what the thread is to do
	quit  chan struct{}
	once  sync.Once
	ended chan struct{}

	// Only the thread touches these.
	notifier *ole.IUnknown
	shown    map[string]*ole.IUnknown // a toast without a reference raises no events
}

func open(ctx context.Context, app App, click func(Chosen)) (service, error) {
	w, err := loadWinRT()
	if err != nil {
		return nil, err
	}
	t := &toasts{
		app: app, click: click, winRT: w, shown: map[string]*ole.IUnknown{},
		work: make(chan func()), quit: make(chan struct{}), ended: make(chan struct{}),
	}
	ready := make(chan error, 1)
	go t.run(ready) // ends with close, or when it cannot begin
	select {
	case err := <-ready:
		if err != nil {
			return nil, err
		}
		return t, nil
	case <-ctx.Done():
		t.stop()
		return nil, ctx.Err()
	}
}

// run is the thread. It is not given back: what the runtime put into it stays.
func (t *toasts) run(ready chan<- error) {
	defer close(t.ended)
	runtime.LockOSThread()
	err := t.begin()
	ready <- err
	if err != nil {
		return
	}
	for {
		select {
		case f := <-t.work:
			f()
		case <-t.quit:
			for _, toast := range t.shown {
				toast.Release()
			}
			t.notifier.Release()
			return
		}
	}
}

// do has the thread do something, for as long as ctx allows. What it has begun
// goes on.
func (t *toasts) do(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	select {
	case t.work <- func() { done <- f() }:
	case <-t.quit:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// begin registers the program and makes its notifier.
func (t *toasts) begin() error {
	if err := t.winRT.enter(); err != nil {
		return fmt.Errorf("enter windows runtime: %w", err)
	}
	manager, err := t.winRT.getFactory(classManager, iidManager)
	if err != nil {
		return err
	}
	defer manager.Release()
	if err := register(t.app); err != nil {
		return err
	}
	id, err := t.winRT.text(t.app.ID)
	if err != nil {
		return err
	}
	defer t.winRT.drop(id)
	if err := method(manager, 7, id, uintptr(unsafe.Pointer(&t.notifier))); err != nil {
		return fmt.Errorf("make notifier: %w", err)
	}
	return nil
}

// register tells the system the program's name and picture: an application that
// has no package is known by an AppUserModelID in the registry (Microsoft Learn,
// "Send a local toast notification from other types of unpackaged apps", step 1),
// here the person's own part of it, and by the same id in the process.
func register(app App) error {
	k, _, err := registry.CreateKey(registry.CURRENT_USER, `Software\Classes\AppUserModelId\`+app.ID, registry.SET_VALUE)
	if err != nil {
		return fmt.Errorf("register program: %w", err)
	}
	defer k.Close()
	if err := k.SetStringValue("DisplayName", app.Name); err != nil {
		return fmt.Errorf("register program's name: %w", err)
	}
	if filepath.IsAbs(app.Icon) {
		if err := k.SetStringValue("IconUri", app.Icon); err != nil {
			return fmt.Errorf("register program's icon: %w", err)
		}
	}
	id, err := windows.UTF16PtrFromString(app.ID)
	if err != nil {
		return err
	}
	set := windows.NewLazySystemDLL("shell32.dll").NewProc("SetCurrentProcessExplicitAppUserModelID")
	if set.Find() == nil {
		set.Call(uintptr(unsafe.Pointer(id))) // of use to the taskbar; toasts name it themselves
	}
	return nil
}

func (t *toasts) show(ctx context.Context, n Note) error {
	description, err := toast(n)
	if err != nil {
		return err
	}
	return t.do(ctx, func() error { return t.present(n, description) })
}

// present makes the toast and shows it in place of the last of its tag.
func (t *toasts) present(n Note, description string) error {
	if err := t.allowed(); err != nil {
		return err
	}
	document, err := t.document(description)
	if err != nil {
		return fmt.Errorf("describe toast: %w", err)
	}
	defer document.Release()
	factory, err := t.winRT.getFactory(classToast, iidToasts)
	if err != nil {
		return err
	}
	defer factory.Release()
	var made *ole.IUnknown
	if err := method(factory, 6, pass(document), uintptr(unsafe.Pointer(&made))); err != nil {
		return fmt.Errorf("make toast: %w", err)
	}
	if err := t.prepare(made, n); err != nil {
		made.Release()
		return err
	}
	t.live.set(n)
	if err := method(t.notifier, 6, pass(made)); err != nil { // Show
		made.Release()
		return fmt.Errorf("show toast: %w", err)
	}
	t.forget(n.ID)
	t.shown[n.ID] = made
	return nil
}

// allowed asks the notifier's setting (8, get_Setting; 0 is enabled).
func (t *toasts) allowed() error {
	var setting int32
	if err := method(t.notifier, 8, uintptr(unsafe.Pointer(&setting))); err != nil || setting == 0 {
		return nil // an unreadable one is no reason not to try
	}
	return fmt.Errorf("setting %d: %w", setting, ErrOff)
}

// document reads the description.
func (t *toasts) document(description string) (*ole.IUnknown, error) {
	object, err := t.winRT.newObject(classXML)
	if err != nil {
		return nil, err
	}
	defer object.Release()
	loader, err := as(object, iidXMLIO)
	if err != nil {
		return nil, err
	}
	defer loader.Release()
	text, err := t.winRT.text(description)
	if err != nil {
		return nil, err
	}
	defer t.winRT.drop(text)
	if err := method(loader, 6, text); err != nil { // LoadXml
		return nil, err
	}
	return as(object, iidXML)
}

// prepare names the toast and listens to it.
func (t *toasts) prepare(made *ole.IUnknown, n Note) error {
	named, err := as(made, iidToast2)
	if err != nil {
		return err
	}
	defer named.Release()
	for place, name := range map[int]string{6: tag(n.ID), 8: group} {
		text, err := t.winRT.text(name)
		if err != nil {
			return err
		}
		err = method(named, place, text)
		t.winRT.drop(text)
		if err != nil {
			return fmt.Errorf("name toast: %w", err)
		}
	}
	h := newHandler(&t.handlers, t.winRT, func(arguments string) {
		if c, known := t.live.clicked(n.ID, arguments); known {
			t.click(c)
		}
	})
	defer h.object().Release() // from now on it is the toast's
	var token int64
	if err := method(made, 11, pass(h.object()), uintptr(unsafe.Pointer(&token))); err != nil { // add_Activated
		return fmt.Errorf("listen to toast: %w", err)
	}
	return nil
}

func (t *toasts) forget(id string) {
	if old := t.shown[id]; old != nil {
		old.Release()
	}
	delete(t.shown, id)
}

// withdraw takes the toast out of the Action Center as well, also one that an
// earlier process has shown.
func (t *toasts) withdraw(ctx context.Context, id string) error {
	return t.do(ctx, func() error {
		t.forget(id)
		t.live.drop(id)
		err := t.remove(id)
		if errors.Is(err, result(notFound)) {
			return nil
		}
		return err
	})
}

// remove is IToastNotificationHistory's RemoveGroupedTagWithId, at place 8.
func (t *toasts) remove(id string) error {
	manager, err := t.winRT.getFactory(classManager, iidManager2)
	if err != nil {
		return err
	}
	defer manager.Release()
	var history *ole.IUnknown
	if err := method(manager, 6, uintptr(unsafe.Pointer(&history))); err != nil {
		return fmt.Errorf("ask for shown toasts: %w", err)
	}
	defer history.Release()
	var texts []uintptr
	defer func() {
		for _, text := range texts {
			t.winRT.drop(text)
		}
	}()
	for _, s := range []string{tag(id), group, t.app.ID} {
		text, err := t.winRT.text(s)
		if err != nil {
			return err
		}
		texts = append(texts, text)
	}
	if err := method(history, 8, texts...); err != nil {
		return fmt.Errorf("remove toast: %w", err)
	}
	return nil
}

func (t *toasts) stop() { t.once.Do(func() { close(t.quit) }) }

func (t *toasts) close() error {
	t.stop()
	select {
	case <-t.ended:
		return nil
	case <-time.After(closeTime):
		return errors.New("the windows runtime does not answer")
	}
}
