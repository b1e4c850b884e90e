package ipc

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

func supported() error { return nil }

// Self returns the user this process runs as.
func Self() Peer {
	return Peer{Known: true, UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), PID: int32(os.Getpid())}
}

func peerOfUnix(c *net.UnixConn) (Peer, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Peer{}, fmt.Errorf("read peer of local socket: %w", err)
	}
	var cred *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return Peer{}, fmt.Errorf("read peer of local socket: %w", err)
	}
	if failed != nil {
		return Peer{}, fmt.Errorf("read peer of local socket: %w: %w", ErrNoPeer, failed)
	}
	// A socket that was never connected to has the uid -1 (unix(7)).
	if cred.Uid == ^uint32(0) {
		return Peer{}, fmt.Errorf("read peer of local socket: %w", ErrNoPeer)
	}
	return Peer{Known: true, UID: cred.Uid, GID: cred.Gid, PID: cred.Pid}, nil
}
