package ipc

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// The tables of Windows' IP Helper, parsed without a build tag, so that it is
// tested on every system: MIB_TCPTABLE_OWNER_PID and MIB_TCP6TABLE_OWNER_PID
// ("GetExtendedTcpTable"), a number of rows and the rows. Ports are 32-bit
// fields whose first two bytes are the port in network order.
const (
	row4, row6 = 24, 56
	// tcpStates that a process holds: MIB_TCP_STATE_ESTAB, FIN_WAIT1, FIN_WAIT2,
	// CLOSE_WAIT ("MIB_TCPROW_OWNER_PID").
	mibEstablished, mibFinWait1, mibFinWait2, mibCloseWait = 5, 6, 7, 8
)

// errTable says that a table is not as documented.
var errTable = errors.New("a table of connections that cannot be read")

// tcpRow is one connection.
type tcpRow struct {
	local, remote netip.AddrPort
	state, pid    uint32
}

// parseRow4 reads state, local address and port, remote address and port, owner.
func parseRow4(b []byte) tcpRow {
	le := binary.LittleEndian
	at := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[i:])), binary.BigEndian.Uint16(b[i+4:]))
	}
	return tcpRow{local: at(4), remote: at(12), state: le.Uint32(b), pid: le.Uint32(b[20:])}
}

// parseRow6 reads local address, scope and port, remote address, scope and port,
// state, owner. An address that stands for one of IPv4 counts as that one.
func parseRow6(b []byte) tcpRow {
	le := binary.LittleEndian
	at := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[i:])).Unmap(), binary.BigEndian.Uint16(b[i+20:]))
	}
	return tcpRow{local: at(0), remote: at(24), state: le.Uint32(b[48:]), pid: le.Uint32(b[52:])}
}

// openRows looks in a table for the connections from local to remote that are
// open, normally none or one.
func openRows(table []byte, v6 bool, local, remote netip.AddrPort) ([]tcpRow, error) {
	size, parse := row4, parseRow4
	if v6 {
		size, parse = row6, parseRow6
	}
	if len(table) < 4 {
		return nil, errTable
	}
	count, rows := uint64(binary.LittleEndian.Uint32(table)), table[4:]
	if count > uint64(len(rows)/size) {
		return nil, errTable
	}
	var open []tcpRow
	for i := range int(count) {
		r := parse(rows[i*size : (i+1)*size])
		if r.local != local || r.remote != remote {
			continue
		}
		switch r.state {
		case mibEstablished, mibFinWait1, mibFinWait2, mibCloseWait:
			open = append(open, r)
		}
	}
	return open, nil
}

// owningPIDs are the numbers of the processes that hold such connections.
func owningPIDs(table []byte, v6 bool, local, remote netip.AddrPort) ([]uint32, error) {
	open, err := openRows(table, v6, local, remote)
	var pids []uint32
	for _, r := range open {
		if r.pid != 0 { // 0 holds what a process has left
			pids = append(pids, r.pid)
		}
	}
	return pids, err
}
