package ipc

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/windows"
)

const (
	// ownerPIDAll is TCP_TABLE_OWNER_PID_ALL of TCP_TABLE_CLASS.
	ownerPIDAll = 5
	// maxTable bounds what is read of a table, in bytes.
	maxTable = 32 << 20
	// looks is how often the tables are read for a row that is not there: a table
	// is made while connections come and go.
	looks = 3
	// growing is how often a table may have grown between being measured and
	// being read.
	growing = 8
)

// ownerOf finds the process of a connection, then its user, then looks again:
// the process is held open meanwhile, so its number cannot have gone to another,
// and the connection must still be that number's and its process alive.
func ownerOf(local, remote netip.AddrPort) (Peer, error) {
	pid, err := holderOfTCP(local, remote)
	for range looks - 1 {
		if !errors.Is(err, errNoRow) {
			break
		}
		pid, err = holderOfTCP(local, remote)
	}
	if err != nil {
		return Peer{}, fmt.Errorf("read owner of connection: %w: %w", ErrNoPeer, err)
	}
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION|windows.SYNCHRONIZE, false, pid)
	if err != nil {
		return Peer{}, fmt.Errorf("read owner of connection: open process %d: %w: %w", pid, ErrNoPeer, err)
	}
	defer windows.CloseHandle(process)
	p, err := userOfProcess(process)
	if err != nil {
		return Peer{}, fmt.Errorf("read owner of connection: process %d: %w: %w", pid, ErrNoPeer, err)
	}
	again, err := holderOfTCP(local, remote)
	if err != nil || again != pid {
		return Peer{}, fmt.Errorf("read owner of connection: it has changed hands: %w: %w", ErrNoPeer, err)
	}
	if state, err := windows.WaitForSingleObject(process, 0); err != nil || state != uint32(windows.WAIT_TIMEOUT) {
		return Peer{}, fmt.Errorf("read owner of connection: process %d has ended: %w", pid, ErrNoPeer)
	}
	return p, nil
}

// userOfProcess is the user of a process' own token.
func userOfProcess(process windows.Handle) (Peer, error) {
	var token windows.Token
	if err := windows.OpenProcessToken(process, windows.TOKEN_QUERY, &token); err != nil {
		return Peer{}, fmt.Errorf("open token: %w", err)
	}
	defer token.Close()
	p, err := peerOfToken(token)
	return p, err
}

// errNoRow says that no table has the connection.
var errNoRow = errors.New("not in the system's tables")

// holderOfTCP is the process that the tables name for a connection; they must
// name one.
func holderOfTCP(local, remote netip.AddrPort) (uint32, error) {
	var pids []uint32
	for _, v6 := range []bool{false, true} {
		if local.Addr().Is6() && !v6 {
			continue
		}
		table, err := tcpTable(v6)
		if err != nil {
			return 0, err
		}
		found, err := owningPIDs(table, v6, local, remote)
		if err != nil {
			return 0, err
		}
		pids = append(pids, found...)
	}
	slices.Sort(pids)
	switch pids = slices.Compact(pids); len(pids) {
	case 0:
		return 0, errNoRow
	case 1:
		return pids[0], nil
	}
	return 0, fmt.Errorf("listed for %d processes", len(pids))
}

// tcpTable reads all connections with the processes that hold them.
func tcpTable(v6 bool) ([]byte, error) {
	get := windows.NewLazySystemDLL("iphlpapi.dll").NewProc("GetExtendedTcpTable")
	if err := get.Find(); err != nil {
		return nil, err
	}
	family := uintptr(windows.AF_INET)
	if v6 {
		family = windows.AF_INET6
	}
	size := uint32(32 << 10)
	for range growing {
		// Rows are made of 32-bit numbers and are to be aligned like them.
		words := make([]uint32, (size+3)/4)
		size = uint32(len(words) * 4)
		code, _, _ := get.Call(uintptr(unsafe.Pointer(&words[0])), uintptr(unsafe.Pointer(&size)), 0, family, ownerPIDAll, 0)
		switch windows.Errno(code) {
		case windows.NO_ERROR:
			b := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(words)*4)
			runtime.KeepAlive(words)
			return b, nil
		case windows.ERROR_INSUFFICIENT_BUFFER:
			if size > maxTable {
				return nil, errTable
			}
			size += size / 8 // it grows while nobody looks
		default:
			return nil, fmt.Errorf("GetExtendedTcpTable: %w", windows.Errno(code))
		}
	}
	return nil, errTable
}
