//go:build cgo && !postern_purego

package shell

import (
	"context"

	"fyne.io/systray"
)

// mnemonic is empty: menus on macOS mark no access keys.
const mnemonic = ""

func picture(i Image) []byte { return i.Template }

func setIcon(icon []byte) { systray.SetTemplateIcon(icon, icon) }

func (b *fyneBackend) ready(context.Context) error { return nil }

// run draws from a goroutine of systray's: each of its calls goes to the main
// thread and waits there for its turn. Whoever draws also quits, so that no call
// waits for a main thread that has left its loop.
func (b *fyneBackend) run(ctx context.Context, d *drawer) error {
	ended := make(chan struct{})
	systray.Run(func() {
		defer close(ended)
		for {
			if m, fresh := b.wanted.take(); fresh {
				d.draw(m)
			}
			select {
			case <-ctx.Done():
				systray.Quit()
				return
			case <-b.wake:
			}
		}
	}, nil)
	<-ended
	return nil
}
