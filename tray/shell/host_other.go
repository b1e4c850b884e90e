//go:build windows || darwin

package shell

import "context"

// watchHost tells once that there is a place for the icon. On Windows systray
// puts the icon back itself when the taskbar restarts (the TaskbarCreated
// message: Windows documentation, "The Taskbar").
func watchHost(ctx context.Context, told func(present bool)) error {
	if ctx.Err() == nil {
		told(true)
	}
	<-ctx.Done()
	return nil
}
