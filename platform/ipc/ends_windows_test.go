package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/Microsoft/go-winio"
)

func TestDeadlines(t *testing.T) {
	path := pipeOf(t)
	client, server, _ := pair(t, listen(t, path, Options{}), path)
	for _, c := range []net.Conn{client, server} {
		c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		within(t, "a read with a deadline", func() {
			_, err := c.Read(make([]byte, 1))
			var late net.Error
			if !errors.As(err, &late) || !late.Timeout() {
				t.Errorf("got %v", err)
			}
		})
		c.SetReadDeadline(time.Time{})
	}
	both(t, client, server)
	// Nobody reads: writing ends too.
	client.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	within(t, "a write with a deadline", func() {
		if _, err := client.Write(make([]byte, 64*pipeBuffer)); err == nil {
			t.Error("wrote more than the pipe holds")
		}
	})
	// The listener is there but takes nobody: dialling ends with its context.
	held := pipeOf(t) + "-held"
	stranger, err := winio.ListenPipe(held, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if err := settle(held, stranger); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	within(t, "dial", func() {
		if _, err := Dial(ctx, held); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dial: %v", err)
		}
	})
}

func TestClose(t *testing.T) {
	path := pipeOf(t)
	within(t, "close though nobody accepts", func() {
		if err := listen(t, path, Options{}).Close(); err != nil {
			t.Error(err)
		}
	})
	l := listen(t, path, Options{})
	accepted := make(chan error, 1)
	accept := func() {
		c, _, err := l.Accept()
		if err == nil {
			err = c.Close()
		}
		accepted <- err
	}
	go accept()
	c, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	within(t, "close while accepting", func() {
		if err := <-accepted; err != nil {
			t.Error(err)
		}
		// One who is connected and whom nobody takes.
		waiting, err := Dial(context.Background(), path)
		if err != nil {
			t.Error(err)
			return
		}
		defer waiting.Close()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if n, err := waiting.Read(make([]byte, 1)); err == nil {
			t.Errorf("whom nobody took is told %d bytes", n)
		}
		accept2 := make(chan error, 1)
		l = listen(t, path+"-2", Options{})
		go func() { _, _, err := l.Accept(); accept2 <- err }()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := <-accept2; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v", err)
		}
		if _, _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a later Accept: %v", err)
		}
	})
}

func TestHTTPKnowsItsCaller(t *testing.T) {
	path := pipeOf(t)
	l := listen(t, path, Options{})
	srv := &http.Server{
		ConnContext: ConnContext, ReadHeaderTimeout: patience,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, PeerFrom(r.Context()).Same(Self()))
		}),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l.NetListener()) }()
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return Dial(ctx, path) }}
	for range 3 {
		resp, err := (&http.Client{Transport: tr, Timeout: patience}).Get("http://agent/")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != "true" {
			t.Errorf("the handler knew its caller: %s", body)
		}
		tr.CloseIdleConnections()
	}
	within(t, "the end", func() {
		srv.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
}
