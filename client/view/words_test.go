package view

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/catalogue"
	"github.com/postern-zt/postern/posture/fact"
)

// table is every sentence of a language by the name of its field.
func table(w *words) map[string]string {
	out := map[string]string{}
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		switch v.Kind() {
		case reflect.String:
			out[path] = v.String()
		case reflect.Array:
			for i := range v.Len() {
				walk(v.Index(i), path+"["+string(rune('a'+i))+"]")
			}
		case reflect.Map:
			for _, k := range v.MapKeys() {
				walk(v.MapIndex(k), path+"["+k.String()+"]")
			}
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i), path+"."+v.Type().Field(i).Name)
			}
		}
	}
	walk(reflect.ValueOf(*w), "")
	return out
}

var placeholder = regexp.MustCompile(`\{[^}]*\}`)

func holes(s string) []string {
	found := placeholder.FindAllString(s, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

// TestLanguages holds the languages against English: the same sentences with
// the same things filled in, none empty.
func TestLanguages(t *testing.T) {
	en := table(english())
	for _, language := range catalogue.Languages() {
		w := speak(language)
		if w.Language != language {
			t.Errorf("the catalogue speaks %s, here it is %s", language, w.Language)
		}
		other := table(w)
		for _, key := range slices.Sorted(maps.Keys(other)) {
			if _, ok := en[key]; !ok {
				t.Errorf("%s: %s is not in English", language, key)
			}
		}
		for key, sentence := range en {
			text, ok := other[key]
			switch {
			case !ok || strings.TrimSpace(text) != text || text == "":
				t.Errorf("%s: %s is %q", language, key, text)
			case !slices.Equal(holes(text), holes(sentence)):
				t.Errorf("%s: %s fills in %v, English %v", language, key, holes(text), holes(sentence))
			case strings.Count(text, "{") != len(placeholder.FindAllString(text, -1)):
				t.Errorf("%s: %s has a brace of its own: %q", language, key, text)
			}
		}
	}
}

// TestEveryFactHasALabel holds the labels against the facts.
func TestEveryFactHasALabel(t *testing.T) {
	labels := english().Labels
	seen := map[string]bool{}
	for _, d := range fact.Defs() {
		a := fact.Address(d.Signal, map[bool]string{true: "*"}[d.Keyed], d.Field)
		if labels[a] == "" {
			t.Errorf("%s has no label", a)
		}
		seen[a] = true
	}
	for a := range labels {
		if !seen[a] {
			t.Errorf("%s is no fact", a)
		}
	}
}

func TestLanguageTags(t *testing.T) {
	for tag, want := range map[string]string{"de": "de", "de-AT": "de", "de_DE.UTF-8": "de", "DE": "de", "en": "en", "": "en", "C": "en", "fr_FR": "en", "deu": "en"} {
		if got := speak(tag).Language; got != want {
			t.Errorf("%q is shown in %s, want %s", tag, got, want)
		}
	}
}

// TestFill: what is filled in is never looked at again.
func TestFill(t *testing.T) {
	if got := Fill("{a} and {b}", "a", "{b}", "b", "{a}%s"); got != "{b} and {a}%s" {
		t.Errorf("%q", got)
	}
	p := Plural{"{n} app of {who}", "{n} apps of {who}"}
	for n, want := range map[int]string{0: "0 apps of {n}", 1: "1 app of {n}", 2: "2 apps of {n}"} {
		if got := p.Of(n, "who", "{n}"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"Wiki": "Wiki", "  a \n\t b  ": "a b", "\x1b[31mred": "?[31mred", "\u202egnp.exe": "?gnp.exe", "\xffa": "?a", "abcdefghijkl": "abcdefghi…", "ä b c d e f g": "ä b c d e…",
	} {
		if got := plain(in, 10); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"second-edr-runs": "second edr runs", "disk encrypted": "disk encrypted", "EDR-2": "EDR-2", "a_b": "a b", "": ""} {
		if got := spoken(in); got != want {
			t.Errorf("%q is spoken %q, want %q", in, got, want)
		}
	}
}
