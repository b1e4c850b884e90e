package shell

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-zt/postern/tray/view"
)

// testBound is how long anything here may take on a machine that is very busy.
const testBound = 30 * time.Second

func templates(name string) Image {
	if name == "broken" {
		return Image{Template: []byte("not an image")}
	}
	if name == "" {
		return Image{}
	}
	return Image{Template: []byte("png " + name)}
}

func sample() view.Menu {
	return view.Menu{Icon: view.IconHealthy, Tooltip: "Postern: healthy", Items: []view.Item{
		{ID: "headline", Text: "2 apps open"},
		{Separator: true},
		{ID: "app", Text: "Payroll", Checked: true, Do: view.Action{Kind: view.DoOpenApp, Argument: "payroll"}},
		{ID: "pause", Text: "Pause", Items: []view.Item{
			{ID: "pause.1", Text: "1 hour", Do: view.Action{Kind: view.DoPause, Argument: "1h"}},
			{Separator: true},
			{ID: "pause.2", Text: "never mind"},
		}},
		{ID: "quit", Text: "Quit", Do: view.Action{Kind: view.DoQuitTray}},
	}}
}

// running is a backend over a model, run by the test's own goroutine.
type running struct {
	m      *model
	b      *appKit
	drawn  chan struct{}
	chosen chan view.Action
}

// inRun runs the backend and, beside it, body; when body is done the backend is
// told to end.
func inRun(t *testing.T, o Options, first view.Menu, prepare func(*model), body func(*running)) {
	t.Helper()
	m := newModel(t)
	if prepare != nil {
		prepare(m)
	}
	r := &running{m: m, drawn: make(chan struct{}, 100_000), chosen: make(chan view.Action, 100)}
	if o.Icons == nil {
		o.Icons = templates
	}
	o.Drawn = func() { r.drawn <- struct{}{} }
	r.b = newAppKit(o.filled(), m)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer cancel()
		body(r)
	}()
	if err := r.b.Run(ctx, first, func(a view.Action) { r.chosen <- a }); err != nil {
		t.Errorf("run: %v", err)
	}
	<-over
}

// wait waits for one drawing.
func (r *running) wait() {
	select {
	case <-r.drawn:
	case <-time.After(testBound):
		r.m.t.Error("nothing was drawn")
	}
}

// chose waits for what was chosen.
func (r *running) chose() view.Action {
	select {
	case a := <-r.chosen:
		return a
	case <-time.After(testBound):
		r.m.t.Error("nothing was chosen")
		return view.Action{}
	}
}

// settle waits until the first thread has done all it was asked to.
func (r *running) settle() {
	done := make(chan struct{})
	r.m.onFirst(func() { close(done) })
	<-done
}

func TestAppKitOrder(t *testing.T) {
	inRun(t, Options{}, sample(), nil, func(r *running) {
		r.wait()
		r.settle()
		last := -1
		for _, line := range []string{
			"class NSApplication sharedApplication", "NSApplication setActivationPolicy:", "NSApplication setDelegate:", "NSApplication run",
			"class NSRunningApplication runningApplicationsWithBundleIdentifier:", "NSStatusBar statusItemWithLength:", "NSStatusItem retain",
			"NSStatusItem setVisible:", "NSMenu addItem:", "NSStatusItem setMenu:",
		} {
			at := r.m.position(line)
			if at <= last {
				t.Errorf("%s is number %d, after %d", line, at, last)
			}
			last = at
		}
		r.m.mu.Lock()
		defer r.m.mu.Unlock()
		app, item := r.m.one("NSApplication"), r.m.one("NSStatusItem")
		if app.value["setActivationPolicy:"] != 1 { // accessory
			t.Errorf("policy %v", app.value)
		}
		if item.value["setVisible:"] != true || item.value["setAutosaveName:"] != "postern" { // visible
			t.Errorf("item %v", item.value)
		}
		button, image := r.m.one("NSStatusBarButton"), r.m.one("NSImage")
		if button.value["setToolTip:"] != "Postern: healthy" || button.value["setAccessibilityLabel:"] != "Postern: healthy" {
			t.Errorf("button %v", button.value)
		}
		if image.text != "png healthy" || image.value["setTemplate:"] != true || image.value["setSize:"] != (nsSize{Width: 18, Height: 18}) {
			t.Errorf("image %+v", image)
		}
	})
}

