package ipc

import (
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Self returns the user this process runs as.
func Self() Peer {
	uid := uint32(os.Geteuid())
	return Peer{Known: true, UID: uid, GID: uint32(os.Getegid()), PID: int32(os.Getpid()), Class: classOf(uid)}
}

// classOf is the class of a user id; macOS has no namespaces of users.
func classOf(uid uint32) Class { return classOfUID(runtime.GOOS, uid, macOSNobody) }

func peerOfUnix(c *net.UnixConn) (Peer, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Peer{}, fmt.Errorf("read peer of local socket: %w", err)
	}
	var cred *unix.Xucred
	var pid int
	var failed error
	if err := raw.Control(func(fd uintptr) {
		if cred, failed = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED); failed == nil {
			pid, failed = unix.GetsockoptInt(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERPID)
		}
	}); err != nil {
		return Peer{}, fmt.Errorf("read peer of local socket: %w", err)
	}
	if failed != nil {
		return Peer{}, fmt.Errorf("read peer of local socket: %w: %w", ErrNoPeer, failed)
	}
	p := Peer{Known: true, UID: cred.Uid, PID: int32(pid), Class: classOf(cred.Uid)}
	if cred.Ngroups > 0 {
		p.GID = cred.Groups[0] // the first is the effective one (<sys/ucred.h>)
	}
	return p, nil
}
