package browser

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestCheck(t *testing.T) {
	for _, ok := range []string{
		"https://broker.example/", "https://broker.example", "https://[2001:db8::1]:8443/a?b=c&d=%20#e",
		"http://127.0.0.1:40000/callback?x=1", "http://127.0.0.1", "http://127.8.9.10/", "http://[::1]:8080/",
		"HTTPS://broker.example/",
	} {
		if err := Check(ok); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
	for _, bad := range []string{
		"", "broker.example", "//broker.example/", "/etc/passwd", "-h", "--help",
		"file:///etc/passwd", "javascript:alert(1)", "data:text/html,x", "ms-settings:privacy", "vbscript:x", "ftp://h/",
		"http://broker.example/", "http://localhost:8080/", "http://localhost.example/", "http://127.0.0.1.example/",
		"http://127.1/", "http://0.0.0.0/", "http://[::]/", "http://2130706433/", "http://10.0.0.1/",
		"https://", "https:///path", "https:broker.example", "https://user@broker.example/", "https://u:secret@h/", "http://127.0.0.1@evil.example/",
		"https://h/\"", "https://h/ x", "https://h/`id`", "https://h/a\nb", "https://h/\\x", "https://h/<x>", "https://h/|x", "https://h/^", "https://h/\x00", "https://h/ü",
		"https://h/%zz",
	} {
		err := Open(t.Context(), bad)
		if !errors.Is(err, ErrNotAllowed) {
			t.Errorf("%q: %v", bad, err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error quotes the address: %v", err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("https://broker.example/")
	f.Add("http://127.0.0.1:1/")
	f.Add("http://127.0.0.1@evil.example/")
	f.Fuzz(func(t *testing.T, raw string) {
		if Check(raw) != nil {
			return
		}
		lower := strings.ToLower(raw)
		if !strings.HasPrefix(lower, "https://") && !strings.HasPrefix(lower, "http://127.") && !strings.HasPrefix(lower, "http://[") {
			t.Errorf("%q is allowed", raw)
		}
		if strings.ContainsAny(raw, "\"`\\<>|^{} \n\r\t\x00") {
			t.Errorf("%q is allowed", raw)
		}
	})
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := make(chan struct{})
		open := func() error { <-closed; return errors.New("late") }
		began := time.Now()
		if err := wait(t.Context(), settled, open); err != nil || time.Since(began) != settled {
			t.Errorf("a browser that stays: %v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := wait(ctx, settled, open); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("when the context ends: %v", err)
		}
		close(closed)
		failure := errors.New("no browser")
		if err := wait(t.Context(), settled, func() error { return failure }); !errors.Is(err, failure) {
			t.Errorf("got %v", err)
		}
		if err := wait(t.Context(), settled, func() error { return nil }); err != nil {
			t.Error(err)
		}
	})
}

// TestOpen puts a program of its own in the place of xdg-open.
func TestOpen(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the system's own opener cannot be replaced")
	}
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	t.Setenv("DISPLAY", ":7")
	const address = "https://broker.example/authorize?state=a&nonce=b#c"
	if err := Open(t.Context(), address); err == nil {
		t.Error("opened without a browser")
	}
	script := func(body string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte("#!/bin/sh\n"+body), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	said := filepath.Join(dir, "said")
	script(`printf '%s|' "$@" > ` + said + "; echo noise; echo noise >&2\n")
	if err := Open(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(said); string(got) != address+"|" {
		t.Errorf("the browser was given %q", got)
	}
	script("exit 4\n")
	if err := Open(t.Context(), address); err == nil {
		t.Error("a browser that fails is no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Open(ctx, address); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