func TestAppKitMenu(t *testing.T) {
	const want = "2 apps open (off)\n---\nPayroll [x]\nPause\n  1 hour\n  ---\n  never mind (off)\nQuit\n"
	inRun(t, Options{}, sample(), nil, func(r *running) {
		r.wait()
		r.settle()
		if got := r.m.menuText(); got != want {
			t.Errorf("got\n%s", got)
		}
		for _, c := range []struct {
			text string
			want view.Action
		}{
			{"1 hour", view.Action{Kind: view.DoPause, Argument: "1h"}},
			{"Payroll", view.Action{Kind: view.DoOpenApp, Argument: "payroll"}},
			{"Quit", view.Action{Kind: view.DoQuitTray}},
		} {
			r.m.click("2 apps open") // has no tag, and so none of another entry
			r.m.click(c.text)
			if got := r.chose(); got != c.want {
				t.Errorf("%s: %v", c.text, got)
			}
		}
	})
}

// TestAppKitLateClick: what was chosen in a menu that has been replaced since
// does nothing.
func TestAppKitLateClick(t *testing.T) {
	inRun(t, Options{}, sample(), nil, func(r *running) {
		r.wait()
		r.m.onFirst(func() {
			r.m.mu.Lock()
			item := r.m.objects[r.m.one("NSStatusItem").named["setMenu:"]].items[2]
			r.m.objects[item].refs++ // AppKit holds what it is about to send
			r.m.mu.Unlock()
			changed := sample()
			changed.Items[2].Do.Argument = "another"
			if err := r.b.Show(changed); err != nil {
				t.Error(err)
			}
			r.m.mu.Lock()
			r.m.enqueue(selChosen, item) // behind the change
			r.m.queue = append(r.m.queue, func() { r.m.Send(item, "release") })
			r.m.mu.Unlock()
		})
		r.wait()
		r.settle()
		r.m.click("Quit")
		if got := r.chose(); got.Kind != view.DoQuitTray {
			t.Errorf("a click into the old menu did %v", got)
		}
	})
}

// TestAppKitBalance: owned.
func TestAppKitBalance(t *testing.T) {
	inRun(t, Options{}, sample(), nil, func(r *running) {
		r.wait()
		r.settle()
		alive := func() int {
			r.settle()
			r.m.mu.Lock()
			defer r.m.mu.Unlock()
			return len(r.m.objects)
		}
		before, icons := alive(), view.Icons()
		for i := range 1000 {
			next := sample()
			next.Icon, next.Tooltip = icons[i%len(icons)], fmt.Sprint("round ", i)
			next.Items[0].Text = next.Tooltip
			if err := r.b.Show(next); err != nil {
				t.Error(err)
			}
			r.wait()
		}
		if after := alive(); after != before {
			t.Errorf("%d objects before, %d after", before, after)
		}
		if r.m.most > 3*before {
			t.Errorf("%d objects at once, where %d stay", r.m.most, before)
		}
		if n := r.m.count("NSMenu removeAllItems"); n != 1001 {
			t.Errorf("rebuilt %d times", n)
		}
	})
}

// TestAppKitLeavesNothing: after the end only the target is left, which AppKit
// points to without owning it.
func TestAppKitLeavesNothing(t *testing.T) {
	var m *model
	inRun(t, Options{}, sample(), func(model *model) { m = model }, func(r *running) { r.wait() })
	for _, o := range m.objects {
		if !o.ever && o.class != "target" {
			t.Errorf("left: %s %q with %d references", o.class, o.text, o.refs)
		}
	}
	for thread, pools := range m.pools {
		if len(pools) > 0 {
			t.Errorf("thread %s left %d pools open", thread, len(pools))
		}
	}
	if m.posted != 1 || m.count("stop:") != 1 { // stop-event
		t.Errorf("%d events posted, stopped %d times", m.posted, m.count("stop:"))
	}
	if m.count("removeStatusItem:") != 1 {
		t.Error("the item stays on the bar")
	}
}

