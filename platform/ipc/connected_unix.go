//go:build linux || darwin

package ipc

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// connected is nil while a connection has another end. One that was reset has
// none (getpeername(2), ENOTCONN), though what it brought can be read; one that
// the other end has half closed has.
func connected(conn *net.TCPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("read owner of connection: %w: %w", ErrNoPeer, err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { _, failed = unix.Getpeername(int(fd)) }); err != nil {
		failed = err
	}
	if failed != nil {
		return fmt.Errorf("read owner of connection: %w: %w", ErrNoPeer, failed)
	}
	return nil
}

// oneOwner is the user of all the rows that there are for a connection.
func oneOwner(owners []uint32) (Peer, error) {
	for _, uid := range owners {
		if uid != owners[0] {
			return Peer{}, fmt.Errorf("read owner of connection: listed for uid %d and %d: %w", owners[0], uid, ErrNoPeer)
		}
	}
	return Peer{Known: true, UID: owners[0], Class: classOf(owners[0])}, nil
}
