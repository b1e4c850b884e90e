//go:build !linux

package ipc

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
)

// ownerOf is not known here: macOS tells it only through private calls
// (proc_pidfdinfo over every process); Windows names the process of a
// connection (GetExtendedTcpTable), which may have given its number to another
// by the time its user is read.
func ownerOf(_, _ netip.AddrPort) (Peer, error) {
	return Peer{}, fmt.Errorf("read owner of connection: %w: no trustworthy source on %s: %w", ErrNoPeer, runtime.GOOS, errors.ErrUnsupported)
}