// TestAppKitOneHop: any number of changes while the first thread is busy is one
// message to it, and the newest is drawn.
func TestAppKitOneHop(t *testing.T) {
	inRun(t, Options{}, sample(), nil, func(r *running) {
		r.wait()
		busy, free := make(chan struct{}), make(chan struct{})
		r.m.onFirst(func() { close(busy); <-free })
		<-busy
		for i := range 100 {
			next := sample()
			next.Items[0].Text = fmt.Sprint("state ", i)
			if err := r.b.Show(next); err != nil {
				t.Error(err)
			}
		}
		close(free)
		r.wait()
		r.settle()
		if text := r.m.menuText(); text[:8] != "state 99" {
			t.Errorf("drawn is\n%s", text)
		}
		if r.m.hops != 1 || len(r.drawn) != 0 {
			t.Errorf("%d hops, %d more drawings", r.m.hops, len(r.drawn))
		}
	})
}

// TestAppKitShowFromMany is for the race detector.
func TestAppKitShowFromMany(t *testing.T) {
	inRun(t, Options{}, sample(), nil, func(r *running) {
		ended := make(chan struct{})
		for i := range 8 {
			go func() {
				defer func() { ended <- struct{}{} }()
				for j := range 50 {
					next := sample()
					next.Items[0].Text = fmt.Sprint(i, j)
					if err := r.b.Show(next); err != nil {
						t.Error(err)
					}
				}
			}()
		}
		for range 8 {
			<-ended
		}
		last := sample()
		last.Items[0].Text = "the last"
		if err := r.b.Show(last); err != nil {
			t.Error(err)
		}
		for r.settle(); r.m.menuText()[:8] != "the last"; {
			r.wait()
		}
	})
}

// TestAppKitSame: what has not changed is not set again.
func TestAppKitSame(t *testing.T) {
	inRun(t, Options{}, sample(), nil, func(r *running) {
		r.wait()
		for range 3 {
			if err := r.b.Show(sample()); err != nil {
				t.Error(err)
			}
			r.wait()
		}
		for _, once := range []string{"setImage:", "setToolTip:", "removeAllItems"} {
			if n := r.m.count(once); n != 1 {
				t.Errorf("%s sent %d times", once, n)
			}
		}
	})
}

// TestAppKitImages: no-empty-image.
func TestAppKitImages(t *testing.T) {
	inRun(t, Options{}, sample(), nil, func(r *running) {
		r.wait()
		for _, name := range []string{"", "broken", view.IconClosed} {
			next := sample()
			next.Icon = name
			if err := r.b.Show(next); err != nil {
				t.Error(err)
			}
			r.wait()
		}
		if n := r.m.count("setImage:"); n != 2 {
			t.Errorf("set %d times", n)
		}
	})
}

// TestAppKitPanic: no-unwinding.
func TestAppKitPanic(t *testing.T) {
	icons := func(name string) Image {
		if name == "panics" {
			panic("no such icon")
		}
		return templates(name)
	}
	inRun(t, Options{Icons: icons}, sample(), nil, func(r *running) {
		r.wait()
		bad := sample()
		bad.Icon = "panics"
		if err := r.b.Show(bad); err != nil {
			t.Error(err)
		}
		r.settle()
		next := sample()
		next.Items[0].Text = "goes on"
		if err := r.b.Show(next); err != nil {
			t.Error(err)
		}
		r.wait()
		r.settle()
		if text := r.m.menuText(); text[:7] != "goes on" {
			t.Errorf("drawn is\n%s", text)
		}
	})
}

// TestAppKitControlCenter: control-center.
func TestAppKitControlCenter(t *testing.T) {
	for _, c := range []struct{ late, waits int }{{0, 0}, {3, 3}, {1000, 30}} {
		asked := 0
		inRun(t, Options{}, sample(), func(m *model) {
			m.controlCenter = func() bool {
				if asked++; m.log != nil && slices.Contains(m.log, "NSStatusBar statusItemWithLength:") {
					t.Error("asked after the item was made")
				}
				return asked > c.late
			}
		}, func(r *running) {
			r.wait()
			r.settle()
			if len(r.m.delays) != c.waits || c.waits > 0 && r.m.delays[0] != 1 {
				t.Errorf("late by %d: waited %v", c.late, r.m.delays)
			}
		})
	}
}

