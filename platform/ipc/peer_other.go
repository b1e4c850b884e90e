//go:build !linux && !darwin

package ipc

import (
	"errors"
	"fmt"
	"net"
	"runtime"
)

// supported refuses to listen where callers could not be told apart: Unix
// sockets on Windows carry no caller identity; named pipes do.
func supported() error {
	return fmt.Errorf("local sockets do not say which user calls on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// Self returns the zero Peer, who is nobody: no source is built for this system.
func Self() Peer { return Peer{} }

func peerOfUnix(*net.UnixConn) (Peer, error) {
	return Peer{}, fmt.Errorf("read peer of local socket: %w: %w", ErrNoPeer, supported())
}
