//go:build (!darwin || cgo) && !postern_purego

package shell

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/postern-zt/postern/tray/view"
)

// fyneBackend draws through fyne.io/systray. How the drawing reaches the right
// thread is in the file of each system.
type fyneBackend struct {
	o      Options
	wanted wanted
	wake   chan struct{} // holds one token when there is a menu to draw
	ran    atomic.Bool   // systray's state is the process's and starts once
}

func newBackend(o Options) Backend {
	return &fyneBackend{o: o, wake: make(chan struct{}, 1)}
}

func (b *fyneBackend) Show(m view.Menu) error {
	if err := b.wanted.put(m); err != nil {
		return fmt.Errorf("show tray menu: %w", err)
	}
	select {
	case b.wake <- struct{}{}:
	default: // it is already on its way
	}
	return nil
}

func (b *fyneBackend) Run(ctx context.Context, first view.Menu, chosen func(view.Action)) error {
	if err := b.wanted.begin(first); err != nil {
		return fmt.Errorf("run tray: %w", err)
	}
	if err := b.ready(ctx); err != nil {
		return fmt.Errorf("run tray: %w", err)
	}
	if ctx.Err() != nil {
		return nil
	}
	if b.ran.Swap(true) {
		return fmt.Errorf("run tray: %w", ErrRunsOnce)
	}
	c := newCalls()
	defer c.end()
	d := &drawer{o: b.o, pick: func(a view.Action) {
		if !c.add(func() { chosen(a) }) {
			b.o.Log.Warn("entry chosen while too many others wait", "action", a.Kind)
		}
	}}
	defer d.end()
	if err := b.run(ctx, d); err != nil {
		return fmt.Errorf("run tray: %w", err)
	}
	return nil
}
