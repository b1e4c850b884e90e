package catalogue

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/fact"
)

// vocabularies is words.json as it is written, each value once.
func vocabularies(t *testing.T) []vocabulary {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(allWords))
	d.DisallowUnknownFields()
	var list []vocabulary
	if err := d.Decode(&list); err != nil {
		t.Fatal(err)
	}
	// A map keeps the last of two and says nothing; every value has a line of its own.
	lines := len(regexp.MustCompile(`(?m)^     "[^"]+": \{`).FindAll(allWords, -1))
	for _, v := range list {
		lines -= len(v.Words)
	}
	if lines != 0 {
		t.Errorf("words.json has %d lines of values more than values: one is there twice, or shares a line", lines)
	}
	return list
}

// TestWords holds the words against the facts, both ways: every word of a
// closed list has one in every language, and nothing else has that cannot come.
func TestWords(t *testing.T) {
	of := map[string]vocabulary{} // by address
	for _, v := range vocabularies(t) {
		if (len(v.Facts) == 0) == (v.KeysOf == "") {
			t.Errorf("%q, %q: want facts or keys_of", v.Facts, v.KeysOf)
		}
		for _, a := range v.Facts {
			if _, twice := of[a]; twice {
				t.Errorf("%s is there twice", a)
			}
			of[a] = v
		}
	}
	enums := 0
	for _, d := range fact.Defs() {
		a := fact.Address(d.Signal, map[bool]string{true: "*"}[d.Keyed], d.Field)
		v, ok := of[a]
		delete(of, a)
		have := slices.Sorted(maps.Keys(v.Words))
		switch d.Kind {
		case fact.Enum:
			enums++
			if want := slices.Sorted(slices.Values(d.Ranks)); !slices.Equal(have, want) {
				t.Errorf("%s has words for %q, want %q", a, have, want)
			}
		case fact.Text, fact.Duration: // free, but some values say nothing to people
		default:
			if ok {
				t.Errorf("%s is a %s: it needs no words", a, d.Kind)
			}
		}
	}
	if enums < 15 {
		t.Errorf("found only %d closed lists", enums)
	}
	for a := range of {
		t.Errorf("%s is no fact", a)
	}
}

// A name has no translation; everything else has one into every language, and
// no two values of a closed list are called the same.
func TestWordsAreThereInEveryLanguage(t *testing.T) {
	for _, v := range vocabularies(t) {
		seen := map[string]string{}
		for value, said := range v.Words {
			where := strings.Join(v.Facts, ", ") + v.KeysOf + ": " + value
			if name, ok := said[anyLanguage]; ok && (len(said) > 1 || name == "") {
				t.Errorf("%s: a name is %q", where, said)
			} else if !ok && !slices.Equal(slices.Sorted(maps.Keys(said)), slices.Sorted(slices.Values(Languages()))) {
				t.Errorf("%s: in %q", where, slices.Sorted(maps.Keys(said)))
			}
			for language, word := range said {
				if word == "" || strings.TrimSpace(word) != word || strings.HasSuffix(word, ".") || len([]rune(word)) > 64 {
					t.Errorf("%s: %q is no phrase", where, word)
				}
				d, _ := fact.Lookup(split(v))
				if other, twice := seen[language+word]; twice && d.Kind == fact.Enum {
					t.Errorf("%s and %s are both called %q", where, other, word)
				}
				seen[language+word] = value
			}
			if said[English] != "" && said[English] == said[German] {
				t.Errorf("%s: the same in both languages; a name is written once", where)
			}
			for what, bad := range map[string]*regexp.Regexp{"is familiar": familiar, "is English": leftOver, "has quotes of another language": quotes} {
				if found := bad.FindString(said[German]); found != "" {
					t.Errorf("%s: %q %s", where, said[German], what)
				}
			}
		}
	}
}

// split is the first fact that has these words.
func split(v vocabulary) (signal, field string, keyed bool) {
	if len(v.Facts) > 0 {
		if at, ok := placeOf(v.Facts[0]); ok {
			return at.signal, at.field, at.keyed
		}
	}
	return "", "", false
}

func TestWordOf(t *testing.T) {
	de := For(German)
	for _, tc := range []struct{ address, value, english, german string }{
		{"disk[c:].unlock", fact.UnlockTPMPin, "the TPM and a PIN", "das TPM und eine PIN"},
		{"os_version.type", fact.OSMac, "macOS", "macOS"},
		{"screen_lock.lock_delay", "0", "at once", "sofort"},
		{"disk[c:].unlock", "telepathy", "", ""}, {"disk.unlock", fact.UnlockTPM, "", ""}, {"disk[x].name", "C:", "", ""},
		{"", "", "", ""}, {"no address", "x", "", ""}, {"nothing.here", "x", "", ""},
	} {
		for texts, want := range map[Texts]string{{}: tc.english, de: tc.german} {
			if got, ok := texts.WordOf(tc.address, tc.value); got != want || ok != (want != "") {
				t.Errorf("%s %s in %s is %q, %v, want %q", tc.address, tc.value, texts.Language(), got, ok, want)
			}
		}
	}
	if got, ok := de.KeyOf(fact.SignalFirewall, "public"); !ok || got != "Öffentliche Netzwerke" {
		t.Errorf("%q, %v", got, ok)
	}
	for _, tc := range [][2]string{{fact.SignalFirewall, "x"}, {fact.SignalDisk, "public"}, {"", ""}} {
		if got, ok := de.KeyOf(tc[0], tc[1]); ok || got != "" {
			t.Errorf("%q is %q", tc, got)
		}
	}
}

// What a language lacks is said in English, and a broken file says nothing.
func TestWordsThatAreMissing(t *testing.T) {
	all, err := lexicons([]byte(`[{"facts": ["a.b", "broken"], "words": {"x": {"en": "ex"}, "y": {"any": "Y"}}}]`))
	if at := (place{signal: "a", field: "b"}); err != nil || all[German].values[at]["x"] != "ex" || all[German].values[at]["y"] != "Y" || len(all[German].values) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
	if all, err = lexicons([]byte(`[{"facts": `)); err == nil || len(all[German].values) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

func BenchmarkWordOf(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := (Texts{}).WordOf("disk[some-key].unlock", fact.UnlockTPM); !ok {
			b.Fatal("not found")
		}
	}
}
