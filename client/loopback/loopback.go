// Package loopback is the one-use receiver of a sign-in on 127.0.0.1, run in the person's own process.
//
// It follows RFC 8252 section 7.3: the literal loopback address, never the
// name "localhost", and a port that the system chooses. One redirect with the
// right state is taken; whoever else calls learns nothing and stops nothing.
// Other users of this computer are hung up on where they could know the state.
//
// Where the browser runs on another computer, as over SSH, the redirect does
// not arrive. The person then copies the address that the browser could not
// open, and ParseAnswer reads it.
package loopback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/postern-zt/postern/platform/jws"
)

// Limits of what a stranger on this machine may take of us.
const (
	maxHeader     = 32 << 10 // bytes; codes of some providers have thousands
	maxForm       = 32 << 10 // bytes, of an answer that is posted
	headerTimeout = 5 * time.Second
	writeTimeout  = 5 * time.Second
	// lastPage is how long the browser has to fetch the last page, and Close
	// waits for answers that are on their way.
	lastPage = 2 * time.Second
	// linger is how long a receiver that has its result goes on telling other
	// tabs so, if nobody closes it.
	linger = time.Minute
)

// ErrUsed is in the chain when Wait is called a second time.
var ErrUsed = errors.New("this receiver has been used")

// Receiver waits for one redirect.
type Receiver struct {
	listener net.Listener
	host     string // 127.0.0.1:port, the only Host that is answered
	stay     time.Duration
	once     sync.Once
	answers  underWay
	ticket   string // what the link to the provider is fetched with

	mu      sync.Mutex
	leads   string // the provider's page, "" before Begin
	closed  bool
	server  *http.Server // nil until Wait
	expires *time.Timer  // nil until Wait has a result
}

// Result is what the redirect carried: a Code, or an Error with perhaps its
// ErrorDescription (RFC 6749 sections 4.1.2 and 4.1.2.1), and Iss where the
// provider says who it is (RFC 9207). The texts are the provider's: whoever
// prints them must take control characters out.
type Result struct {
	Code             string
	State            string
	Iss              string
	Error            string
	ErrorDescription string
}

// Listen takes a port on 127.0.0.1, or on [::1] where there is no IPv4. The
// caller must Close the receiver. A browser that runs as another user than this
// process is not let in, unless that is an administrator: what it then shows,
// an address that does not open, is what ParseAnswer reads.
func Listen() (*Receiver, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		var err6 error
		if l, err6 = net.Listen("tcp6", "[::1]:0"); err6 != nil {
			return nil, fmt.Errorf("listen for the sign-in's redirect: %w", errors.Join(err, err6))
		}
	}
	return &Receiver{listener: own(l), host: l.Addr().String(), stay: linger, ticket: jws.Random(16)}, nil
}

// RedirectURI is the address to give to the provider.
func (r *Receiver) RedirectURI() string { return "http://" + r.host + pathCallback }

// Begin gives the address to open in a browser on this computer: one of this
// receiver that leads on to link, the provider's page, until there is an answer.
// A browser is started with the address that it is to open, which other users of
// the computer can read (ps(1)); in link they would find state, nonce and code
// challenge, and with them could have their own code answer this sign-in.
func (r *Receiver) Begin(link string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leads = link
	return "http://" + r.host + pathBegin + "?" + url.Values{paramTicket: {r.ticket}}.Encode()
}

// begins is the provider's page for who brings the ticket.
func (r *Receiver) begins(ticket string) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.leads, r.leads != "" && jws.Equal(ticket, r.ticket)
}

// Close gives the port back, after answers that are on their way, for two
// seconds at most. It may be called more than once.
func (r *Receiver) Close() error {
	r.mu.Lock()
	srv, was := r.server, r.closed
	r.closed = true
	if r.expires != nil {
		r.expires.Stop()
	}
	r.mu.Unlock()
	if was {
		return nil
	}
	err := r.listener.Close()
	if srv != nil {
		// Shutdown would wait for connections too that never ask, and browsers
		// open such in advance.
		r.answers.wait(lastPage)
		err = errors.Join(err, srv.Close())
	}
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close the sign-in's receiver: %w", err)
	}
	return nil
}

// Wait answers requests until a redirect with that state has come and the
// browser has been shown the last page, or ctx ends. Who connected before
// waits until now. The empty state is refused: it would match a request
// without one.
//
// After a result the receiver goes on saying so to other tabs, and showing the
// last page to who loads it again, until Close, for a minute at most; it takes
// nothing more. After an error the port is closed.
func (r *Receiver) Wait(ctx context.Context, state string) (Result, error) {
	used := true
	r.once.Do(func() { used = false })
	switch {
	case used:
		return Result{}, fmt.Errorf("wait for the sign-in: %w", ErrUsed)
	case state == "":
		return Result{}, errors.Join(errors.New("wait for the sign-in: no state to compare with"), r.Close())
	}
	h := &handler{host: r.host, begins: r.begins, state: state, taken: make(chan Result, 1), seen: make(chan struct{}), answers: &r.answers}
	srv := &http.Server{
		Handler: h, MaxHeaderBytes: maxHeader, ReadTimeout: headerTimeout, WriteTimeout: writeTimeout,
		ErrorLog: log.New(io.Discard, "", 0), // it would quote addresses, and with them codes
	}
	srv.SetKeepAlivesEnabled(false)
	if !r.begin(srv) {
		return Result{}, fmt.Errorf("wait for the sign-in: %w", net.ErrClosed)
	}
	broke := make(chan error, 1)
	go func() { broke <- srv.Serve(r.listener) }() // until Close
	res, err := h.wait(ctx, broke)
	if err != nil {
		return Result{}, errors.Join(fmt.Errorf("wait for the sign-in: %w", err), r.Close())
	}
	r.expire()
	return res, nil
}

// begin notes the server for Close, unless that has been called.
func (r *Receiver) begin(srv *http.Server) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.server = srv
	}
	return !r.closed
}

// expire has the receiver close itself where its caller forgets to.
func (r *Receiver) expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.expires = time.AfterFunc(r.stay, func() { _ = r.Close() }) // nobody is left to tell
	}
}

// underWay counts the answers that are being given.
type underWay struct {
	mu    sync.Mutex
	n     int
	quiet chan struct{} // closed when n gets to 0, if somebody waits
}

func (u *underWay) begin() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.n++
}

func (u *underWay) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.n--; u.n == 0 && u.quiet != nil {
		close(u.quiet)
		u.quiet = nil
	}
}

// wait returns when no answer is being given, or when limit has passed. One
// caller at a time.
func (u *underWay) wait(limit time.Duration) {
	u.mu.Lock()
	if u.n == 0 {
		u.mu.Unlock()
		return
	}
	quiet := make(chan struct{})
	u.quiet = quiet
	u.mu.Unlock()
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-quiet:
	case <-t.C:
	}
}
