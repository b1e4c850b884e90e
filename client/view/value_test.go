package view

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/posture/catalogue"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

func TestValue(t *testing.T) {
	at := func(s string) fact.Value {
		moment, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return fact.Time(moment)
	}
	length := func(d time.Duration) fact.Value { return fact.Seconds(d) }
	for _, tc := range []struct {
		address         string
		value           fact.Value
		english, german string
	}{
		{"os_version.type", fact.Str(fact.OSMac), "macOS", "macOS"},
		{"os_version.product", fact.Str("windows-11"), "Windows 11", "Windows 11"},
		{"os_version.product", fact.Str("some-linux"), "some-linux", "some-linux"},
		{"os_version.version", fact.Str("10.0.26100"), "10.0.26100", "10.0.26100"},
		{"disk[c:].unlock", fact.Str(fact.UnlockTPMPin), "the TPM and a PIN", "das TPM und eine PIN"},
		{"disk[c:].unlock", fact.Str("by-magic"), "by magic", "by magic"},
		{"disk[c:].method", fact.Str("luks2 aes-xts-plain64"), "LUKS 2 (aes-xts-plain64)", "LUKS 2 (aes-xts-plain64)"},
		{"disk[c:].method", fact.Str("hardware key only"), "a key of the hardware only", "nur ein Schlüssel der Hardware"},
		{"disk[c:].name", fact.Str("bitlocker stick"), "bitlocker stick", "bitlocker stick"},
		{"firewall.manager", fact.Str("firewalld, iptables, local"), "firewalld, iptables and this computer itself", "firewalld, iptables und dieser Computer selbst"},
		{"firewall.manager", fact.Str("Some, Inc. Firewall"), "Some, Inc. Firewall", "Some, Inc. Firewall"},
		{"screen_lock.lock_delay", length(0), "at once", "sofort"},
		{"screen_lock.idle_delay", length(0), "0 seconds", "0 Sekunden"},
		{"screen_lock.idle_delay", length(time.Second), "1 second", "1 Sekunde"},
		{"screen_lock.idle_delay", length(90 * time.Second), "1 minute and 30 seconds", "1 Minute und 30 Sekunden"},
		{"screen_lock.idle_delay", length(3 * time.Hour), "3 hours", "3 Stunden"},
		{"screen_lock.idle_delay", length(time.Hour + time.Minute + time.Second), "1 hour, 1 minute and 1 second", "1 Stunde, 1 Minute und 1 Sekunde"},
		{"screen_lock.idle_delay", fact.Str("soon"), "soon", "soon"},
		// Of an end the last day is named, in every zone; a moment has its time.
		{"os_version.support_end", at("2031-10-15T00:00:00Z"), "14 October 2031", "14. Oktober 2031"},
		{"os_version.support_end", at("2031-10-15T09:30:00Z"), "15 October 2031 10:30", "15. Oktober 2031 10:30"},
		{"patch.build_released_at", at("2031-10-15T00:00:00Z"), "15 October 2031", "15. Oktober 2031"},
		{"patch.checked_at", at("2031-10-15T00:00:00Z"), "15 October 2031 01:00", "15. Oktober 2031 01:00"},
		{"device.virtual", fact.Bool(true), "yes", "ja"},
		{"no.such", fact.Str("a\x1bb"), "a?b", "a?b"}, {"", fact.Str("x"), "x", "x"},
	} {
		in := inputOf(nil)
		for language, want := range map[string]string{"en": tc.english, "de": tc.german} {
			in.Language = language
			if got := Value(tc.address, tc.value, in); got != want {
				t.Errorf("%s of %s is %q in %s, want %q", tc.value, tc.address, got, language, want)
			}
		}
	}
}

func TestValueWords(t *testing.T) {
	english := reflect.ValueOf(valuesIn("en"))
	for _, language := range catalogue.Languages() {
		words := reflect.ValueOf(valuesIn(language))
		for i := range words.NumField() {
			text, same := words.Field(i).Interface(), english.Field(i).Interface()
			p, plural := text.(Plural)
			if !plural {
				p = Plural{text.(string), text.(string)}
				same = Plural{same.(string), same.(string)}
			}
			for _, sentence := range []string{p.One, p.Other} {
				if sentence == "" || !slices.Equal(holes(sentence), holes(same.(Plural).One)) {
					t.Errorf("%s: %s is %q", language, words.Type().Field(i).Name, sentence)
				}
			}
		}
	}
}

// Each kind of what an organisation can ask for has a word.
func TestKindsHaveWords(t *testing.T) {
	for _, kind := range observe.Kinds() {
		if _, ok := (catalogue.Texts{}).WordOf("custom[x].kind", kind); !ok {
			t.Errorf("%s has no word", kind)
		}
	}
}

// small may stay in small letters: it is how their makers write them.
var small = []string{"firewalld", "nftables", "iptables", "fscrypt", "dm-crypt"}

// wire are free values that programs write and people are to be spared.
var wire = []string{"os_version.product", "os_version.family", "os_version.architecture", "disk[*].method", "firewall.manager", "integrity.access_control_system"}

