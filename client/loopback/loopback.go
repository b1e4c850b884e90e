// Package loopback is the one-use receiver of a sign-in on 127.0.0.1, run in the person's own process.
//
// It follows RFC 8252 section 7.3: the literal loopback address, never the
// name "localhost", and a port that the system chooses. One redirect with the
// right state is taken; whoever else calls learns nothing and stops nothing.
package loopback

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
)

// The two paths: where the redirect arrives, and where the browser ends up, so
// that no code stays in its address bar or history.
const (
	pathCallback = "/callback"
	pathDone     = "/done"
)

// Limits of what a stranger on this machine may take of us.
const (
	maxHeader     = 32 << 10 // bytes; codes of some providers have thousands
	headerTimeout = 5 * time.Second
	writeTimeout  = 5 * time.Second
	// lastPage is how long the browser has to fetch the last page.
	lastPage = 2 * time.Second
)

// ErrUsed is in the chain when Wait is called a second time.
var ErrUsed = errors.New("this receiver has been used")

// Receiver waits for one redirect.
type Receiver struct {
	listener net.Listener
	host     string // 127.0.0.1:port, the only Host that is answered
	once     sync.Once
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

// Listen takes a port on 127.0.0.1, or on [::1] where there is no IPv4. Close
// gives it back; so does Wait when it returns.
func Listen() (*Receiver, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		var err6 error
		if l, err6 = net.Listen("tcp6", "[::1]:0"); err6 != nil {
			return nil, fmt.Errorf("listen for the sign-in's redirect: %w", errors.Join(err, err6))
		}
	}
	return &Receiver{listener: l, host: l.Addr().String()}, nil
}

// RedirectURI is the address to give to the provider.
func (r *Receiver) RedirectURI() string { return "http://" + r.host + pathCallback }

// Close gives the port back. It may be called more than once.
func (r *Receiver) Close() error {
	if err := r.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close the sign-in's receiver: %w", err)
	}
	return nil
}

// Wait answers requests until a redirect with that state has come and the
// browser has been shown the last page, or ctx ends; then the port is closed.
// Who connected before waits until now. The empty state is refused: it would
// match a request without one.
func (r *Receiver) Wait(ctx context.Context, state string) (Result, error) {
	used := true
	r.once.Do(func() { used = false })
	defer r.Close()
	switch {
	case used:
		return Result{}, fmt.Errorf("wait for the sign-in: %w", ErrUsed)
	case state == "":
		return Result{}, errors.New("wait for the sign-in: no state to compare with")
	}
	h := &handler{host: r.host, state: state, taken: make(chan Result, 1), seen: make(chan struct{})}
	srv := &http.Server{
		Handler: h, MaxHeaderBytes: maxHeader, ReadTimeout: headerTimeout, WriteTimeout: writeTimeout,
		ErrorLog: log.New(io.Discard, "", 0), // it would quote addresses, and with them codes
	}
	srv.SetKeepAlivesEnabled(false)
	broke := make(chan error, 1)
	go func() { broke <- srv.Serve(r.listener) }()
	res, err := h.wait(ctx, broke)
	// The last answer may still be on its way.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastPage)
	defer cancel()
	if srv.Shutdown(grace) != nil {
		srv.Close()
	}
	if err != nil {
		return Result{}, fmt.Errorf("wait for the sign-in: %w", err)
	}
	return res, nil
}
