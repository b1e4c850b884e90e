//go:build unix

package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Settings may lie behind links, as long as nobody else can move one of them.
func TestLinkedSettings(t *testing.T) {
	const text = "broker: https://b.example\n"
	set := home(t, "")
	other := filepath.Join(t.TempDir(), "other")
	if err := os.Mkdir(other, 0o755); err != nil {
		t.Fatal(err)
	}
	link := func(to, from string) {
		t.Helper()
		if err := os.Symlink(to, from); err != nil {
			t.Fatal(err)
		}
	}
	real := filepath.Join(other, "real.yaml")
	link(filepath.Join(other, "hop.yaml"), set.Config)
	link("real.yaml", filepath.Join(other, "hop.yaml"))
	if _, err := Load(set, Overrides{}); err == nil || !strings.Contains(err.Error(), "it is a link to "+real+", which is not there") {
		t.Errorf("a link to nothing: %v", err)
	}
	put(t, real, text, 0o600)
	s, err := Load(set, Overrides{})
	if err != nil || s.Broker.V != "https://b.example" {
		t.Errorf("behind two links: %+v, %v", s.Broker, err)
	}
	for mode, wrong := range map[os.FileMode]string{0o777: "lets others write to it", 0o777 | os.ModeSticky: "", 0o775: "lets others write to it"} {
		if err := os.Chmod(other, mode); err != nil {
			t.Fatal(err)
		}
		_, err := Load(set, Overrides{})
		if (err == nil) != (wrong == "") || err != nil && !strings.Contains(err.Error(), other+" "+wrong) {
			t.Errorf("through a folder of mode %v: %v", mode, err)
		}
	}
	circle := home(t, "")
	link(circle.Config, circle.Config)
	if _, err := Load(circle, Overrides{}); err == nil || !strings.Contains(err.Error(), "too many links") {
		t.Errorf("a circle: %v", err)
	}
}

// A file that another user owns is that user's to change, whatever its mode.
func TestSettingsOfAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a file away")
	}
	set := home(t, "broker: https://b.example\nbroker_ca: ca.pem\n")
	ca := filepath.Join(set.State, "ca.pem")
	put(t, ca, certificate(t), 0o644)
	if _, err := Load(set, Overrides{}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{set.Config, ca} {
		if err := os.Chown(path, 4242, 4242); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(set, Overrides{}); err == nil || !strings.Contains(err.Error(), path+" belongs to another user (uid 4242)") {
			t.Errorf("%s of another user: %v", path, err)
		}
		if err := os.Chown(path, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// Two loads are the same if nothing was other in any file that counts.
func TestSame(t *testing.T) {
	set := home(t, "broker: https://b.example\nbroker_ca: ca.pem\nenrolment_token_file: token\n")
	ca, tok := filepath.Join(set.State, "ca.pem"), filepath.Join(set.State, "token")
	put(t, ca, certificate(t), 0o644)
	put(t, tok, token, 0o600)
	last, err := Load(set, Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{set.Config, tok, ca}; !slices.Equal(last.Files, want) {
		t.Errorf("files %v, want %v", last.Files, want)
	}
	if again, _ := Load(set, Overrides{}); !again.Same(last) || !last.Same(again) {
		t.Error("nothing was changed")
	}
	for name, change := range map[string]func(){
		"settings":       func() { put(t, set.Config, "broker: https://c.example\n", 0o600) },
		"authority":      func() { put(t, ca, certificate(t), 0o644) },
		"no authority":   func() { put(t, ca, "x", 0o644) },
		"token":          func() { put(t, tok, token+"x", 0o600) },
		"token's mode":   func() { put(t, tok, token, 0o644) },
		"settings' mode": func() { put(t, set.Config, "broker: https://c.example\n", 0o666) },
		"no settings":    func() { os.Remove(set.Config) },
	} {
		put(t, set.Config, "broker: https://b.example\nbroker_ca: ca.pem\nenrolment_token_file: token\n", 0o600)
		put(t, ca, certificate(t), 0o644)
		put(t, tok, token, 0o600)
		before, err := Load(set, Overrides{})
		if err != nil {
			t.Fatal(err)
		}
		change()
		after, err := Load(set, Overrides{})
		var wrong *Error
		if before.Same(after) {
			t.Errorf("%s: the same, %v", name, err)
		}
		if err != nil && (!errors.As(err, &wrong) || !slices.Contains(after.Files, set.Config)) {
			t.Errorf("%s: %v, files %v", name, err, after.Files)
		}
	}
}

// What may be a token that was put in a key's place is not repeated.
func TestTokenAsKey(t *testing.T) {
	for name, shown := range map[string]bool{
		"brokr_ca": true, "enrolment_token_fil": true, "sha1": true, "Broker": true,
		"3f9a1cde4b5a6978": false, "abcdefgh12345678": false, "ABCDEFGHIJKLMNOP": false,
	} {
		_, err := Load(home(t, name+": x\n"), Overrides{})
		if err == nil || strings.Contains(err.Error(), name) != shown || !strings.Contains(err.Error(), "no such key") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
