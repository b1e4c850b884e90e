package view

import "testing"

func TestWebAddress(t *testing.T) {
	for _, good := range []string{"http://127.0.0.1:4000/", "https://127.0.0.1:4000/x?y=1", "http://[::1]:80/", "http://127.3.2.1:1"} {
		if webAddress(good) != good {
			t.Errorf("%s is refused", good)
		}
	}
	for _, bad := range []string{"", "javascript:alert(1)", "file:///etc/passwd", "https://evil.example/", "https://127.0.0.1:1@evil.example/",
		"http://localhost:4000/", "http://user@127.0.0.1:4000/", "HTTP://evil.example", "http://127.0.0.1.evil.example/", "http://10.0.0.1/",
		"http://127.0.0.1:4000/\u202e", "http://127.0.0.1:4000/ x", "//127.0.0.1/", "ftp://127.0.0.1/"} {
		if got := webAddress(bad); got != "" {
			t.Errorf("%q becomes %q", bad, got)
		}
	}
}
