// Package statuspage is the local page that shows the view in a browser, served by the person's own process.
//
// Nothing here runs in the agent, which listens on no TCP port for people. The
// page lives on 127.0.0.1 at a port that the system chooses. A link to it
// carries, in the fragment that browsers send to nobody, a token that works
// once and for a minute; the page trades it for a session that it keeps in its
// tab's sessionStorage and sends in a header. There is no cookie: cookies do not
// tell ports apart (RFC 6265 section 8.5), and other ports of 127.0.0.1 belong
// to applications and to other users of this computer. Where the system says
// who is at the other end of a connection, other users are hung up on: they can
// read the link where a browser is started with it (ps(1)).
//
// Browsers write down where they went before a script of the page can take the
// token out of the address, and keep the sessionStorage of tabs on disk. Both
// are the person's own files, and worth nothing by then: the token is spent, and
// the session ends with the Page.
//
// A program that is there for the page alone shows it and serves until nobody
// looks any more:
//
//	err := statuspage.Show(ctx, statuspage.Options{Agent: agent, Base: base, Idle: 5 * time.Minute}, browser.Open)
//
// One that lives longer than the page, as the tray does, keeps the Page: Listen
// once, Serve in a goroutine of its own, and a Link whenever somebody wants to
// look. Serve returns when its context ends; tabs that are open then say so.
package statuspage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/platform/ipc"
)

// Agent is what the page asks of the agent (localapi.Client).
type Agent interface {
	WaitStatus(ctx context.Context, after int64, wait time.Duration) (localapi.Status, error)
	Posture(ctx context.Context) (localapi.Reading, error)
	Timeline(ctx context.Context) (localapi.Timeline, error)
	Sent(ctx context.Context) (localapi.Sent, error)
	Check(ctx context.Context) (localapi.Checked, error)
	Pause(ctx context.Context, p localapi.PauseRequest) (localapi.Status, error)
	Resume(ctx context.Context) (localapi.Status, error)
	SignOut(ctx context.Context) (localapi.Status, error)
}

// Options of a Page.
type Options struct {
	Agent Agent
	// Base is the input of every view: Version, System, Language, Zone and
	// HasPage. What the agent says and the time are filled in.
	Base view.Input
	// SignIn begins a sign-in in the browser, of somebody else than is signed in
	// if so said, and returns once that is open; nil where the page cannot.
	SignIn func(ctx context.Context, somebodyElse bool) error
	// Fix opens a page of the system's settings; nil where the page cannot. It
	// is given only ids that Base.HasPage knows.
	Fix func(ctx context.Context, page string) error
	// Idle ends Serve when nobody has looked for so long; 0 is never. A tab
	// that is open looks, and so does who has just been given a Link.
	Idle time.Duration
}

// Page is a server of the status page.
type Page struct {
	opts     Options
	listener net.Listener
	host     string
	index    []byte // the page in the person's language
	doors    doors
	looks    looks
}

// Limits of what a stranger on this machine may take of us.
const (
	maxHeader     = 16 << 10
	maxBody       = 4 << 10
	headerTimeout = 5 * time.Second
	bodyTimeout   = 5 * time.Second
	restTimeout   = time.Minute     // of a connection between two requests
	answerTimeout = 3 * time.Minute // above every wait of the agent's client
	stopTimeout   = time.Second     // for the last answers
)

// Listen takes a port on 127.0.0.1, or on [::1] where there is no IPv4.
func Listen(o Options) (*Page, error) {
	index, err := indexFor(o.Base.Language)
	if err != nil {
		return nil, fmt.Errorf("write the status page: %w", err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		var err6 error
		if l, err6 = net.Listen("tcp6", "[::1]:0"); err6 != nil {
			return nil, fmt.Errorf("listen for the status page: %w", errors.Join(err, err6))
		}
	}
	return &Page{opts: o, listener: l, host: l.Addr().String(), index: index}, nil
}

// Show serves a page of its own, has open bring the person to it, and returns
// nil when ctx ends or nobody has looked for the idle time. An error of open
// ends the page and is returned.
func Show(ctx context.Context, o Options, open func(ctx context.Context, link string) error) error {
	p, err := Listen(o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- p.Serve(ctx) }()
	if err := open(ctx, p.Link("")); err != nil {
		cancel()
		return errors.Join(err, <-served)
	}
	return <-served
}

// Link gives an address to open in the person's browser. It works once, within
// a minute. Section is one of the Section… words.
func (p *Page) Link(section string) string {
	p.looks.glance()
	return "http://" + p.host + "/#" + p.doors.token() + "." + section
}

// Sections of the page, as Link takes them.
const (
	SectionTop      = ""
	SectionFaults   = "faults"
	SectionApps     = "apps"
	SectionMachine  = "machine"
	SectionTimeline = "timeline"
	SectionSent     = "sent"
	SectionAbout    = "about"
)

// Close gives the port back; Serve then returns.
func (p *Page) Close() error {
	if err := p.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close the status page: %w", err)
	}
	return nil
}

// Serve answers until ctx ends, nobody has looked for the idle time, or Close,
// and returns nil then. It is called once.
func (p *Page) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	srv := &http.Server{
		Handler: p, MaxHeaderBytes: maxHeader, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout,
		IdleTimeout: restTimeout, WriteTimeout: answerTimeout,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    log.New(io.Discard, "", 0),
	}
	var work sync.WaitGroup
	work.Go(func() { p.looks.watch(ctx, p.opts.Idle, cancel) })
	work.Go(func() {
		<-ctx.Done()
		grace, done := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer done()
		if srv.Shutdown(grace) != nil {
			srv.Close()
		}
	})
	err := srv.Serve(ipc.OwnUser(p.listener))
	cancel()
	work.Wait()
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return fmt.Errorf("serve the status page: %w", err)
}
