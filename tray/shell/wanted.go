package shell

import (
	"sync"

	"github.com/postern-zt/postern/tray/view"
)

// wanted keeps the newest menu until somebody draws it.
type wanted struct {
	mu    sync.Mutex
	menu  view.Menu
	fresh bool // menu has not been taken yet
	any   bool // there has been one
}

// put makes m the newest menu.
func (w *wanted) put(m view.Menu) error {
	m, err := tidy(m)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.menu, w.fresh, w.any = m, true, true
	return nil
}

// begin makes m the menu to start with, unless a newer one is there.
func (w *wanted) begin(m view.Menu) error {
	m, err := tidy(m)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.any {
		w.menu, w.fresh, w.any = m, true, true
	}
	return nil
}

// take returns the newest menu, once.
func (w *wanted) take() (view.Menu, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fresh := w.fresh
	w.fresh = false
	return w.menu, fresh
}
