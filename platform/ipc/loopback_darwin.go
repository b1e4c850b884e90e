package ipc

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

const (
	// maxTable bounds what is parsed of the list, in bytes; a socket has about 600.
	maxTable = 64 << 20
	// looks is how often the list is read: sockets come and go while the kernel
	// measures and writes it, and it may break off or not have one yet.
	looks = 3
)

// ownerOf looks the socket up in the kernel's list; so_uid is the user who made
// it. netstat(1) reads the same list without any right.
func ownerOf(local, remote netip.AddrPort) (Peer, error) {
	reason := errors.New("not in the kernel's list")
	for range looks {
		list, err := unix.SysctlRaw("net.inet.tcp.pcblist_n")
		if err == nil && len(list) > maxTable {
			err = errPCBList
		}
		var owners []uint32
		if err == nil {
			owners, err = socketOwners(list, local, remote)
		}
		if err != nil {
			reason = err
			continue
		}
		if len(owners) > 0 {
			return oneOwner(owners)
		}
	}
	return Peer{}, fmt.Errorf("read owner of connection: %w: %w", ErrNoPeer, reason)
}
