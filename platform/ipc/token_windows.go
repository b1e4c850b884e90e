package ipc

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/windows"
)

// handleOf is the handle of a pipe's end, good while c is open.
func handleOf(c net.Conn) (windows.Handle, error) {
	f, ok := c.(interface{ Fd() uintptr })
	if !ok {
		return 0, fmt.Errorf("read peer of %T: no handle: %w", c, ErrNoPeer)
	}
	return windows.Handle(f.Fd()), nil
}

// callerOf asks the system who is at the other end of a server's connection
// from which something has been read. The goroutine that calls it must end soon
// after an error: see impersonated.
func callerOf(c net.Conn) (Peer, error) {
	h, err := handleOf(c)
	if err != nil {
		return Peer{}, err
	}
	token, err := impersonated(h)
	if err != nil {
		return Peer{}, fmt.Errorf("read peer of pipe: %w: %w", ErrNoPeer, err)
	}
	defer token.Close()
	peer, err := peerOfToken(token)
	if err != nil {
		return Peer{}, fmt.Errorf("read peer of pipe: %w: %w", ErrNoPeer, err)
	}
	var pid uint32
	if windows.GetNamedPipeClientProcessId(h, &pid) == nil {
		peer.PID = int32(pid)
	}
	return peer, nil
}

// impersonated is the access token of the caller at the other end of a pipe
// ("Impersonating a Named Pipe Client"). The thread takes on the caller's
// identity for as long as opening the token takes. Should it not get rid of it
// again, it stays locked to this goroutine, and the runtime ends it together
// with the goroutine instead of using it for another.
func impersonated(h windows.Handle) (windows.Token, error) {
	impersonate := windows.NewLazySystemDLL("advapi32.dll").NewProc("ImpersonateNamedPipeClient")
	if err := impersonate.Find(); err != nil {
		return 0, err
	}
	runtime.LockOSThread()
	if ok, _, err := impersonate.Call(uintptr(h)); ok == 0 {
		runtime.UnlockOSThread()
		return 0, fmt.Errorf("impersonate: %w", err)
	}
	var token windows.Token
	// Opened as the agent itself: an identification token opens nothing.
	err := windows.OpenThreadToken(windows.CurrentThread(), windows.TOKEN_QUERY, true, &token)
	if back := windows.RevertToSelf(); back != nil {
		if err == nil {
			token.Close()
		}
		return 0, fmt.Errorf("end impersonation: %w", back)
	}
	runtime.UnlockOSThread()
	if err != nil {
		return 0, fmt.Errorf("open token: %w", err)
	}
	return token, nil
}

// peerOfToken is the user of a token.
func peerOfToken(t windows.Token) (Peer, error) {
	user, err := t.GetTokenUser()
	if err != nil {
		return Peer{}, fmt.Errorf("read user of token: %w", err)
	}
	all, err := t.GetTokenGroups()
	if err != nil {
		return Peer{}, fmt.Errorf("read groups of token: %w", err)
	}
	var groups []group
	for _, g := range all.AllGroups() {
		inForce := g.Attributes&windows.SE_GROUP_ENABLED != 0 && g.Attributes&windows.SE_GROUP_USE_FOR_DENY_ONLY == 0
		groups = append(groups, group{g.Sid.String(), inForce})
	}
	runtime.KeepAlive(all)
	var session, n uint32
	if err := windows.GetTokenInformation(t, windows.TokenSessionId, (*byte)(unsafe.Pointer(&session)), uint32(unsafe.Sizeof(session)), &n); err != nil {
		return Peer{}, fmt.Errorf("read session of token: %w", err)
	}
	p := Peer{Known: true, SID: user.User.Sid.String(), Session: session}
	runtime.KeepAlive(user)
	if p.SID == "" {
		return Peer{}, errors.New("token without a user")
	}
	p.Class = classOfToken(p.SID, groups)
	return p, nil
}

// Self returns the user this process runs as, nobody if the system does not say.
func Self() Peer {
	p, err := peerOfToken(windows.GetCurrentProcessToken())
	if err != nil {
		return Peer{}
	}
	p.PID = int32(os.Getpid())
	return p
}

// peerOfUnix knows nobody: Unix sockets on Windows carry no caller identity;
// named pipes do.
func peerOfUnix(*net.UnixConn) (Peer, error) {
	return Peer{}, fmt.Errorf("read peer of local socket: %w: Unix sockets on Windows do not say: %w", ErrNoPeer, errors.ErrUnsupported)
}
