package locale

import "testing"

func TestFromEnvironment(t *testing.T) {
	for _, tc := range []struct {
		env  map[string]string
		tag  string
		said bool
	}{
		{nil, "", false},
		{map[string]string{"LANG": "de_DE.UTF-8"}, "de_DE.UTF-8", true},
		{map[string]string{"LANG": "de_DE.UTF-8", "LC_MESSAGES": "fr_FR"}, "fr_FR", true},
		{map[string]string{"LANG": "de_DE.UTF-8", "LC_MESSAGES": "fr_FR", "LC_ALL": "en_GB"}, "en_GB", true},
		{map[string]string{"LANG": "en_GB.UTF-8", "LANGUAGE": "de_AT:en"}, "de_AT:en", true},
		{map[string]string{"LANGUAGE": "de"}, "", false},
		{map[string]string{"LANG": "C", "LANGUAGE": "de"}, "", true},
		{map[string]string{"LC_ALL": "C.UTF-8", "LANG": "de_DE"}, "", true},
		{map[string]string{"LANG": "POSIX"}, "", true},
	} {
		if tag, said := fromEnvironment(func(name string) string { return tc.env[name] }); tag != tc.tag || said != tc.said {
			t.Errorf("%v: %q, %v", tc.env, tag, said)
		}
	}
}

func TestLanguage(t *testing.T) {
	t.Setenv("LC_ALL", "de_CH.UTF-8")
	t.Setenv("LANGUAGE", "")
	if got := Language(); got != "de_CH.UTF-8" {
		t.Errorf("got %q", got)
	}
}
