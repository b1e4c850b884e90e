package loopback

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// anotherUser connects to the receiver from a socket of another user and gives
// what the receiver answers to a request. The user of a socket is the file
// system user of the thread that made it (credentials(7)).
func anotherUser(t *testing.T, r *Receiver, request string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user: another user's redirect is not tested here")
	}
	runtime.LockOSThread()
	const person = 4711
	if err := syscall.Setfsuid(person); err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if back := syscall.Setfsuid(0); err != nil || back != nil {
		t.Fatal(err, back) // the thread ends with its goroutine
	}
	runtime.UnlockOSThread()
	at := r.listener.Addr().(*net.TCPAddr)
	err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: at.Port, Addr: [4]byte(at.IP.To4())})
	f := os.NewFile(uintptr(fd), "another user")
	defer f.Close()
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprint(c, request)
	var answer strings.Builder
	buf := make([]byte, 1<<10)
	for {
		n, err := c.Read(buf)
		answer.Write(buf[:n])
		if err != nil {
			if os.IsTimeout(err) {
				t.Error("nobody hung up")
			}
			return answer.String()
		}
	}
}

// Another user of this computer can read the link of a sign-in where a browser
// is started with it (ps(1)), and with it the state and what binds a code to
// this sign-in. A code of theirs must not sign this person in as them.
func TestAnotherUsersRedirectIsNotTaken(t *testing.T) {
	r, got := waiting(t, t.Context())
	if r.listener.Addr().Network() != "tcp" || !strings.HasPrefix(r.host, "127.") {
		t.Skipf("the receiver is at %s", r.host)
	}
	for _, request := range []string{
		"GET /callback?code=theirs&state=" + state + " HTTP/1.1\r\nHost: " + r.host + "\r\n\r\n",
		"GET /callback?error=access_denied&state=" + state + " HTTP/1.1\r\nHost: " + r.host + "\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: " + r.host + "\r\n\r\n",
		"",
	} {
		if answer := anotherUser(t, r, request); answer != "" {
			t.Errorf("%q of another user is answered %q", request, answer)
		}
	}
	select {
	case o := <-got:
		t.Fatalf("another user's redirect was taken: %+v", o)
	default:
	}
	if res, _ := ask(t, http.MethodGet, r.RedirectURI()+"?code=mine&state="+state, ""); res.StatusCode != http.StatusSeeOther {
		t.Errorf("the person's own is answered %d", res.StatusCode)
	}
	ask(t, http.MethodGet, "http://"+r.host+"/done", "")
	if o := <-got; o.err != nil || o.res.Code != "mine" {
		t.Errorf("got %+v", o)
	}
}
