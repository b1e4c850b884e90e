package shell

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// model is an Objective-C runtime with as much of AppKit as the backend uses:
// it counts references, drains autorelease pools, knows which thread is the
// first one, and fails the test for what would crash or leak on a Mac.
type model struct {
	t     *testing.T
	first string // the goroutine that stands for the first thread

	controlCenter func() bool       // is it running?
	frame         func() [4]float64 // of the item's window
	noWindow      bool

	mu       sync.Mutex
	objects  map[objID]*object
	classes  map[string]objID
	last     objID
	log      []string // "Class method", in order
	pools    map[string][][]objID
	queue    []func()
	woken    chan struct{}
	methods  map[selector]func(objID)
	delays   []float64
	launched bool
	stopped  bool
	posted   int
	hops     int
	most     int
}

type object struct {
	class string
	refs  int
	ever  bool // for ever: classes and singletons
	text  string
	named map[string]objID // what it holds strongly, by setter
	value map[string]any
	items []objID
	in    objID // the menu an item is in
}

func newModel(t *testing.T) *model {
	return &model{t: t, first: goroutine(), controlCenter: func() bool { return true },
		frame:   func() [4]float64 { return [4]float64{1200, 875, 30, 24} },
		objects: map[objID]*object{}, classes: map[string]objID{}, pools: map[string][][]objID{}, woken: make(chan struct{}, 1)}
}

// goroutine names the goroutine that calls it.
func goroutine() string {
	buf := make([]byte, 64)
	return string(bytes.Fields(buf[:runtime.Stack(buf, false)])[1])
}

func (m *model) Open() error         { return nil }
func (m *model) OnFirstThread() bool { return goroutine() == m.first }

func (m *model) make(class string, refs int) objID {
	m.last++
	m.objects[m.last] = &object{class: class, refs: refs, named: map[string]objID{}, value: map[string]any{}}
	return m.last
}

func (m *model) singleton(class string) objID {
	if m.classes[class] == 0 {
		m.classes[class] = m.make(class, 1)
		m.objects[m.classes[class]].ever = true
	}
	return m.classes[class]
}

func (m *model) Class(name string) objID {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.singleton("class " + name)
}

func (m *model) Target(methods map[selector]func(objID)) (objID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.methods = methods
	return m.make("target", 1), nil
}

func (m *model) InPool(f func()) {
	me := goroutine()
	m.mu.Lock()
	m.pools[me] = append(m.pools[me], nil)
	m.mu.Unlock()
	f()
	m.mu.Lock()
	defer m.mu.Unlock()
	stack := m.pools[me]
	for _, id := range stack[len(stack)-1] {
		m.release(id)
	}
	m.pools[me] = stack[:len(stack)-1]
}

// autoreleased makes an object that lives until the pool is drained.
func (m *model) autoreleased(class string) objID {
	id, me := m.make(class, 1), goroutine()
	stack := m.pools[me]
	if len(stack) == 0 {
		m.t.Errorf("%s autoreleased without a pool: it leaks", class)
		return id
	}
	stack[len(stack)-1] = append(stack[len(stack)-1], id)
	return id
}

func (m *model) release(id objID) {
	o := m.objects[id]
	if o == nil || o.ever {
		return
	}
	if o.refs--; o.refs > 0 {
		return
	}
	if o.class == "target" {
		m.t.Error("the target is gone while menu items and the application point to it")
	}
	delete(m.objects, id)
	for _, held := range o.named {
		m.release(held)
	}
	for _, item := range o.items {
		m.release(item)
	}
}

// hold makes o hold id under key in place of what it held.
func (m *model) hold(o *object, key string, id objID) {
	if id != 0 {
		m.objects[id].refs++
	}
	m.release(o.named[key])
	o.named[key] = id
}

func (m *model) Int(to objID, method selector) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.check(to, string(method))
	if o == nil {
		return 0
	}
	n, _ := o.value[string(method)].(int)
	return n
}

// check finds the receiver and holds the message against the rules that every
// message keeps.
func (m *model) check(to objID, method string) *object {
	if to == 0 {
		return nil
	}
	o := m.objects[to]
	if o == nil {
		m.t.Errorf("%s sent to an object that was released", method)
		return nil
	}
	me := goroutine()
	if me != m.first {
		if method != "performSelectorOnMainThread:withObject:waitUntilDone:" {
			m.t.Errorf("first-thread: [%s %s] from another thread", o.class, method)
		} else if len(m.pools[me]) == 0 {
			m.t.Errorf("pool: [%s %s] from another thread without a pool", o.class, method)
		}
	}
	m.log = append(m.log, o.class+" "+method)
	m.most = max(m.most, len(m.objects))
	return o
}

