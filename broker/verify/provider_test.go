package verify

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
)

// TestEndlessProvider: a provider that answers without end must not fill the
// broker's memory.
func TestEndlessProvider(t *testing.T) {
	const most = 64 << 20
	var sent atomic.Int64
	ended := make(chan struct{})
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		defer close(ended)
		w.Header().Set("Content-Type", "application/json")
		block := make([]byte, 64<<10)
		for sent.Load() < most {
			n, err := w.Write(block)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	}))
	defer provider.Close()
	p := newPeople(nil, nil, time.Now)
	if _, err := p.verify(t.Context(), api.Provider{Issuer: provider.URL, ClientID: "c"}, "a.b.c"); !errors.Is(err, ErrProvider) {
		t.Error(err)
	}
	<-ended
	if n := sent.Load(); n > most/2 {
		t.Errorf("%d bytes of its answer were taken", n)
	}
}
