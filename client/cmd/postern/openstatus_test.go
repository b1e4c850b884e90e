//go:build linux || darwin

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/postern-zt/postern/client/localapi"
)

// The status page is served on loopback until the program is told to end.
func TestOpenStatus(t *testing.T) {
	_, socket := play(t, statusWith("Wiki", localapi.AppReady))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	read, write := io.Pipe()
	a := bare(nil)
	a.out = write
	code := make(chan int, 1)
	go func() { code <- a.main(ctx, []string{"open", "--status", "--json", "--socket", socket}) }()
	line, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var link struct{ URL string }
	if err := json.Unmarshal([]byte(line), &link); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	if !strings.HasPrefix(link.URL, "http://127.0.0.1:") && !strings.HasPrefix(link.URL, "http://[::1]:") {
		t.Fatalf("the page is at %s", link.URL)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), "<html") {
		t.Errorf("the page is %d %v: %.200s", res.StatusCode, err, body)
	}
	stop()
	if c := <-code; c != exitOK {
		t.Errorf("exit code %d", c)
	}
	if _, err := http.DefaultClient.Do(req); err == nil {
		t.Error("the page is there after the end")
	}
}

// What a page may ask to be opened is in the table, and nothing else.
func TestOpenSetting(t *testing.T) {
	for _, id := range []string{"", "ms-settings:privacy", "/bin/sh", "https://example.org"} {
		if err := openSetting(t.Context(), id); err == nil {
			t.Errorf("%q was opened", id)
		}
	}
}
