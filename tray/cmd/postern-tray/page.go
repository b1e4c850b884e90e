package main

import (
	"context"
	"log/slog"
	"sync"

	"github.com/postern-zt/postern/client/statuspage"
	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/platform/browser"
)

// page is the status page, which is served from the first time that somebody
// wants to see it.
type page struct {
	agent    *agent
	base     view.Input
	helpdesk *contact
	signIn   func(somebodyElse bool)
	log      *slog.Logger

	mu   sync.Mutex
	page *statuspage.Page
	work sync.WaitGroup
}

// show opens the page in the person's browser. ctx is the program's: the page
// lives as long.
func (p *page) show(ctx context.Context, section string) error {
	served, err := p.serve(ctx)
	if err != nil {
		return err
	}
	return browser.Open(ctx, served.Link(section))
}

func (p *page) serve(ctx context.Context) (*statuspage.Page, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.page != nil {
		return p.page, nil
	}
	base := p.base
	base.LastManaged = p.helpdesk.known()
	served, err := statuspage.Listen(statuspage.Options{Agent: p.agent, Base: base, Fix: fix,
		SignIn: func(_ context.Context, somebodyElse bool) error { p.signIn(somebodyElse); return nil }})
	if err != nil {
		return nil, err
	}
	p.page = served
	p.work.Go(func() {
		if err := served.Serve(ctx); err != nil {
			p.log.Warn("status page", "error", err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.page = nil
	})
	return served, nil
}

// wait returns when the page has ended.
func (p *page) wait() { p.work.Wait() }
