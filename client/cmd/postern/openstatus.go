package main

import (
	"context"
	"sync"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/login"
	"github.com/postern-zt/postern/client/statuspage"
	"github.com/postern-zt/postern/platform/browser"
	"github.com/postern-zt/postern/platform/settings"
)

// pageIdle ends the status page when no tab has asked for so long. One that is
// open asks all the time.
const pageIdle = 5 * time.Minute

// openStatus serves the status page, and shows it in the browser, until ctx
// ends or nobody looks any more.
func (a *app) openStatus(ctx context.Context, only bool) error {
	c := a.agent()
	defer c.Close()
	ctx, stop := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer func() { stop(); work.Wait() }()
	base := a.input(localapi.Status{})
	base.HasPage = func(id string) bool {
		p, ok := settings.Known(id)
		return ok && settings.Has(p)
	}
	return statuspage.Show(ctx, statuspage.Options{
		Agent: c, Base: base, Idle: pageIdle, Fix: openSetting,
		SignIn: func(asked context.Context, somebodyElse bool) error {
			return a.signInFor(asked, ctx, &work, login.Flow{Agent: c, Switch: somebodyElse})
		},
	}, func(ctx context.Context, link string) error { return a.showPage(ctx, link, only) })
}

// showPage opens the link, or prints it where there is nothing to open it in.
func (a *app) showPage(ctx context.Context, link string, only bool) error {
	if a.json {
		return a.writeLine(map[string]string{"url": link})
	}
	if !only && !remote(a.getenv) && browser.Open(ctx, link) == nil {
		a.warn("%s", a.said().Open.PageShown)
		return nil
	}
	if ctx.Err() != nil {
		return nil // nobody waits for the link any more
	}
	a.warn("%s", a.said().Open.PageLink)
	return a.print(plain(link) + "\n")
}

// openSetting opens a page of the system's settings.
func openSetting(ctx context.Context, id string) error {
	p, ok := settings.Known(id)
	if !ok {
		return &settings.NoPageError{Page: settings.Page(id), Reason: "there is no such page"}
	}
	return settings.Open(ctx, p)
}

// signInFor begins a sign-in that somebody at the status page asked for. What
// waits for its end is part of work and ends with life; how it ended is in the
// status, which the page shows.
func (a *app) signInFor(ctx, life context.Context, work *sync.WaitGroup, f login.Flow) error {
	opened := make(chan error, 1) // takes the first word: of the browser, or why there is none
	work.Go(func() {
		f.Show = func(_ context.Context, at login.Page) error {
			err := browser.Open(ctx, at.Here)
			opened <- err
			return err
		}
		_, err := f.Run(life)
		select {
		case opened <- err:
			return
		default:
		}
		if err != nil && life.Err() == nil {
			a.warn("%s", a.failureOf(err).Message)
		}
	})
	return <-opened
}
