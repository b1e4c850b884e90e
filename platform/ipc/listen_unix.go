//go:build linux || darwin

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

// Listener accepts connections on a local socket.
type Listener struct {
	l       *net.UnixListener
	lock    *files.Held
	path    string
	anyUser bool
	self    Peer
	close   func() error
}

// Listen listens on a Unix socket at path, on Windows on the named pipe of that
// name. On Unix the folder is made if it is missing; one that another user owns
// or may write to is refused. The path may be 103 bytes long at most, a pipe's
// name 256.
//
// The listener holds a lock on the file path.lock for as long as it lives. So a
// socket file which a dead listener left is known for what it is and replaced;
// while another lives, the error is an *InUseError. A file at path that is not
// a socket is never removed. A pipe ends with its listener and leaves nothing.
func Listen(path string, o Options) (*Listener, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("listen on %s: the path is %d bytes long, a local socket's may be %d at most", path, len(path), maxPath)
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
		if err != nil || !admits(peer, l.self, l.anyUser) {
			c.Close()
			continue
		}
		return &Conn{Conn: c, Peer: peer}, peer, nil
	}
}

// Addr returns the socket's address.
func (l *Listener) Addr() net.Addr { return l.l.Addr() }

// Close stops listening, removes the socket and releases the lock. Connections
// already accepted live on. It may be called more than once.
func (l *Listener) Close() error { return l.close() }

func (l *Listener) shut() error {
	return errors.Join(l.l.Close(), l.lock.Unlock()) // the first also removes the socket
}

// Dial connects to the socket at path, on Windows to the named pipe. If nobody
// listens there, the error has fs.ErrNotExist (no socket) or
// syscall.ECONNREFUSED (a dead one) in its chain; fs.ErrPermission if the
// system does not let this user connect, or if who listens is not who should
// (ErrStranger): neither this user nor an administrator.
func Dial(ctx context.Context, path string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	// Whose it is was fixed when that program began to listen.
	switch server, err := PeerOf(c); {
	case err != nil:
		c.Close()
		return nil, fmt.Errorf("connect to %s: %w", path, err)
	case !serves(server, Self()):
		c.Close()
		return nil, fmt.Errorf("connect to %s, of %s: %w", path, server, ErrStranger)
	}
	return c, nil
}

// serves reports whether who listens may be an agent of this user: their own, or
// the system's.
func serves(p, self Peer) bool { return p.Known && (p.Same(self) || p.Class == ClassAdministrator) }

// Exists reports whether there is a socket at path, without calling it; whether
// anybody listens is only known by calling. What cannot be looked at is taken
// for there.
func Exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
