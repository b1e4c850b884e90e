package statuspage

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asked sends a request from a socket of a user and gives the beginning of the
// answer. A socket is the user's as whom its thread works with files when it is
// made (credentials(7)).
func asked(t *testing.T, p *Page, uid int, request string) string {
	t.Helper()
	runtime.LockOSThread()
	if err := syscall.Setfsuid(uid); err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if back := syscall.Setfsuid(os.Geteuid()); err != nil || back != nil {
		t.Fatal(err, back) // the thread ends with its goroutine
	}
	runtime.UnlockOSThread()
	at := p.listener.Addr().(*net.TCPAddr)
	err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: at.Port, Addr: [4]byte(at.IP.To4())})
	f := os.NewFile(uintptr(fd), "a user's socket")
	defer f.Close()
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(4 * headerTimeout))
	fmt.Fprint(c, request)
	buf := make([]byte, 1<<10)
	n, err := c.Read(buf)
	if os.IsTimeout(err) {
		t.Errorf("user %d is neither answered nor hung up on", uid)
	}
	return string(buf[:n])
}

// Another user of this computer who has read the link, as ps(1) shows it, is
// hung up on, and spends it not.
func TestAnotherUserWithTheLink(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user: the page in front of another user is not tested here")
	}
	p := newPage(t, signedIn())
	_, fragment, _ := strings.Cut(p.Link(SectionTop), "#")
	token, _, _ := strings.Cut(fragment, ".")
	body := `{"token":"` + token + `"}`
	enter := fmt.Sprintf("POST /api/enter HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", p.host, len(body), body)
	for _, uid := range []int{4711, 33, 65534} {
		if got := asked(t, p, uid, enter); got != "" {
			t.Errorf("user %d gets %q", uid, got)
		}
	}
	if got := asked(t, p, os.Geteuid(), enter); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
		t.Errorf("the person gets %q", got)
	}
}
