package main

import (
	"context"
	"log/slog"

	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/platform/buildinfo"
	"github.com/postern-zt/postern/platform/notify"
	"github.com/postern-zt/postern/tray/desk"
)

// appID is how the desktop knows this program (platform/notify).
const appID = "postern-tray"

// notes are the notifications, or nothing where the desktop has none.
type notes struct{ n *notify.Notifier }

func openNotes(ctx context.Context, log *slog.Logger) notes {
	n, err := notify.Open(ctx, notify.App{Name: buildinfo.Product, ID: appID, Icon: appID})
	if err != nil {
		log.Info("there will be no notifications", "error", err)
		return notes{}
	}
	return notes{n}
}

func (n notes) close() {
	if n.n != nil {
		_ = n.n.Close() // the program ends
	}
}

// tell is nil where there are no notifications.
func (n notes) tell() func(context.Context, view.Notice) error {
	if n.n == nil {
		return nil
	}
	return func(ctx context.Context, v view.Notice) error {
		note := notify.Note{ID: v.ID, Title: v.Title, Body: v.Body, Urgent: v.Urgent}
		for _, c := range v.Choices {
			note.Choices = append(note.Choices, notify.Choice{ID: c.ID, Label: c.Label})
		}
		return n.n.Show(ctx, note)
	}
}

func (n notes) withdraw() func(context.Context, string) error {
	if n.n == nil {
		return nil
	}
	return n.n.Withdraw
}

// listen hands on what is clicked.
func (n notes) listen(ctx context.Context, d *desk.Desk) {
	if n.n == nil {
		return
	}
	for {
		select {
		case c, ok := <-n.n.Chosen():
			if !ok {
				return
			}
			d.NoticeChosen(ctx, c.Choice)
		case <-ctx.Done():
			return
		}
	}
}
