// Package ipc is the local socket between programs of one machine, and says which user is calling.
//
// On Linux and macOS it is a Unix socket and the caller is whom the kernel
// states for the connection (SO_PEERCRED, LOCAL_PEERCRED). On Windows it is a
// named pipe and the caller is whom the kernel lets the server impersonate.
//
// Dial asks in turn who listens, and speaks to this user's own programs and to
// administrators' alone (ErrStranger): a path may lead where another user was
// first, as one from the environment that su(1) left in place.
//
// # Windows
//
// A path is the name of a pipe, \\.\pipe\…, which exists as long as its
// listener and of which there is one listener: the first instance is made so
// that it fails if there is one. The security descriptor lets LocalSystem and
// administrators do everything and the machine's users call (with AnyUser, else
// the agent's own user alone); nobody but the agent may make a further instance
// of the pipe and so serve beside it. Other machines are kept out by the pipe
// itself; people who came over SSH, which is a log-on over the network, are not.
// What the descriptor says is asked again in code, from the caller's token: a
// system that does not enforce descriptors changes nothing of it.
//
// The caller's token comes from ImpersonateNamedPipeClient, at identification
// level, which is enough to read it and too little to act with it. The kernel
// fixed it when the caller opened the pipe or wrote to it. The process number
// of the caller (GetNamedPipeClientProcessId) is only told for logs: the
// process may end and its number go to another before its token is opened, and
// a handle may be handed to another process, so that an identity found by it
// can be raced. Impersonation works only once something has been read from the
// pipe (error 1368, ERROR_CANNOT_IMPERSONATE), therefore Dial sends one byte
// first and Accept takes it. A caller who does not send it in time is hung up
// on and holds up nobody.
//
// Dial in turn asks whose the pipe is and refuses one that is not the agent's
// (ErrStranger): LocalSystem's or the administrators' for the system's agent,
// this user's own for a user's. A pipe's name is free for whoever comes first;
// its owner cannot be made up.
package ipc

import (
	"context"
	"fmt"
	"io/fs"
	"net"
)

// Options say who may connect.
type Options struct {
	// AnyUser lets every user of the machine connect (mode 0666, folder 0755; on
	// Windows every user who is logged on at the machine); what a caller may then
	// do is the handlers' matter. Without it only this user and administrators may
	// (mode 0600, folder 0700).
	AnyUser bool
}

// InUseError says that a living process listens at Path.
type InUseError struct {
	Path string
	// Holder is what that process wrote about itself, or its number, "" if unknown.
	Holder string
}

func (e *InUseError) Error() string {
	holder := e.Holder
	if holder == "" {
		holder = "another process"
	}
	return fmt.Sprintf("listen on %s: in use by %s", e.Path, holder)
}

// strangerError is the type of ErrStranger, which is also fs.ErrPermission.
type strangerError struct{}

func (strangerError) Error() string     { return "it belongs to another user than its name says" }
func (strangerError) Is(err error) bool { return err == fs.ErrPermission }

// ErrStranger is in the chain when Dial finds that who listens is not who
// should: on Windows anybody can take a free name, elsewhere a free path in a
// folder that is not this user's. errors.Is says of it that it is
// fs.ErrPermission too.
var ErrStranger error = strangerError{}

// admits reports whether a caller may connect at all.
func admits(p, self Peer, anyUser bool) bool {
	return p.Known && (anyUser || p.Same(self) || p.Class == ClassAdministrator)
}

// NetListener returns l as a net.Listener for http.Server. Its connections are
// *Conn; with ConnContext as the server's ConnContext, handlers learn the caller
// from PeerFrom.
func (l *Listener) NetListener() net.Listener { return netListener{l} }

type netListener struct{ *Listener }

func (n netListener) Accept() (net.Conn, error) {
	c, _, err := n.Listener.Accept()
	return c, err
}

type peerKey struct{}

// ConnContext is for http.Server.ConnContext: it puts the caller into the
// context of every request on c.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	peer, err := PeerOf(c)
	if err != nil {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, peer)
}

// PeerFrom returns the caller that ConnContext put into ctx, else the zero Peer,
// who is nobody.
func PeerFrom(ctx context.Context) Peer {
	peer, _ := ctx.Value(peerKey{}).(Peer)
	return peer
}