func (m *model) Send(to objID, method selector, args ...any) objID {
	if method == "run" {
		m.mu.Lock()
		m.check(to, "run")
		m.mu.Unlock()
		m.run()
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.check(to, string(method))
	if o == nil {
		return 0
	}
	name := string(method)
	if strings.HasPrefix(o.class, "class ") {
		return m.toClass(strings.TrimPrefix(o.class, "class "), name, args)
	}
	return m.toObject(to, o, name, args)
}

func (m *model) toClass(class, method string, args []any) objID {
	switch class + " " + method {
	case "NSApplication sharedApplication":
		return m.singleton("NSApplication")
	case "NSStatusBar systemStatusBar":
		if !m.launched {
			m.t.Error("launch-first: the status bar is used before the application launched")
		}
		return m.singleton("NSStatusBar")
	case "NSRunningApplication runningApplicationsWithBundleIdentifier:":
		array := m.autoreleased("NSArray")
		if m.string(args[0]) == "com.apple.controlcenter" && m.controlCenter() {
			m.objects[array].value["count"] = 1
		}
		return array
	case "NSMenuItem separatorItem":
		item := m.autoreleased("NSMenuItem")
		m.objects[item].text = "---"
		return item
	case "NSEvent otherEventWithType:location:modifierFlags:timestamp:windowNumber:context:subtype:data1:data2:":
		event := m.autoreleased("NSEvent")
		m.objects[event].value["type"] = args[0]
		return event
	}
	if method == "alloc" {
		return m.make(class, 1)
	}
	m.t.Errorf("the model does not know [%s %s]", class, method)
	return 0
}

// string reads an NSString argument; nil raises an exception in AppKit.
func (m *model) string(arg any) string {
	o := m.objects[arg.(objID)]
	if o == nil || o.class != "NSString" {
		m.t.Error("no-unwinding: nil or something else where AppKit wants a string")
		return ""
	}
	return o.text
}

func (m *model) toObject(id objID, o *object, method string, args []any) objID {
	switch o.class + " " + method {
	case "NSMenu init":
	case "NSString initWithBytes:length:encoding:":
		b := args[0].([]byte)
		if uint(len(b)) != args[1].(uint) || args[2].(uint) != 4 || !utf8.Valid(b) {
			m.t.Errorf("not a string in UTF-8: %q %v %v", b, args[1], args[2])
		}
		o.text = string(b)
	case "NSData initWithBytes:length:":
		if o.text = string(args[0].([]byte)); o.text == "" {
			m.t.Error("no-empty-image: data without bytes")
		}
	case "NSImage initWithData:":
		if o.text = m.objects[args[0].(objID)].text; !strings.HasPrefix(o.text, "png") {
			m.release(id)
			return 0
		}
	case "NSMenuItem initWithTitle:action:keyEquivalent:":
		o.text = m.string(args[0])
		o.value["action"] = args[1]
		m.string(args[2])
	case "NSStatusBar statusItemWithLength:":
		return m.autoreleased("NSStatusItem")
	case "NSStatusItem button":
		if o.named["button"] == 0 {
			o.named["button"] = m.make("NSStatusBarButton", 1)
		}
		return o.named["button"]
	case "NSStatusBarButton window":
		if m.noWindow {
			return 0
		}
		return m.singleton("NSWindow")
	case "NSWindow valueForKey:":
		if m.string(args[0]) != "frame" {
			m.t.Error("not the frame")
		}
		return m.autoreleased("NSValue")
	case "NSValue getValue:size:":
		*args[0].(*[4]float64) = m.frame()
		if args[1].(uint) != 32 {
			m.t.Error("an NSRect has 32 bytes")
		}
	case "NSMenu addItem:":
		item := m.objects[args[0].(objID)]
		if item.in != 0 {
			m.t.Error("the entry is in a menu already: AppKit raises an exception")
		}
		item.in = id
		item.refs++
		o.items = append(o.items, args[0].(objID))
	case "NSMenu removeAllItems":
		for _, item := range o.items {
			m.objects[item].in = 0
			m.release(item)
		}
		o.items = nil
	case "NSStatusBar removeStatusItem:":
	case "NSApplication stop:":
		m.stopped = true
	case "NSApplication postEvent:atStart:":
		if m.objects[args[0].(objID)].value["type"] != uint(15) {
			m.t.Error("stop-event: not an event of our own")
		}
		m.posted++
		m.wake()
	case "target performSelectorOnMainThread:withObject:waitUntilDone:":
		if args[2] != false {
			m.t.Error("one-hop: it waits for the first thread")
		}
		m.hops++
		m.enqueue(args[0].(selector), 0)
	case "target performSelector:withObject:afterDelay:":
		m.delays = append(m.delays, args[2].(float64))
		m.enqueue(args[0].(selector), 0)
	default:
		return m.common(id, o, method, args)
	}
	return id
}

// common is what every object answers, and setters.
func (m *model) common(id objID, o *object, method string, args []any) objID {
	switch method {
	case "retain":
		o.refs++
	case "release":
		m.release(id)
	case "setSubmenu:", "setMenu:", "setImage:":
		m.hold(o, method, args[0].(objID))
	case "setToolTip:", "setAccessibilityLabel:", "setAutosaveName:":
		o.value[method] = m.string(args[0])
	case "setTag:":
		o.value["tag"] = args[0]
	case "setDelegate:", "setTarget:", "setEnabled:", "setState:", "setAutoenablesItems:", "setVisible:", "setSize:", "setTemplate:", "setActivationPolicy:":
		o.value[method] = args[0]
	default:
		m.t.Errorf("the model does not know [%s %s]", o.class, method)
	}
	return id
}

func (m *model) enqueue(method selector, sender objID) {
	m.queue = append(m.queue, func() { m.methods[method](sender) })
	m.wake()
}

func (m *model) wake() {
	select {
	case m.woken <- struct{}{}:
	default:
	}
}

// run is [NSApp run]: it launches, then takes one event after the other, each
// in a pool, until it was stopped and one more event came.
func (m *model) run() {
	m.mu.Lock()
	m.launched = true
	m.queue = append([]func(){func() { m.methods[selLaunched](0) }}, m.queue...)
	m.mu.Unlock()
	for {
		m.mu.Lock()
		var next func()
		if len(m.queue) > 0 {
			next, m.queue = m.queue[0], m.queue[1:]
		}
		over := m.stopped && m.posted > 0
		m.mu.Unlock()
		if over {
			return
		}
		if next == nil {
			<-m.woken
			continue
		}
		m.InPool(next)
	}
}

// onFirst runs f on the first thread, as an event of its own.
func (m *model) onFirst(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = append(m.queue, f)
	m.wake()
}

// one returns the only living object of a class.
func (m *model) one(class string) *object {
	var found []*object
	for _, o := range m.objects {
		if o.class == class {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		m.t.Errorf("%d objects of class %s", len(found), class)
		return &object{named: map[string]objID{}, value: map[string]any{}}
	}
	return found[0]
}

// menuText draws the menu of the status item as lines.
func (m *model) menuText() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lines(m.objects[m.one("NSStatusItem").named["setMenu:"]], "")
}

func (m *model) lines(menu *object, indent string) string {
	var b strings.Builder
	if menu == nil {
		return ""
	}
	if menu.value["setAutoenablesItems:"] != false {
		m.t.Error("the menu enables its entries by itself")
	}
	for _, id := range menu.items {
		o := m.objects[id]
		fmt.Fprint(&b, indent, o.text)
		if o.value["setState:"] == 1 {
			fmt.Fprint(&b, " [x]")
		}
		if o.value["setEnabled:"] == false {
			fmt.Fprint(&b, " (off)")
		}
		fmt.Fprintln(&b)
		b.WriteString(m.lines(m.objects[o.named["setSubmenu:"]], indent+"  "))
	}
	return b.String()
}

// click chooses the entry with this text.
func (m *model) click(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, o := range m.objects {
		if o.class == "NSMenuItem" && o.text == text {
			m.enqueue(o.value["action"].(selector), id)
			return
		}
	}
	m.t.Errorf("no entry %q", text)
}

// count returns how many messages were sent that end like this.
func (m *model) count(suffix string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, line := range m.log {
		if strings.HasSuffix(line, suffix) {
			n++
		}
	}
	return n
}

// position returns where a message stands in the order of all, or -1.
func (m *model) position(line string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Index(m.log, line)
}
