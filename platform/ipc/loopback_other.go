//go:build !linux && !darwin && !windows

package ipc

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
)

// ownerOf is not known here: no source is built for this system.
func ownerOf(_, _ netip.AddrPort) (Peer, error) {
	return Peer{}, fmt.Errorf("read owner of connection: %w: no source on %s: %w", ErrNoPeer, runtime.GOOS, errors.ErrUnsupported)
}
