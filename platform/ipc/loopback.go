package ipc

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
)

// LoopbackOwner returns the user who owns the other end of a TCP connection
// over loopback. It must be asked while that end is open: once its process has
// closed it, the error has ErrNoPeer in its chain, as it has when the rows
// disagree or conn is not between two loopback addresses. PID and GID are not
// stated.
//
// What arrived on a connection stays readable after the other end has reset it,
// and its port may be another user's by then. Therefore conn must be connected
// still after the look: as long as it is, its two addresses are nobody else's.
//
// Linux asks the kernel for that one socket (sock_diag(7)) and, where it does
// not answer, reads /proc/net/tcp and /proc/net/tcp6 (proc_pid_net(5)), that is
// the network namespace of this process. macOS looks in the kernel's list of
// sockets (sysctl net.inet.tcp.pcblist_n). Windows looks up the process in the
// tables of connections (GetExtendedTcpTable) and asks for its user, which needs
// the right to read its token: a user's own agent learns of that user's programs
// alone, and not of those that run elevated.
func LoopbackOwner(conn *net.TCPConn) (Peer, error) { return ownerBy(conn, ownerOf) }

// ownerBy is LoopbackOwner with a way to look.
func ownerBy(conn *net.TCPConn, look func(local, remote netip.AddrPort) (Peer, error)) (Peer, error) {
	local, err := loopbackAddr(conn.LocalAddr())
	if err != nil {
		return Peer{}, err
	}
	remote, err := loopbackAddr(conn.RemoteAddr())
	if err != nil {
		return Peer{}, err
	}
	// Who hung up while waiting to be accepted costs no search through tables.
	if err := connected(conn); err != nil {
		return Peer{}, err
	}
	// Seen from the other end, its local address is our remote one.
	p, err := look(remote, local)
	if err == nil {
		err = connected(conn)
	}
	if err != nil {
		return Peer{}, err
	}
	return p, nil
}

func loopbackAddr(a net.Addr) (netip.AddrPort, error) {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("read owner of connection: %v is no TCP address: %w", a, ErrNoPeer)
	}
	ap := tcp.AddrPort()
	ap = netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
	if !ap.Addr().IsLoopback() {
		return netip.AddrPort{}, fmt.Errorf("read owner of connection: %v is not a loopback address: %w", ap, ErrNoPeer)
	}
	return ap, nil
}

// The columns of /proc/net/tcp and tcp6 that matter here.
const (
	colLocal, colRemote, colState, colUID, colInode = 1, 2, 3, 7, 9
)

// openStates are those of a socket that a process holds, as /proc/net/tcp
// writes them (<netinet/tcp.h>): established, half closed by either side.
var openStates = [...]string{"01", "04", "05", "08"}

// findOwner looks in the text of /proc/net/tcp or tcp6 for the sockets from
// local to remote and returns the users that own them, normally none or one.
// Addresses written as IPv4 in IPv6 count as IPv4. A row in another state, or
// without an inode (TIME_WAIT, closed by its process), has no owner: its uid
// column is 0 and means nothing. Rows that cannot be read are passed over.
func findOwner(table []byte, local, remote netip.AddrPort) []uint32 {
	var owners []uint32
	lines := bufio.NewScanner(bytes.NewReader(table))
	for lines.Scan() {
		f := bytes.Fields(lines.Bytes())
		if len(f) <= colInode {
			continue
		}
		if a, ok := parseAddr(f[colLocal]); !ok || a != local {
			continue
		}
		if a, ok := parseAddr(f[colRemote]); !ok || a != remote {
			continue
		}
		if !slices.Contains(openStates[:], string(f[colState])) {
			continue
		}
		if inode, err := strconv.ParseUint(string(f[colInode]), 10, 64); err != nil || inode == 0 {
			continue
		}
		uid, err := strconv.ParseUint(string(f[colUID]), 10, 32)
		if err != nil {
			continue
		}
		owners = append(owners, uint32(uid))
	}
	return owners
}

// parseAddr reads "0100007F:1F90". The kernel prints each 32-bit word of the
// address as a number in this machine's byte order, the port as a plain one.
func parseAddr(text []byte) (netip.AddrPort, bool) {
	host, port, ok := bytes.Cut(text, []byte(":"))
	if !ok || len(port) != 4 || len(host) != 8 && len(host) != 32 {
		return netip.AddrPort{}, false
	}
	var ip [16]byte
	n, err := hex.Decode(ip[:], host)
	if err != nil {
		return netip.AddrPort{}, false
	}
	for i := 0; i < n; i += 4 {
		binary.NativeEndian.PutUint32(ip[i:], binary.BigEndian.Uint32(ip[i:]))
	}
	addr, _ := netip.AddrFromSlice(ip[:n])
	p, err := strconv.ParseUint(string(port), 16, 16)
	if err != nil {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(p)), true
}
