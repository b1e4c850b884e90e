package ipc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// Sizes of struct inet_diag_req_v2 and inet_diag_msg (<linux/inet_diag.h>).
const (
	diagRequest = 56
	diagAnswer  = 72
	// answerTimeout bounds the wait, in seconds. The kernel answers within the
	// call that asks.
	answerTimeout = 2
)

// diagOwnerOf asks the kernel for exactly one socket (sock_diag(7)). /proc/net/tcp
// would come in pieces, between which rows come and go.
func diagOwnerOf(local, remote netip.AddrPort) (Peer, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return Peer{}, fmt.Errorf("read owner of connection: %w: open sock_diag: %w", ErrNoPeer, err)
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: answerTimeout}); err != nil {
		return Peer{}, fmt.Errorf("read owner of connection: %w: bound sock_diag: %w", ErrNoPeer, err)
	}
	if err := unix.Sendto(fd, diagQuestion(local, remote), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return Peer{}, fmt.Errorf("read owner of connection: %w: ask sock_diag: %w", ErrNoPeer, err)
	}
	buf := make([]byte, 4096)
	n, from, err := unix.Recvfrom(fd, buf, 0)
	if err != nil {
		return Peer{}, fmt.Errorf("read owner of connection: %w: read sock_diag: %w", ErrNoPeer, err)
	}
	if nl, ok := from.(*unix.SockaddrNetlink); !ok || nl.Pid != 0 {
		return Peer{}, fmt.Errorf("read owner of connection: an answer not of the kernel: %w", ErrNoPeer)
	}
	uid, err := diagOwner(buf[:n], local, remote)
	if err != nil {
		return Peer{}, fmt.Errorf("read owner of connection: %w: %w", ErrNoPeer, err)
	}
	return Peer{Known: true, UID: uid, Class: classOf(uid)}, nil
}

// diagQuestion is the request for the TCP socket between two addresses.
func diagQuestion(local, remote netip.AddrPort) []byte {
	q := make([]byte, unix.NLMSG_HDRLEN+diagRequest)
	native := binary.NativeEndian
	native.PutUint32(q[0:], uint32(len(q)))
	native.PutUint16(q[4:], unix.SOCK_DIAG_BY_FAMILY)
	native.PutUint16(q[6:], unix.NLM_F_REQUEST)
	r := q[unix.NLMSG_HDRLEN:]
	r[0], r[1] = family(local), unix.IPPROTO_TCP
	native.PutUint32(r[4:], ^uint32(0)) // all states; the answer is judged
	binary.BigEndian.PutUint16(r[8:], local.Port())
	binary.BigEndian.PutUint16(r[10:], remote.Port())
	copy(r[12:28], local.Addr().AsSlice())
	copy(r[28:44], remote.Addr().AsSlice())
	native.PutUint64(r[48:], ^uint64(0)) // INET_DIAG_NOCOOKIE
	return q
}

func family(a netip.AddrPort) byte {
	if a.Addr().Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// diagOwner reads the kernel's answer. A socket that its process closed has no
// inode, and its uid means nothing; one that is only half closed has both.
func diagOwner(answer []byte, local, remote netip.AddrPort) (uint32, error) {
	if len(answer) < unix.NLMSG_HDRLEN+4 {
		return 0, errors.New("short answer")
	}
	native, m := binary.NativeEndian, answer[unix.NLMSG_HDRLEN:]
	switch native.Uint16(answer[4:]) {
	case unix.NLMSG_ERROR:
		return 0, fmt.Errorf("sock_diag: %w", syscall.Errno(-int32(native.Uint32(m))))
	case unix.SOCK_DIAG_BY_FAMILY:
	default:
		return 0, errors.New("an answer of another kind")
	}
	if len(m) < diagAnswer {
		return 0, errors.New("short answer")
	}
	if binary.BigEndian.Uint16(m[4:]) != local.Port() || binary.BigEndian.Uint16(m[6:]) != remote.Port() {
		return 0, errors.New("an answer about another socket")
	}
	switch m[1] {
	case unix.BPF_TCP_ESTABLISHED, unix.BPF_TCP_CLOSE_WAIT, unix.BPF_TCP_FIN_WAIT1, unix.BPF_TCP_FIN_WAIT2:
	default:
		return 0, fmt.Errorf("socket in state %d", m[1])
	}
	if native.Uint32(m[68:]) == 0 {
		return 0, errors.New("socket without an owner")
	}
	return native.Uint32(m[64:]), nil
}
