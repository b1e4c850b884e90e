package codes

import (
	"slices"
	"strings"
	"testing"
)

// The entries of the desktop start programs that are there, in a way that they
// have, and are what the specification asks for (freedesktop.org, "Desktop
// Entry Specification" 1.5).
func TestDesktopEntries(t *testing.T) {
	for file, starts := range map[string][]string{
		"installer/linux/postern.desktop":      {"postern open --status", "postern-tray"},
		"installer/linux/postern-tray.desktop": {"postern-tray"},
	} {
		text := read(t, file)
		if !strings.HasPrefix(text, "[Desktop Entry]\nType=Application\n") {
			t.Errorf("%s does not begin as an application's", file)
		}
		var got []string
		keys := map[string]bool{}
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "[") {
				keys = map[string]bool{}
				continue
			}
			key, value, ok := strings.Cut(line, "=")
			if line == "" {
				continue
			}
			if !ok || value == "" || keys[key] {
				t.Errorf("%s: %q is no key with a value, or is there twice", file, line)
			}
			keys[key] = true
			if key == "Exec" {
				got = append(got, value)
			}
			if base, _, local := strings.Cut(key, "["); local && !keys[base] {
				t.Errorf("%s: %s comes without %s before it", file, key, base)
			}
		}
		if !slices.Equal(got, starts) {
			t.Errorf("%s starts %q, want %q", file, got, starts)
		}
	}
	if !strings.Contains(read(t, "client/cmd/postern/open.go"), `"status"`) {
		t.Error("postern open has no --status")
	}
	if !strings.Contains(read(t, "tray/cmd/postern-tray/notes.go"), `appID = "postern-tray"`) {
		t.Error("the tray calls itself other than its entry")
	}
}
