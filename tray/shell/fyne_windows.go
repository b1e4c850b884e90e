//go:build !postern_purego

package shell

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"fyne.io/systray"

	"github.com/postern-zt/postern/tray/view"
)

// mnemonic is what marks the access key in a menu's text.
const mnemonic = "&"

// taken is how long the taskbar has to take the icon.
const taken = 10 * time.Second

func picture(i Image) []byte { return i.ICO }

func setIcon(icon []byte) { systray.SetIcon(icon) }

// ready waits for the taskbar. At log-on programs start before it, and systray
// gives up for good when its icon is not taken.
func (b *fyneBackend) ready(ctx context.Context) error {
	wait := 250 * time.Millisecond
	for !taskbar() {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
			wait = min(2*wait, 5*time.Second)
		}
	}
	return nil
}

// handover passes entries from the goroutine that sets the face to the thread
// that owns the window.
type handover struct {
	mu    sync.Mutex
	items []view.Item
	fresh bool
}

func (h *handover) put(items []view.Item) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.items, h.fresh = items, true
}

func (h *handover) take() ([]view.Item, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fresh := h.fresh
	h.fresh = false
	return h.items, fresh
}

// run pumps the messages itself. systray's own loop would leave no way onto its
// thread, and a menu that is taken down by another one while it opens ends the
// process or the click: systray reads and writes its tables there without a
// lock. The face may change from anywhere and does so while the menu is open.
func (b *fyneBackend) run(ctx context.Context, d *drawer) error {
	runtime.LockOSThread() // the window's messages come to the thread that made it
	defer runtime.UnlockOSThread()
	up := make(chan struct{})
	systray.Register(func() { close(up) }, nil)
	select {
	case <-up:
	case <-time.After(taken):
		return errors.New("the taskbar did not take the icon")
	}
	first, _ := b.wanted.take()
	d.draw(first)

	var next handover
	thread := currentThread()
	pumping, pumped := context.WithCancel(ctx)
	var face sync.WaitGroup
	face.Go(func() {
		for {
			select {
			case <-pumping.Done():
				systray.Quit() // by a message to the window, which an open menu lets through
				return
			case <-b.wake:
				if m, fresh := b.wanted.take(); fresh {
					d.drawFace(m)
					next.put(m.Items)
					wakeThread(thread)
				}
			}
		}
	})
	defer face.Wait()
	defer pumped()
	return b.pump(d, &next)
}

// pump dispatches messages until the window is gone. New entries are drawn when
// no message waits: not while a menu is open, which keeps the dispatch of the
// click that opened it, and not before the command that was chosen in it.
func (b *fyneBackend) pump(d *drawer, next *handover) error {
	var m message
	for {
		got, err := nextMessage(&m, false)
		if err == nil && !got {
			if items, fresh := next.take(); fresh {
				d.drawItems(items)
				d.drew()
			}
			_, err = nextMessage(&m, true)
		}
		if err != nil {
			return fmt.Errorf("read window messages: %w", err)
		}
		if m.id == wmQuit {
			return nil
		}
		if m.id == wmCommand && m.lParam == 0 {
			m.wParam = uintptr(d.full(uint32(m.wParam)))
		}
		dispatch(&m)
	}
}
