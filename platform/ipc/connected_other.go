//go:build !linux && !darwin && !windows

package ipc

import "net"

// connected says nothing: whose a connection is is not known here either.
func connected(*net.TCPConn) error { return nil }
