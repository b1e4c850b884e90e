package ipc

import (
	"errors"
	"net"
	"os"
	"runtime"
)

// OwnUser is a listener on loopback that hangs up on other users of this
// machine. Let in are this process' own user and administrators, who can do what
// this process can without asking it. Where the system cannot tell who calls at
// all (errors.ErrUnsupported), everybody is; where it does not tell of one
// connection, that one is hung up on. Under WSL, where the browser is a program
// of Windows that this kernel does not know, l is returned as it is.
func OwnUser(l net.Listener) net.Listener {
	if runtime.GOOS == "linux" && os.Getenv("WSL_DISTRO_NAME") != "" {
		return l
	}
	return ownUser{l, Self(), LoopbackOwner}
}

type ownUser struct {
	net.Listener
	self Peer
	// ownerOf is LoopbackOwner.
	ownerOf func(*net.TCPConn) (Peer, error)
}

func (l ownUser) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.admits(c) {
			return c, nil
		}
		c.Close()
	}
}

func (l ownUser) admits(c net.Conn) bool {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return false
	}
	who, err := l.ownerOf(tcp)
	if err != nil {
		return errors.Is(err, errors.ErrUnsupported)
	}
	return who.Known && (who.Same(l.self) || who.Class == ClassAdministrator)
}
