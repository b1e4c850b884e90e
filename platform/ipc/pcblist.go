package ipc

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// The list of TCP sockets that macOS gives by sysctl(3) under
// net.inet.tcp.pcblist_n, as netstat(1) reads it, parsed without a build tag, so
// that it is tested on every system. It is a struct xinpgen, then for each
// socket several records, each led by its length and kind and rounded up to
// eight bytes, then a struct xinpgen again. The layouts are those of XNU's
// <netinet/in_pcb.h>, <sys/socketvar.h> and <netinet/tcp_var.h>, which pack to
// four bytes; a record may be longer than what is read here.
const (
	pcbHead   = 24 // struct xinpgen; no record is as short
	pcbPrefix = 8  // length and kind

	kindSocket = 0x001 // XSO_SOCKET, struct xsocket_n
	kindINPCB  = 0x010 // XSO_INPCB, struct xinpcb_n
	kindTCPCB  = 0x020 // XSO_TCPCB, struct xtcpcb_n
	kindsAll   = kindSocket | kindINPCB | kindTCPCB

	inpForeignPort, inpLocalPort, inpFlags         = 16, 18, 44
	inpForeignAddr, inpLocalAddr, inpLeast, in4in6 = 48, 64, 80, 12
	soState, soUID, soLeast                        = 26, 64, 68
	tcpState, tcpLeast                             = 36, 40

	inpIPv4, inpIPv6 = 0x1, 0x2 // inp_vflag
	noFileRef        = 0x0001   // SS_NOFDREF: no process has it open any more

	// t_state of a socket that a process holds (<netinet/tcp_fsm.h>).
	tcpsEstablished, tcpsCloseWait, tcpsFinWait1, tcpsFinWait2 = 4, 5, 6, 9
)

// errPCBList says that a list is not of the form known here.
var errPCBList = errors.New("a list of sockets that cannot be read")

// pcb is one socket of the list, as far as its records have been read.
type pcb struct {
	kinds         uint32
	local, remote netip.AddrPort
	closed        bool
	uid, state    uint32
}

// socketOwners looks in the list for the sockets from local to remote that a
// process holds, and returns the users that own them, normally none or one. A
// list that breaks off is refused: the missing rest could disagree.
func socketOwners(list []byte, local, remote netip.AddrPort) ([]uint32, error) {
	le := binary.LittleEndian
	if len(list) < pcbHead || le.Uint32(list) < pcbHead || uint64(le.Uint32(list)) > uint64(len(list)) {
		return nil, errPCBList
	}
	var owners []uint32
	var cur pcb
	for at := roundUp8(le.Uint32(list)); ; {
		if at+pcbPrefix > len(list) {
			return nil, errPCBList
		}
		n, kind := le.Uint32(list[at:]), le.Uint32(list[at+4:])
		if n <= pcbHead { // the closing struct xinpgen
			return owners, nil
		}
		if uint64(n) > uint64(len(list)-at) {
			return nil, errPCBList
		}
		if kind == kindINPCB {
			cur = pcb{} // each socket's records begin with this one
		}
		if !cur.read(kind, list[at:at+int(n)]) {
			return nil, errPCBList
		}
		if cur.kinds == kindsAll {
			if cur.heldBetween(local, remote) {
				owners = append(owners, cur.uid)
			}
			cur = pcb{}
		}
		at += roundUp8(n)
	}
}

func roundUp8(n uint32) int { return int((uint64(n) + 7) &^ 7) }

// read takes what is needed from a record; false if it is too short for its
// kind. Kinds that are not needed are passed over.
func (p *pcb) read(kind uint32, b []byte) bool {
	le := binary.LittleEndian
	switch kind {
	case kindINPCB:
		if len(b) < inpLeast {
			return false
		}
		flags := b[inpFlags]
		p.local, p.remote = pcbAddr(b, inpLocalAddr, inpLocalPort, flags), pcbAddr(b, inpForeignAddr, inpForeignPort, flags)
	case kindSocket:
		if len(b) < soLeast {
			return false
		}
		p.closed, p.uid = le.Uint16(b[soState:])&noFileRef != 0, le.Uint32(b[soUID:])
	case kindTCPCB:
		if len(b) < tcpLeast {
			return false
		}
		p.state = le.Uint32(b[tcpState:])
	default:
		return true
	}
	p.kinds |= kind
	return true
}

// pcbAddr reads an address and a port. An IPv4 address lies in the last four of
// the sixteen bytes, whatever the others hold.
func pcbAddr(b []byte, addr, port int, flags byte) netip.AddrPort {
	p := binary.BigEndian.Uint16(b[port:])
	switch {
	case flags&inpIPv6 != 0:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[addr:])).Unmap(), p)
	case flags&inpIPv4 != 0:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[addr+in4in6:])), p)
	}
	return netip.AddrPort{}
}

func (p *pcb) heldBetween(local, remote netip.AddrPort) bool {
	if p.closed || p.local != local || p.remote != remote {
		return false
	}
	switch p.state {
	case tcpsEstablished, tcpsCloseWait, tcpsFinWait1, tcpsFinWait2:
		return true
	}
	return false
}
