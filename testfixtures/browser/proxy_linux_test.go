package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/ipc"
)

// proxy stands between the command line and the agent, to make time pass or
// stand still at the right moment. What both say is theirs.
type proxy struct {
	socket string
	// life, if not 0, is how long the sign-in's page is said to wait, in ms.
	life int64
	// hold, if not nil, keeps the end of a sign-in back until it is closed.
	hold      chan struct{}
	finishing chan struct{} // closed when a sign-in is being finished
	once      sync.Once
}

func newProxy(t *testing.T, agent string) *proxy {
	t.Helper()
	p := &proxy{socket: filepath.Join(t.TempDir(), "agent.sock"), finishing: make(chan struct{})}
	l, err := net.Listen("unix", p.socket)
	if err != nil {
		t.Fatal(err)
	}
	next := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "agent"})
	next.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return ipc.Dial(ctx, agent) }}
	next.ModifyResponse = p.shorten
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == localapi.PathSignInFinish {
			p.once.Do(func() { close(p.finishing) })
			if p.hold != nil {
				select {
				case <-p.hold:
				case <-r.Context().Done():
				}
			}
		}
		next.ServeHTTP(w, r)
	})}
	done := make(chan struct{})
	go func() { defer close(done); srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return p
}

// shorten gives a sign-in less time.
func (p *proxy) shorten(res *http.Response) error {
	if p.life == 0 || res.Request.URL.Path != localapi.PathSignIn || res.StatusCode != http.StatusOK {
		return nil
	}
	var begun map[string]any
	if err := json.NewDecoder(res.Body).Decode(&begun); err != nil {
		return err
	}
	res.Body.Close()
	begun["expires_in_ms"] = p.life
	data, err := json.Marshal(begun)
	if err != nil {
		return err
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
	res.Header.Set("Content-Length", strconv.Itoa(len(data)))
	return nil
}