// TestAppKitHidden: hidden.
func TestAppKitHidden(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*model)
		want    bool
	}{
		"on the bar":  {func(*model) {}, false},
		"at the foot": {func(m *model) { m.frame = func() [4]float64 { return [4]float64{0, -22, 30, 22} } }, true},
		"no window":   {func(m *model) { m.noWindow = true }, true},
	} {
		t.Run(name, func(t *testing.T) {
			var hidden atomic.Int32
			told := make(chan struct{}, 1)
			inRun(t, Options{Hidden: func() { hidden.Add(1); told <- struct{}{} }}, sample(), c.prepare, func(r *running) {
				r.wait()
				r.settle()
				r.settle()
				if c.want {
					select {
					case <-told:
					case <-time.After(testBound):
					}
				}
				if len(r.m.delays) != 1 || r.m.delays[0] != lookAfter {
					t.Errorf("delays %v", r.m.delays)
				}
			})
			if (hidden.Load() == 1) != c.want {
				t.Errorf("told %d times", hidden.Load())
			}
		})
	}
}

func TestAppKitNotFirstThread(t *testing.T) {
	b := newAppKit(Options{Icons: templates}.filled(), newModel(t))
	result := make(chan error)
	go func() { result <- b.Run(t.Context(), sample(), func(view.Action) {}) }()
	if err := <-result; !errors.Is(err, ErrNotFirstThread) {
		t.Errorf("got %v", err)
	}
}

func TestAppKitEndsEarly(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m := newModel(t)
	// The end comes after Run looked at ctx and before the application launched.
	b := newAppKit(Options{}.filled(), endingModel{m, cancel})
	if err := b.Run(ctx, sample(), func(view.Action) {}); err != nil {
		t.Error(err)
	}
	if err := b.Run(t.Context(), sample(), func(view.Action) {}); !errors.Is(err, ErrRunsOnce) {
		t.Errorf("a second run: %v", err)
	}
	if err := b.Show(sample()); err != nil {
		t.Errorf("show after the end: %v", err)
	}
}

// endingModel ends the context as soon as there is an application.
type endingModel struct {
	*model
	end func()
}

func (e endingModel) Target(methods map[selector]func(objID)) (objID, error) {
	e.end()
	return e.model.Target(methods)
}

func TestAppKitRefusesEmpty(t *testing.T) {
	b := newAppKit(Options{Icons: templates}.filled(), newModel(t))
	if err := b.Run(t.Context(), view.Menu{}, func(view.Action) {}); !errors.Is(err, ErrEmptyMenu) {
		t.Errorf("got %v", err)
	}
	inRun(t, Options{}, sample(), nil, func(r *running) {
		r.wait()
		r.settle()
		before := r.m.menuText()
		for _, empty := range []view.Menu{{}, {Items: []view.Item{{Separator: true}}}} {
			if err := r.b.Show(empty); !errors.Is(err, ErrEmptyMenu) {
				t.Errorf("got %v", err)
			}
		}
		r.settle()
		if r.m.menuText() != before {
			t.Error("what was shown did not stay")
		}
	})
}

// TestAppKitNewerBeforeRun: a menu shown before Run is newer than the one that
// Run is given.
func TestAppKitNewerBeforeRun(t *testing.T) {
	m := newModel(t)
	b := newAppKit(Options{Icons: templates}.filled(), m)
	newer := sample()
	newer.Items[0].Text = "newer"
	if err := b.Show(newer); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	b.o.Drawn = func() {
		m.onFirst(func() {
			if text := m.menuText(); text[:5] != "newer" {
				t.Errorf("drawn is\n%s", text)
			}
			cancel()
		})
	}
	if err := b.Run(ctx, sample(), func(view.Action) {}); err != nil {
		t.Error(err)
	}
}
