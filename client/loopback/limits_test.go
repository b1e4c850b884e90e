package loopback

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// dialled is a connection to a receiver that waits.
func dialled(t *testing.T) (*Receiver, net.Conn) {
	t.Helper()
	r, _ := waiting(t, t.Context())
	c, err := net.Dial("tcp", r.host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(4 * headerTimeout))
	return r, c
}

// What a program can make the receiver hold is bounded, in size and in time.
func TestLimits(t *testing.T) {
	t.Run("size", func(t *testing.T) {
		t.Parallel()
		r, c := dialled(t)
		go fmt.Fprintf(c, "GET /callback?code=%s&state=%s HTTP/1.1\r\nHost: %s\r\n\r\n", strings.Repeat("x", 2*maxHeader), state, r.host)
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("an endless address: %v, %v", res, err)
		}
	})
	for name, said := range map[string]string{
		"silence":                  "",
		"half a header":            "GET /callback?code=c",
		"a body that does not end": "POST /callback HTTP/1.1\r\nHost: H\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ncode=c",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, c := dialled(t)
			fmt.Fprint(c, strings.Replace(said, "H\r", r.host+"\r", 1))
			if _, err := io.Copy(io.Discard, c); err != nil {
				t.Errorf("not hung up on: %v", err)
			}
		})
	}
	t.Run("one request", func(t *testing.T) {
		t.Parallel()
		r, c := dialled(t)
		began := time.Now()
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", r.host)
		if _, err := io.Copy(io.Discard, c); err != nil || time.Since(began) > headerTimeout/2 {
			t.Errorf("after its answer a connection is held: %v, %v", time.Since(began), err)
		}
	})
}

// Whatever is answered, it says so to nobody else and in nobody's frame.
func TestEveryAnswerIsClosedIn(t *testing.T) {
	r, _ := waiting(t, t.Context())
	for _, path := range []string{"/", "/callback", "/callback?code=c&state=x", "/done", "/other"} {
		for _, host := range []string{"", "rebound.example"} {
			res, _ := ask(t, http.MethodGet, "http://"+r.host+path, host)
			for name, want := range map[string]string{"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Content-Security-Policy": policy} {
				if got := res.Header.Get(name); got != want {
					t.Errorf("%s for %q: %s is %q", path, host, name, got)
				}
			}
			if res.Header.Get("Access-Control-Allow-Origin") != "" || res.Header.Get("Set-Cookie") != "" {
				t.Errorf("%s for %q: %v", path, host, res.Header)
			}
		}
	}
}
