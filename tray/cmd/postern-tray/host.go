package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/tray/shell"
)

// panelsTime is how long a desktop has to bring up the place for the icon: at
// log-on panels come late, and when they restart they are gone for a moment.
const panelsTime = 20 * time.Second

// watchHost tells the person once if the desktop has no place for the icon.
// The tray goes on: the place may come, and notices need none.
func watchHost(ctx context.Context, base view.Input, tell func(context.Context, view.Notice) error, log *slog.Logger) {
	if tell == nil {
		return
	}
	seen := make(chan bool, 1) // the latest word
	told := func(present bool) {
		select {
		case <-seen:
		default:
		}
		seen <- present
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := shell.WatchHost(ctx, told); err != nil {
			log.Debug("watch for a place for the icon", "error", err)
		}
	}()
	defer func() { cancel(); <-ended }()
	if missing(ctx, seen, panelsTime) {
		if err := tell(ctx, view.NoTray(base)); err != nil {
			log.Debug("tell that there is no place for the icon", "error", err)
		}
	}
}

// missing waits until the place has been missing for the time; false when ctx
// ended before.
func missing(ctx context.Context, seen <-chan bool, patience time.Duration) bool {
	var late <-chan time.Time
	var timer *time.Timer
	for {
		select {
		case present := <-seen:
			if timer != nil {
				timer.Stop()
			}
			late = nil
			if !present {
				timer = time.NewTimer(patience)
				late = timer.C
			}
		case <-late:
			return true
		case <-ctx.Done():
			if timer != nil {
				timer.Stop()
			}
			return false
		}
	}
}
