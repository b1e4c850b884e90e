package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-zt/postern/platform/paths"
)

func TestEffective(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "settings.yaml")
	text := "broker: https://broker.example\nenrolment_token: very-secret-indeed\nmanaged_by: Example AG\nsupport: +41 44 000 00 00\n" +
		"edr_catalogue:\n  - id: local/guard\n    name: Guard\n    linux: [{executable: /opt/guard/guardd}]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load(paths.InState(dir), Overrides{LogLevel: "debug"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Effective{}
	for _, e := range s.Effective() {
		if strings.Contains(e.Value, "very-secret") {
			t.Errorf("%s shows a secret", e.Key)
		}
		got[e.Key] = e
	}
	for key, want := range map[string]Effective{
		KeyBroker:    {KeyBroker, "https://broker.example", OriginFile, file},
		KeyBrokerCA:  {KeyBrokerCA, "", OriginDefault, ""},
		KeyToken:     {KeyToken, "(secret)", OriginFile, file},
		KeyLogLevel:  {KeyLogLevel, "debug", OriginFlag, ""},
		KeyManagedBy: {KeyManagedBy, "Example AG", OriginFile, file},
		KeySupport:   {KeySupport, "+41 44 000 00 00", OriginFile, file},
		KeyCatalogue: {KeyCatalogue, "local/guard", OriginFile, file},
	} {
		if got[key] != want {
			t.Errorf("%s: %+v, want %+v", key, got[key], want)
		}
	}
}

func TestTextsForPeople(t *testing.T) {
	for _, bad := range []string{"managed_by: \"a\\u202Eb\"\n", "support: \"two\\nlines\"\n", "support: " + strings.Repeat("x", 257) + "\n"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "settings.yaml"), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(paths.InState(dir), Overrides{}); err == nil || !strings.Contains(err.Error(), "one short line") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
