package ipc

import (
	"fmt"
	"net"
)

// connected is nil while the tables have this end of a connection, which goes
// from them when the other end resets it. Whose this end is, is not looked at.
func connected(conn *net.TCPConn) error {
	local, err := loopbackAddr(conn.LocalAddr())
	if err != nil {
		return err
	}
	remote, err := loopbackAddr(conn.RemoteAddr())
	if err != nil {
		return err
	}
	for range looks {
		for _, v6 := range []bool{false, true} {
			if local.Addr().Is6() && !v6 {
				continue
			}
			table, err := tcpTable(v6)
			if err != nil {
				return fmt.Errorf("read owner of connection: %w: %w", ErrNoPeer, err)
			}
			open, err := openRows(table, v6, local, remote)
			if err != nil {
				return fmt.Errorf("read owner of connection: %w: %w", ErrNoPeer, err)
			}
			if len(open) > 0 {
				return nil
			}
		}
	}
	return fmt.Errorf("read owner of connection: it is over: %w", ErrNoPeer)
}