// TestNothingRaw: of no recorded machine a word of the wire is shown.
func TestNothingRaw(t *testing.T) {
	files, err := filepath.Glob("../../testfixtures/machines/*/report.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d recorded reports, %v", len(files), err)
	}
	enums := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var report fact.Report
		if err := json.Unmarshal(data, &report); err != nil {
			t.Fatal(err)
		}
		for _, language := range catalogue.Languages() {
			in := Input{Now: noon(), Language: language}
			shown := map[string]string{}
			for _, p := range Sent(localapi.Sent{At: noon(), Report: report}, in).Parts {
				for _, l := range p.Lines {
					shown[l.ID] = l.Value
				}
			}
			for _, s := range report.Signals {
				enums += notRaw(t, file, language, s, shown)
			}
		}
	}
	if enums < 1000 {
		t.Errorf("found only %d words of closed lists", enums)
	}
}

func notRaw(t *testing.T, file, language string, s fact.Signal, shown map[string]string) (enums int) {
	t.Helper()
	texts := catalogue.For(language)
	for _, f := range s.Facts {
		address := fact.Address(s.Name, f.Key, f.Field)
		value := shown[plain(address, maxSentence)]
		if _, ok := texts.KeyOf(s.Name, f.Key); s.Name == fact.SignalFirewall && f.Key != "" && !ok {
			t.Errorf("%s: the entry %s has no word in %s", file, address, language)
		}
		raw, text := f.Value.AsString()
		if !text || s.StateOf(f) != fact.Observed {
			continue
		}
		switch d, _ := fact.Lookup(s.Name, f.Field, f.Key != ""); {
		case d.Kind == fact.Enum:
			enums++
			if word, ok := texts.WordOf(address, raw); !ok || value != word {
				t.Errorf("%s: %s %s is shown as %q in %s", file, address, raw, value, language)
			}
		case slices.ContainsFunc(wire, func(w string) bool { return fact.Matches(w, address) }):
			first, _, _ := strings.Cut(value, " ")
			if value == raw && !slices.Contains(small, first) && !strings.ContainsFunc(value, func(r rune) bool { return unicode.IsUpper(r) || r > unicode.MaxASCII }) {
				t.Errorf("%s: %s is shown as %q in %s", file, address, value, language)
			}
		}
	}
	return enums
}

// What is not known for one reason is one line, at the end of what it belongs
// to; the name of an entry is said once.
func TestGaps(t *testing.T) {
	none := func(key, field string, why fact.Reason) fact.Fact {
		return fact.Fact{Key: key, Field: field, State: fact.Unknown, Reason: why}
	}
	edr := fact.Signal{Name: fact.SignalEDR, State: fact.Observed, Facts: []fact.Fact{
		{Key: "a", Field: "name", Value: fact.Str("Alpha")}, none("a", "installed", fact.ReasonTimeout), {Key: "a", Field: "mode", Value: fact.Str(fact.ModePassive)},
		none("a", "running", fact.ReasonTimeout), none("a", "version", fact.ReasonNotFound), {Key: "b", Field: "name", Value: fact.Str("Beta")}}}
	gone := fact.Signal{Name: fact.SignalEnrolment, State: fact.Absent, Facts: []fact.Fact{{Field: "mdm"}, {Field: "domain"}}}
	all := fact.Signal{Name: fact.SignalFirewall, State: fact.Unknown, Reason: fact.ReasonTimeout, Facts: []fact.Fact{none("", "enabled", ""), none("", "manager", "")}}
	alone := fact.Signal{Name: fact.SignalDevice, State: fact.Unknown, Reason: fact.ReasonTimeout}
	unasked := fact.Signal{Name: fact.SignalCustom, State: fact.Absent}
	var got []string
	for _, p := range Sent(localapi.Sent{At: noon(), Report: fact.Report{Signals: []fact.Signal{edr, gone, all, alone, unasked}}}, inputOf(nil)).Parts {
		for _, l := range p.Lines {
			got = append(got, l.Name+": "+l.Value)
		}
	}
	want := []string{
		"Alpha: Mode: watches, but blocks nothing",
		"Alpha: Not known: Installed and Running: the system did not answer in time",
		"Alpha: Version: not known: it was looked for in every known place and is not there",
		"Beta: Name: Beta",
		"Not there: State and Domain",
		"Not known: State and Who sets it: the system did not answer in time",
		"State: not known: the system did not answer in time",
		"State: nothing",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// What was read again names a fixed entry in words too.
func TestChangedEntryIsNamed(t *testing.T) {
	in := inputOf(nil)
	in.Language = "de"
	p := Reread(localapi.Checked{Attested: true, Signals: []localapi.Reread{{Name: fact.SignalFirewall, After: noon(), Changed: []string{"firewall[public].enabled", "firewall[odd].active"}}}}, in)
	if got := p.Parts[0].Lines[2].Value; got != "Öffentliche Netzwerke: Filter und odd: Gerade in Gebrauch" {
		t.Errorf("%q", got)
	}
}
