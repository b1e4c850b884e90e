package ipc

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

// ErrNoPeer is in the chain when the system does not say who is at the other
// end of a connection.
var ErrNoPeer = errors.New("peer unknown")

// Peer is an operating system user at one end of a connection, as the kernel
// states it. The zero Peer is nobody.
type Peer struct {
	// Known is set only where the kernel said who it is; without it the other
	// fields mean nothing (a UID of 0 would be root).
	Known bool
	// UID is the effective user id on Unix.
	UID uint32
	// GID is the effective group id on Unix, where the source states it: not
	// from LoopbackOwner.
	GID uint32
	// SID is the user's security identifier on Windows, "" elsewhere.
	SID string
	// Session is the terminal services session on Windows in which the caller is
	// logged on: several people, or one several times (fast user switching,
	// remote desktop), have one each. 0, which is where services run, elsewhere.
	Session uint32
	// Class is what kind of user it is, "" if nobody knows.
	Class Class
	// PID is the process that made the connection, 0 if not stated. It is for
	// logs: the process may have ended and its number have gone to another.
	PID int32
}

// Same reports whether p and q are the same user. Nobody is the same as nobody;
// process, group, session and class do not count: who signed in at the machine
// is the same person by remote desktop.
func (p Peer) Same(q Peer) bool {
	return p.Known && q.Known && p.UID == q.UID && p.SID == q.SID
}

// String names the user for a log line.
func (p Peer) String() string {
	switch {
	case !p.Known:
		return "unknown user"
	case p.SID != "":
		return "SID " + p.SID
	}
	return "uid " + strconv.FormatUint(uint64(p.UID), 10)
}

// Conn is an accepted connection together with who is calling.
type Conn struct {
	net.Conn
	Peer Peer
}

// PeerOf returns who is at the other end of a connection over a local socket,
// as it was when the connection was made: Linux SO_PEERCRED (unix(7)), macOS
// LOCAL_PEERCRED and LOCAL_PEERPID (unix(4), <sys/un.h>). A *Conn says it
// itself; on Windows every connection of this room is one, and to who dialled
// it names the owner of the pipe, which may be the group of administrators
// (S-1-5-32-544). For other connections the error has ErrNoPeer in its chain.
//
// On Linux a user who does not exist in this process's user namespace appears
// as the overflow uid, 65534 unless changed (user_namespaces(7)).
func PeerOf(c net.Conn) (Peer, error) {
	switch c := c.(type) {
	case *Conn:
		if c.Peer.Known {
			return c.Peer, nil
		}
		return PeerOf(c.Conn)
	case *net.UnixConn:
		return peerOfUnix(c)
	}
	return Peer{}, fmt.Errorf("read peer of %T: not a local socket: %w", c, ErrNoPeer)
}
