package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"testing"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"
)

// TestSquatter: somebody else made the pipe before the agent did.
func TestSquatter(t *testing.T) {
	for _, tc := range []struct{ path, owner string }{
		{systemPipe, Self().SID},
		{userPipe + Self().SID, "SY"},
		{pipeOf(t), "S-1-5-21-9-9-9-1009"},
	} {
		stranger, err := winio.ListenPipe(tc.path, &winio.PipeConfig{SecurityDescriptor: "O:" + tc.owner + "D:P(A;;GA;;;WD)"})
		if errors.Is(err, windows.ERROR_INVALID_OWNER) {
			fmt.Printf("%s owned by %s: the system does not let this user make it\n", tc.path, tc.owner)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := settle(tc.path, stranger); err != nil {
			t.Fatal(err)
		}
		heard := make(chan []byte, 1)
		go func() {
			c, err := stranger.Accept()
			if err != nil {
				heard <- []byte(err.Error())
				return
			}
			all, _ := io.ReadAll(c)
			c.Close()
			heard <- all
		}()
		within(t, "a stranger", func() {
			_, err := Dial(context.Background(), tc.path)
			if !errors.Is(err, ErrStranger) || !errors.Is(err, fs.ErrPermission) {
				t.Errorf("%s owned by %s: %v", tc.path, tc.owner, err)
			}
			if said := <-heard; len(said) > 0 {
				t.Errorf("the stranger heard %q", said)
			}
			stranger.Close()
		})
	}
}

// TestSilentCallers: who says nothing is hung up on and keeps nobody waiting.
func TestSilentCallers(t *testing.T) {
	path := pipeOf(t)
	l := listen(t, path, Options{})
	var silent []net.Conn
	for range maxGreeting + 3 {
		c, err := winio.DialPipeAccessImpLevel(t.Context(), path, callersRights, winio.PipeImpLevelIdentification)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		silent = append(silent, c)
	}
	_, _, peer := pair(t, l, path)
	if !peer.Same(Self()) {
		t.Errorf("who speaks is %+v", peer)
	}
	within(t, "the oldest silent callers", func() {
		for _, c := range silent[:3] { // long before their time
			if n, err := c.Read(make([]byte, 1)); err == nil {
				t.Errorf("a silent caller is told %d bytes", n)
			}
		}
	})
	within(t, "close while callers are silent", func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	wrong := pipeOf(t) + "-wrong"
	l = listen(t, wrong, Options{})
	c, err := winio.DialPipeAccessImpLevel(t.Context(), wrong, callersRights, winio.PipeImpLevelIdentification)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET / HTTP/1.1\r\n\r\n")
	within(t, "a caller who begins otherwise", func() {
		if n, err := c.Read(make([]byte, 1)); err == nil {
			t.Errorf("is told %d bytes", n)
		}
	})
}

// TestAnonymousCaller: who lets nobody know who he is, is nobody.
func TestAnonymousCaller(t *testing.T) {
	if underWine() {
		t.Skip("Wine does not keep the level of impersonation that a caller states")
	}
	path := pipeOf(t)
	listen(t, path, Options{AnyUser: true})
	c, err := winio.DialPipeAccessImpLevel(t.Context(), path, callersRights, winio.PipeImpLevelAnonymous)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte{hello})
	within(t, "anonymous", func() {
		if n, err := c.Read(make([]byte, 1)); err == nil {
			t.Errorf("is told %d bytes", n)
		}
	})
}
