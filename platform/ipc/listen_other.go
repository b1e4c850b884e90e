//go:build !linux && !darwin && !windows

package ipc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
)

// Listener accepts connections on a local socket; there is none on this system.
type Listener struct{}

func supported() error {
	return fmt.Errorf("local sockets do not say which user calls on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// Listen refuses: where callers could not be told apart, nobody is answered.
func Listen(path string, _ Options) (*Listener, error) {
	return nil, fmt.Errorf("listen on %s: %w", path, supported())
}

// Accept always fails.
func (*Listener) Accept() (net.Conn, Peer, error) { return nil, Peer{}, supported() }

// Addr returns nil.
func (*Listener) Addr() net.Addr { return nil }

// Close does nothing.
func (*Listener) Close() error { return nil }

// Dial refuses.
func Dial(_ context.Context, path string) (net.Conn, error) {
	return nil, fmt.Errorf("dial %s: %w", path, supported())
}

// Exists reports false: there is no socket that could be called.
func Exists(string) bool { return false }
