package page

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The token of a link is in no request line, no referrer, no history and no
// address; the session is in one header alone.
func TestTokenIsNowhere(t *testing.T) {
	t.Parallel()
	profile := t.TempDir()
	s := bare(t, healthy(), "en", like{Profile: profile})
	link := s.page.Link("apps")
	token := strings.Split(strings.Split(link, "#")[1], ".")[0]
	tab := s.open(link)
	tab.says("device healthy")
	session := tab.session()
	s.agent.show(closed())
	tab.says("closed:")
	tab.do("reload", nil, nil)
	tab.says("closed:")
	var kept struct {
		URL              string
		History, Entries []string
	}
	tab.do("history", nil, &kept)
	if want := strings.Split(link, "#")[0]; kept.URL != want {
		t.Errorf("the address is %s, want %s", kept.URL, want)
	}
	if all := fmt.Sprint(kept); strings.Contains(all, token) || strings.Contains(all, session) {
		t.Errorf("the tab keeps %s", all)
	}
	if ask[bool](tab, `document.documentElement.outerHTML.includes(%s) || document.cookie !== ""`, session) {
		t.Error("the page shows its session, or has a cookie")
	}
	entered := 0
	for _, r := range s.logged().Requests {
		if strings.Contains(r.URL+r.Referer, token) || strings.Contains(r.URL+r.Referer+r.Body, session) || r.Referer != "" {
			t.Errorf("%s %s, referrer %q, body %q", r.Method, r.URL, r.Referer, r.Body)
		}
		if strings.Contains(r.Body, token) {
			entered++
		}
		if !strings.HasPrefix(r.URL, strings.Split(link, "#")[0]) {
			t.Errorf("a request to %s", r.URL)
		}
	}
	if entered != 1 {
		t.Errorf("the token was sent %d times", entered)
	}
	// What the browser keeps on disk is complete once it has ended.
	if err := shared.do(s.ctx, map[string]any{"act": "close", "context": t.Name()}, nil); err != nil {
		t.Fatal(err)
	}
	s.tabs = 0
	// A tab's own storage is kept on disk for when the browser comes back; the
	// session ends with the page's server.
	for _, file := range filesWith(t, profile, session) {
		if !strings.HasPrefix(file, "/Default/Session Storage/") {
			t.Errorf("the session is in %s", file)
		}
	}
	// The browser writes down where it went before the page's script runs; the
	// token is spent by then.
	if found := filesWith(t, profile, token); len(found) > 0 {
		t.Logf("the token is in %q", found)
	}
	if status := post(t, strings.Split(link, "#")[0]+"api/enter", `{"token":"`+token+`"}`); status != http.StatusUnauthorized {
		t.Errorf("the token that is in the browser's history is worth %d", status)
	}
}

func post(t *testing.T, url, body string) int {
	t.Helper()
	res, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// filesWith lists the files below a folder that hold a text.
func filesWith(t *testing.T, dir, text string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		wide := strings.Join(strings.Split(text, ""), "\x00") // UTF-16
		if bytes.Contains(data, []byte(text)) || bytes.Contains(data, []byte(wide)) {
			out = append(out, strings.TrimPrefix(path, dir))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
