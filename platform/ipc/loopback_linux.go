package ipc

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"

	"github.com/postern-zt/postern/platform/files"
)

const (
	// maxTable bounds what is read of a table; a row has 150 bytes (tcp) or 178.
	maxTable = 32 << 20
	// looks is how often the tables are read: the kernel walks them in pieces
	// and may pass over a row while others come and go.
	looks = 3
)

// ownerOf asks for the one socket; a kernel without inet_diag has only tables,
// in which a search takes a thousand times as long: another user who connects
// and hangs up could hold up everybody with it. A kernel that knows the other
// end of the same connection, which is ours, has inet_diag, and then its no is
// one.
func ownerOf(local, remote netip.AddrPort) (Peer, error) {
	p, err := diagOwnerOf(local, remote)
	if err == nil {
		return p, nil
	}
	if _, ours := diagOwnerOf(remote, local); ours == nil {
		return Peer{}, err
	}
	return tableOwnerOf(local, remote)
}

func tableOwnerOf(local, remote netip.AddrPort) (Peer, error) {
	for range looks {
		var owners []uint32
		// An IPv4 connection of an IPv6 socket is listed in tcp6.
		for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
			table, err := files.ReadLimited(path, maxTable)
			if errors.Is(err, fs.ErrNotExist) {
				continue // a kernel without IPv6 has no tcp6
			}
			if err != nil {
				return Peer{}, fmt.Errorf("read owner of connection: %w: %w", ErrNoPeer, err)
			}
			owners = append(owners, findOwner(table, local, remote)...)
		}
		if len(owners) > 0 {
			return oneOwner(owners)
		}
	}
	return Peer{}, fmt.Errorf("read owner of connection: not in the kernel's tables: %w", ErrNoPeer)
}
