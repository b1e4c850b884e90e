package bounded

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAnswersAreCut(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strings.Repeat("x", 1000))
	}))
	defer srv.Close()
	for limit, want := range map[int64]int{10: 10, 1000: 1000, 5000: 1000} {
		res, err := (&http.Client{Transport: Transport{Next: http.DefaultTransport, Limit: limit}}).Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || len(body) != want || res.Body.Close() != nil {
			t.Errorf("limit %d: %d bytes, %v; want %d", limit, len(body), err, want)
		}
	}
}
