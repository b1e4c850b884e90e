package ipc

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/postern-zt/postern/platform/files"
)

// Self returns the user this process runs as.
func Self() Peer {
	uid := uint32(os.Geteuid())
	return Peer{Known: true, UID: uid, GID: uint32(os.Getegid()), PID: int32(os.Getpid()), Class: classOf(uid)}
}

// classOf is the class of a user id of this namespace. Without /proc the
// overflow id is taken to be the usual one.
func classOf(uid uint32) Class {
	overflow := uint64(linuxNobody)
	if text, err := files.ReadLimited("/proc/sys/kernel/overflowuid", 64); err == nil {
		if id, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32); err == nil {
			overflow = id
		}
	}
	return classOfUID(runtime.GOOS, uid, uint32(overflow))
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
	return Peer{Known: true, UID: cred.Uid, GID: cred.Gid, PID: cred.Pid, Class: classOf(cred.Uid)}, nil
}
