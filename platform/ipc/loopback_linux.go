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

// ownerOf asks for the one socket; a kernel without inet_diag has only tables.
func ownerOf(local, remote netip.AddrPort) (Peer, error) {
	if p, err := diagOwnerOf(local, remote); err == nil {
		return p, nil
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
		if len(owners) == 0 {
			continue
		}
		for _, uid := range owners {
			if uid != owners[0] {
				return Peer{}, fmt.Errorf("read owner of connection: listed for uid %d and %d: %w", owners[0], uid, ErrNoPeer)
			}
		}
		return Peer{Known: true, UID: owners[0], Class: classOf(owners[0])}, nil
	}
	return Peer{}, fmt.Errorf("read owner of connection: not in the kernel's tables: %w", ErrNoPeer)
}
