package main

import (
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/postern-zt/postern/posture/catalogue"
)

// Every language says everything, with the same things filled in.
func TestWordsAreComplete(t *testing.T) {
	en := sentences(reflect.ValueOf(*english()), "")
	if len(en) < 100 {
		t.Fatalf("only %d sentences were found", len(en))
	}
	holes := regexp.MustCompile(`\{\w+\}`)
	for name, text := range sentences(reflect.ValueOf(*german()), "") {
		if text == "" || en[name] == "" {
			t.Errorf("%s: %q in English, %q in German", name, en[name], text)
		}
		want, got := holes.FindAllString(en[name], -1), holes.FindAllString(text, -1)
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			t.Errorf("%s has %q in English and %q in German", name, want, got)
		}
	}
}

// sentences are all strings in a structure, by the path to them.
func sentences(v reflect.Value, path string) map[string]string {
	out := map[string]string{}
	for i := range v.NumField() {
		name := path + "." + v.Type().Field(i).Name
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			out[name] = f.String()
		case reflect.Struct:
			for k, s := range sentences(f, name) {
				out[k] = s
			}
		}
	}
	return out
}

func TestASCIIOnly(t *testing.T) {
	for _, tc := range []struct {
		env  map[string]string
		want bool
	}{
		{nil, false},
		{map[string]string{"LANG": "C"}, true},
		{map[string]string{"LANG": "POSIX"}, true},
		{map[string]string{"LANG": "C.UTF-8"}, false},
		{map[string]string{"LANG": "de_DE.utf8"}, false},
		{map[string]string{"LANG": "de_DE.UTF-8@euro"}, false},
		{map[string]string{"LANG": "de_DE.ISO-8859-1"}, true},
		{map[string]string{"LANG": "de_DE"}, false},
		{map[string]string{"LANG": "C", "LC_CTYPE": "C.UTF-8"}, false},
		{map[string]string{"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, true},
	} {
		if got := asciiOnly(func(name string) string { return tc.env[name] }); got != tc.want {
			t.Errorf("%v: %v", tc.env, got)
		}
	}
}

// Whatever our own sentences have, they can be read in ASCII.
func TestToASCII(t *testing.T) {
	if got, want := toASCII("„Überprüfung“ – größer …"), `"Ueberpruefung" - groesser ...`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := toASCII("PRÜFUNG Übung"); got != "PRUEFUNG Uebung" {
		t.Errorf("%q", got)
	}
	if got := toASCII("漢é"); got != "??" {
		t.Errorf("%q", got)
	}
	for _, w := range []*words{english(), german()} {
		for name, text := range sentences(reflect.ValueOf(*w), "") {
			for _, r := range toASCII(text) {
				if r > '~' || r == '?' && !regexp.MustCompile(`\?`).MatchString(text) {
					t.Errorf("%s: %q is %q in ASCII", name, text, toASCII(text))
					break
				}
			}
		}
	}
}

// The choice of a language is the catalogue's, also where it is not asked.
func TestSpeak(t *testing.T) {
	for _, language := range []string{"", "en", "EN", "en_GB.UTF-8", "en-US", "en:de", "de", "de_AT.UTF-8", "DE", "de:en", "fr", "fr:de", "fr_FR.UTF-8:en", "C",
		":de", ",de", " de", ".UTF-8:de", "english:de", "xx,en;q=0.8,de"} {
		if got, want := speak(language).Language, catalogue.For(language).Language(); got != want {
			t.Errorf("%q is %s, want %s", language, got, want)
		}
	}
}
