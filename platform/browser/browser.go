// Package browser opens a web address in the person's own browser.
package browser

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/pkg/browser"
)

// settled is how long a browser has to fail. The call that starts it returns
// only when the browser is closed, if it was not running before; one that still
// runs by then is taken as opened.
const settled = 3 * time.Second

// ErrNotAllowed is in the chain of the error for an address that is not opened.
var ErrNotAllowed = errors.New("not an address that is opened in a browser")

// ErrNoScreen is in the chain of the error where no browser can show itself,
// as over SSH: the person has to open the address somewhere else.
var ErrNoScreen = errors.New("there is no screen to show a browser on")

// Open opens rawURL in the browser of the user this process runs as. It must be
// https, or http to a loopback address written as such (127.0.0.0/8 or [::1];
// the name "localhost" may resolve elsewhere, RFC 8252 §8.3), without user
// information and in the characters of RFC 3986: everything else, other schemes
// above all, is refused with ErrNotAllowed in the error's chain.
//
// It returns when the system has taken the address, when three seconds have
// passed without an error, or when ctx ends. nil does not say that a person has
// seen the page. The program that opens it may then go on running; where it was
// started here, it is waited for as long as this process lives, so that none
// stays behind as a zombie.
func Open(ctx context.Context, rawURL string) error {
	if err := Check(rawURL); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("open browser: %w", err)
	}
	if err := screen(); err != nil {
		return fmt.Errorf("open browser: %w", err)
	}
	silence()
	return wait(ctx, settled, func() error { return browser.OpenURL(rawURL) })
}

// silence keeps what a browser prints out of this program's output. With nil
// the library leaves its children the null device and no pipe, so that a
// browser which outlives this process does not write into a broken one.
var silence = sync.OnceFunc(func() { browser.Stdout, browser.Stderr = nil, nil })

// wait runs open, which ends with the browser, for no longer than limit.
func wait(ctx context.Context, limit time.Duration, open func() error) error {
	result := make(chan error, 1) // so that a late result is not waited for
	go func() { result <- open() }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-result:
		if err != nil {
			return fmt.Errorf("open browser: %w", err)
		}
		return nil
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("open browser: %w", ctx.Err())
	}
}

// Check says why rawURL would not be opened, with ErrNotAllowed in the error's
// chain. Its errors never quote the address, whose query may hold what belongs
// to a sign-in.
func Check(rawURL string) error {
	refuse := func(why string) error { return fmt.Errorf("open browser: %s: %w", why, ErrNotAllowed) }
	// Where a handler passes the address on to a shell, quotes and the like
	// would be more than characters.
	if strings.ContainsFunc(rawURL, func(r rune) bool { return !inRFC3986(r) }) {
		return refuse("a character that RFC 3986 does not know")
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return refuse("it cannot be read")
	}
	if u.User != nil {
		return refuse("it carries user information")
	}
	if u.Hostname() == "" {
		return refuse("it names no host")
	}
	switch u.Scheme {
	case "https":
		return nil
	case "http":
		if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip.IsLoopback() {
			return nil
		}
		return refuse("http is for literal loopback addresses only")
	}
	return refuse("neither https nor http")
}

// inRFC3986 reports whether r is one of the characters of a URI: unreserved,
// reserved or the percent sign (RFC 3986 §2).
func inRFC3986(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return true
	}
	return strings.ContainsRune("-._~:/?#[]@!$&'()*+,;=%", r)
}
