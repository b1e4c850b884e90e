package ipc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"time"
	"unsafe"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"
)

// holderTime bounds the question who holds a pipe.
const holderTime = 500 * time.Millisecond

// Dial connects to the named pipe of that name; elsewhere to the Unix socket at
// path. If nobody listens there, the error has fs.ErrNotExist in its chain;
// fs.ErrPermission if the system does not let this user connect, or if who
// listens is not who should (ErrStranger). While the listener is busy it tries
// on until ctx ends.
func Dial(ctx context.Context, path string) (net.Conn, error) {
	if err := checkPipeName(path); err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	// The level that lets the agent read who this is, and nothing more: who
	// serves could be anybody.
	c, err := winio.DialPipeAccessImpLevel(ctx, path, callersRights, winio.PipeImpLevelIdentification)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	server, err := serverOf(c)
	if err == nil && !mayServe(path, server.SID, Self().SID) {
		err = ErrStranger
	}
	if err == nil {
		err = sayHello(ctx, c)
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("dial %s: %w", path, err)
	}
	return &Conn{Conn: c, Peer: server}, nil
}

// sayHello sends the byte after which the other end may ask who this is.
func sayHello(ctx context.Context, c net.Conn) error {
	deadline, _ := ctx.Deadline()
	return errors.Join(c.SetWriteDeadline(deadline), one(c.Write([]byte{hello})), c.SetWriteDeadline(time.Time{}))
}

func one(_ int, err error) error { return err }

// serverOf is the owner of the pipe and the process that serves it.
func serverOf(c net.Conn) (Peer, error) {
	h, err := handleOf(c)
	if err != nil {
		return Peer{}, err
	}
	sd, err := windows.GetSecurityInfo(h, windows.SE_KERNEL_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return Peer{}, fmt.Errorf("read whose the pipe is: %w: %w", ErrNoPeer, err)
	}
	owner, _, err := sd.Owner()
	if err != nil || owner == nil || !owner.IsValid() {
		return Peer{}, fmt.Errorf("read whose the pipe is: %w", ErrNoPeer)
	}
	p := Peer{Known: true, SID: owner.String()}
	runtime.KeepAlive(sd)
	if p.Class = classOfToken(p.SID, nil); p.SID == sidAdministrators {
		p.Class = ClassAdministrator
	}
	var pid uint32
	if windows.GetNamedPipeServerProcessId(h, &pid) == nil {
		p.PID = int32(pid)
	}
	return p, nil
}

// holderOf names the process that serves a pipe, "" if nobody answers.
func holderOf(path string) string {
	if !Exists(path) {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), holderTime)
	defer cancel()
	c, err := winio.DialPipeAccessImpLevel(ctx, path, callersRights, winio.PipeImpLevelIdentification)
	if err != nil {
		return ""
	}
	defer c.Close()
	p, err := serverOf(c)
	if err != nil || p.PID == 0 {
		return "a process that does not say which"
	}
	return fmt.Sprintf("pid %d", p.PID)
}

// Exists reports whether somebody listens on the pipe, without calling it. What
// cannot be looked at is taken for there.
func Exists(path string) bool {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return false
	}
	wait := windows.NewLazySystemDLL("kernel32.dll").NewProc("WaitNamedPipeW")
	if wait.Find() != nil {
		return true
	}
	const ms = 1 // 0 would mean the pipe's own default
	ok, _, err := wait.Call(uintptr(unsafe.Pointer(name)), ms)
	return ok != 0 || !errors.Is(err, windows.ERROR_FILE_NOT_FOUND)
}

// settle makes a new pipe usable under Wine, where the library's first instance,
// which is there only to hold the name, takes the first caller and never
// answers: one call uses it up. Elsewhere it does nothing.
func settle(path string, l net.Listener) error {
	if windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	c, err := winio.DialPipeContext(ctx, path)
	if err == nil {
		err = c.Close()
	}
	if err != nil {
		return fmt.Errorf("listen on %s: %w", path, errors.Join(err, l.Close()))
	}
	return nil
}
