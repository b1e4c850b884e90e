// Package ipc is the local socket between programs of one machine, and says which user is calling.
package ipc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/postern-zt/postern/platform/files"
)

// maxPath is the longest path of a socket that every system takes: sun_path
// holds 104 bytes on macOS (unix(4)) and 108 on Linux (unix(7)), with the
// closing zero byte.
const maxPath = 103

// Options say who may connect.
type Options struct {
	// AnyUser lets every user of the machine connect (mode 0666, folder 0755);
	// what a caller may then do is the handlers' matter. Without it only this
	// user and root may (mode 0600, folder 0700).
	AnyUser bool
}

// InUseError says that a living process listens at Path.
type InUseError struct {
	Path string
	// Holder is what that process wrote about itself, "" if unknown.
	Holder string
}

func (e *InUseError) Error() string {
	holder := e.Holder
	if holder == "" {
		holder = "another process"
	}
	return fmt.Sprintf("listen on %s: in use by %s", e.Path, holder)
}

// Listener accepts connections on a local socket.
type Listener struct {
	l       *net.UnixListener
	lock    *files.Held
	path    string
	anyUser bool
	self    Peer
	close   func() error
}

// Listen listens on a Unix socket at path. The folder is made if it is missing;
// one that another user owns or may write to is refused. The path may be 103
// bytes long at most.
//
// The listener holds a lock on the file path.lock for as long as it lives. So a
// socket file which a dead listener left is known for what it is and replaced;
// while another lives, the error is an *InUseError. A file at path that is not
// a socket is never removed.
func Listen(path string, o Options) (*Listener, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("listen on %s: the path is %d bytes long, a local socket's may be %d at most", path, len(path), maxPath)
	}
	if err := supported(); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	mkdir, mode := files.MkdirOwnerOnly, fs.FileMode(0o600)
	if o.AnyUser {
		mkdir, mode = files.MkdirShared, 0o666
	}
	if err := mkdir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	lock, err := files.Lock(path+".lock", fmt.Sprintf("%s pid %d", filepath.Base(os.Args[0]), os.Getpid()))
	var locked *files.LockedError
	if errors.As(err, &locked) {
		return nil, &InUseError{Path: path, Holder: locked.Holder}
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	l, err := bind(path, mode)
	if err != nil {
		lock.Unlock()
		return nil, err
	}
	ours := &Listener{l: l, lock: lock, path: path, anyUser: o.AnyUser, self: Self()}
	ours.close = sync.OnceValue(ours.shut)
	return ours, nil
}

// bind makes the socket at path, in the place of a dead one.
func bind(path string, mode fs.FileMode) (*net.UnixListener, error) {
	if err := clearStale(path); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err // a *net.OpError, which says all
	}
	// Between bind and here the umask ruled; Accept asks the kernel who calls,
	// so nobody gains by having been quicker.
	if err := os.Chmod(path, mode); err != nil {
		l.Close()
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return l, nil
}

// clearStale removes the socket of a dead listener. Ours are told by the lock;
// a listener that does not know of the lock is told by its answering.
func clearStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listen on %s: %w", path, err)
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("listen on %s: a file that is not a socket is in the way", path)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return &InUseError{Path: path}
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("listen on %s: remove dead socket: %w", path, err)
	}
	return nil
}

// Accept waits for a connection and returns it, a *Conn, with who is calling.
// A caller whose user the kernel does not state, or who may not connect under
// the listener's options, is hung up on and never returned. After Close the
// error has net.ErrClosed in its chain.
func (l *Listener) Accept() (net.Conn, Peer, error) {
	for {
		c, err := l.l.AcceptUnix()
		if err != nil {
			return nil, Peer{}, err
		}
		peer, err := peerOfUnix(c)
		if err != nil || !l.admits(peer) {
			c.Close()
			continue
		}
		return &Conn{Conn: c, Peer: peer}, peer, nil
	}
}

func (l *Listener) admits(p Peer) bool {
	return p.Known && (l.anyUser || p.Same(l.self) || p.UID == 0)
}

// Addr returns the socket's address.
func (l *Listener) Addr() net.Addr { return l.l.Addr() }

// Close stops listening, removes the socket and releases the lock. Connections
// already accepted live on. It may be called more than once.
func (l *Listener) Close() error { return l.close() }

func (l *Listener) shut() error {
	return errors.Join(l.l.Close(), l.lock.Unlock()) // the first also removes the socket
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

// Dial connects to the socket at path. If nobody listens there, the error has
// fs.ErrNotExist (no socket) or syscall.ECONNREFUSED (a dead one) in its chain.
func Dial(ctx context.Context, path string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", path)
}
