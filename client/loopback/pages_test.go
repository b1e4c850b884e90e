package loopback

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func TestStyleHash(t *testing.T) {
	sum := sha256.Sum256([]byte(style))
	if want := "sha256-" + base64.StdEncoding.EncodeToString(sum[:]); styleHash != want {
		t.Errorf("styleHash is %s, style has %s", styleHash, want)
	}
	for _, outside := range []string{"url(", "@import", "http", "</"} {
		if strings.Contains(style, outside) {
			t.Errorf("the style names %q", outside)
		}
	}
}

func TestPages(t *testing.T) {
	for _, accept := range []string{"en", "de"} {
		seen := map[string]bool{}
		for _, page := range []what{almostThere, notCompleted, usedAlready, anotherSignIn, nothingHere} {
			w := httptest.NewRecorder()
			wordsFor([]string{accept}).show(w, 200, page)
			root, err := html.Parse(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			for n := range root.Descendants() {
				switch {
				case n.Type == html.TextNode && n.Parent.Data != "style":
					text.WriteString(n.Data)
				case n.Type != html.ElementNode:
				case n.Data == "html" && (n.Attr[0].Key != "lang" || n.Attr[0].Val != accept):
					t.Errorf("%s in %s: %v", page, accept, n.Attr)
				case n.Data == "script", n.Data == "link", n.Data == "img", n.Data == "a", n.Data == "form":
					t.Errorf("%s in %s has a %s", page, accept, n.Data)
				}
			}
			if seen[text.String()] {
				t.Errorf("%s in %s has the words of another page", page, accept)
			}
			seen[text.String()] = true
			if w.Header().Get("Content-Language") != accept {
				t.Errorf("%s in %s: %v", page, accept, w.Header())
			}
		}
	}
}

func TestLanguage(t *testing.T) {
	for accept, want := range map[string]string{
		"": "en", "*": "en", "fr": "en", "en": "en", "de": "de", "DE-at": "de", "de-CH,de;q=0.9,en;q=0.8": "de",
		"en-GB,en;q=0.9,de;q=0.8": "en", "fr,de;q=0.5": "de", "fr;q=1,de;q=0.4,en;q=0.5": "en", "de;q=0": "en",
		"de;q=x": "en", "de;q=NaN": "en", "de;q=2": "en", "dent": "en", "de;level=1": "en", ";;,,=;q=1": "en", "de; q = 0.3 ": "de",
	} {
		if got := wordsFor([]string{accept}).language; got != want {
			t.Errorf("%q gives %s, want %s", accept, got, want)
		}
	}
	if got := wordsFor([]string{"fr", "de"}).language; got != "de" {
		t.Errorf("two header fields give %s", got)
	}
}
