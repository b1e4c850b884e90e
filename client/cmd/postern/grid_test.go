package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/platform/cells"
)

// update writes the tables anew: go test -run TestPostureTable -update, and
// then look at them.
var update = flag.Bool("update", false, "write testdata/tables anew")

func TestWrap(t *testing.T) {
	for _, tc := range []struct {
		text  string
		width int
		split bool
		want  []string
	}{
		{"one two three", 7, false, []string{"one two", "three"}},
		{"a Fest\u00adplatten\u00adschutz", 30, false, []string{"a Festplattenschutz"}},
		{"a Fest\u00adplatten\u00adschutz", 11, false, []string{"a Fest-", "platten-", "schutz"}},
		{"a Fest\u00adplatten\u00adschutz", 13, false, []string{"a", "Festplatten-", "schutz"}},
		{"in /usr/share/doc", 6, true, []string{"in", "/usr/s", "hare/d", "oc"}},
		{"漢字漢字", 5, true, []string{"漢字", "漢字"}},
		{"a\u0308a\u0308a\u0308", 2, true, []string{"a\u0308a\u0308", "a\u0308"}},
		{"unbroken", 3, false, []string{"unbroken"}},
		{"", 3, true, []string{""}},
	} {
		if got := wrap(tc.text, tc.width, tc.split); !slices.Equal(got, tc.want) {
			t.Errorf("wrap(%q, %d, %v) = %q, want %q", tc.text, tc.width, tc.split, got, tc.want)
		}
	}
}

// patient is what was found of a computer in every state, in two languages,
// with wide letters and marks.
func patient(language string) []found {
	one := func(check, mark, text, fix string) found {
		return found{check, view.Remark{Mark: mark, Text: text, Fix: fix}}
	}
	if language == "de" {
		return []found{
			one("Firewall", view.MarkGood, "Die Firewall filtert eingehende Verbindungen.", ""),
			one("Betriebssystem", markRead, "debian 12", ""),
			one("Updates", view.MarkNote, "In den Kernel ist kein Live-Patch geladen.", "Sie müssen nichts tun, solange Ihre Organisation keine verlangt."),
			one("Festplattenverschlüsselung", view.MarkBad, "Der Systemdatenträger ist nicht verschlüsselt.",
				"Er lässt sich nur bei der Installation verschlüsseln; bitten Sie Ihre Administration um eine neue Installation mit Verschlüsselung."),
			one("Bildschirmsperre", view.MarkUnknown, "Das System hat nicht rechtzeitig geantwortet.", "Warten Sie einen Moment; Postern versucht es von selbst noch einmal."),
			one("Sicherheitsprodukte", view.MarkBad, "防毒軟體 Schu\u0308tzer: Das Sicherheitsprodukt läuft nicht.", "Starten Sie es."),
			one("Von Ihrer Organisation verlangt", markRead, "Ihre Organisation verlangt nichts weiter.", ""),
		}
	}
	return []found{
		one("Firewall", view.MarkGood, "The firewall filters inbound connections.", ""),
		one("Operating system", markRead, "debian 12", ""),
		one("Updates", view.MarkNote, "No live patch is loaded into the kernel.", "Nothing needs to be done unless your organisation asks for it."),
		one("Disk encryption", view.MarkBad, "The system disk is not encrypted.",
			"It can only be encrypted when the system is installed; ask your administrator for a new installation with encryption."),
		one("Screen lock", view.MarkUnknown, "The system did not answer in time.", "Wait a moment; Postern tries again by itself."),
		one("Security products", view.MarkBad, "防毒軟體 Schu\u0308tzer: The security product does not run.", "Start it."),
		one("Asked for by your organisation", markRead, "Your organisation asks for nothing else.", ""),
	}
}

// draw is the table of the patient.
func draw(language string, width int, colour, lists bool) string {
	p := &page{words: speak(language), width: width, colour: colour, lists: lists}
	p.findings(patient(language), true)
	return p.String()
}

// The table is as it was looked at, at several widths, in both languages; no
// line of it is too wide.
func TestPostureTable(t *testing.T) {
	for _, language := range []string{"en", "de"} {
		for _, width := range []int{0, 40, 59, 80, 120} {
			got := draw(language, width, false, false)
			file := filepath.Join("testdata", "tables", fmt.Sprintf("posture_%s_%d.golden", language, width))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s:\n%s\nwant\n%s", file, got, want)
			}
			room := width
			if width == 0 {
				room = pipeWidth
			}
			for line := range strings.Lines(got) {
				if n := cells.Width(strings.TrimSuffix(line, "\n")); n > room {
					t.Errorf("%s: %d columns: %q", file, n, line)
				}
			}
		}
	}
}

// At each width the columns stand below their heads, and each width has
// everything that is said.
func TestPostureTableAtEveryWidth(t *testing.T) {
	for _, language := range []string{"en", "de"} {
		whole := squeezed(draw(language, 400, false, false))
		for width := 32; width <= 200; width++ {
			text := draw(language, width, false, false)
			head, table := "", false
			for line := range strings.Lines(text) {
				if strings.HasPrefix(line, speak(language).Posture.Check) {
					head, table = line, true
				}
				if n := cells.Width(strings.TrimSuffix(line, "\n")); n > width && strings.Contains(strings.TrimSpace(line), " ") {
					t.Fatalf("%s, %d: %d columns: %q", language, width, n, line)
				}
			}
			if table && width < listBelow {
				t.Fatalf("%s: a table at %d columns:\n%s", language, width, text)
			}
			if table && width >= 80 && !below(text, head) {
				t.Fatalf("%s, %d: columns are out of place:\n%s", language, width, text)
			}
			if table && len(squeezed(text)) < len(whole)-1 {
				t.Fatalf("%s, %d: %d of %d letters", language, width, len(squeezed(text)), len(whole))
			}
		}
	}
}

// below reports whether left of each column there is a gap in every line.
func below(text, head string) bool {
	_, table, _ := strings.Cut(text, head)
	heads := []rune(head)
	for i := 1; i < len(heads)-1; i++ {
		if heads[i-1] != ' ' || heads[i] != ' ' || heads[i+1] == ' ' {
			continue
		}
		for line := range strings.Lines(table) {
			column := 0
			for _, r := range line {
				if column == i && r != ' ' && r != '\n' {
					return false
				}
				column += cells.Width(string(r))
			}
		}
	}
	return true
}

// squeezed is what is said, without where it stands.
func squeezed(text string) string {
	letters := strings.Split(strings.Join(strings.Fields(strings.ReplaceAll(text, "-", "")), ""), "")
	slices.Sort(letters)
	return strings.Join(letters, "")
}

// Colours only repeat what is written.
func TestPostureTableColours(t *testing.T) {
	for _, width := range []int{50, 100} {
		coloured := draw("en", width, true, false)
		if !strings.Contains(coloured, "\x1b[31m! problem\x1b[0m") && !strings.Contains(coloured, "\x1b[31mDisk encryption: ! problem\x1b[0m") {
			t.Errorf("no colours: %q", coloured)
		}
		var bare strings.Builder
		for part := range strings.SplitSeq(coloured, "\x1b[") {
			if bare.Len() > 0 {
				_, part, _ = strings.Cut(part, "m")
			}
			bare.WriteString(part)
		}
		// The first part may have had the escape in front of it.
		if got, want := strings.TrimPrefix(bare.String(), "31m"), draw("en", width, false, false); got != want {
			t.Errorf("without colours it is\n%s\nwant\n%s", got, want)
		}
	}
}

// Who wants lists gets them at any width, one thing after the other.
func TestPostureList(t *testing.T) {
	text := draw("en", 120, false, true)
	if strings.Contains(text, "CHECK") || !strings.Contains(text, "\nDisk encryption: ! problem\n  The system disk is not encrypted") || !strings.Contains(text, "\n  Fix: ") {
		t.Error(text)
	}
}

func TestFit(t *testing.T) {
	for _, tc := range []struct {
		text  string
		width int
		want  string
	}{{"one two", 0, "one two"}, {"one two", 7, "one two"}, {"one two", 5, "one"}, {"unbroken", 5, "unbro"}, {"漢字", 3, "漢"}} {
		if got := fit(tc.text, tc.width); got != tc.want {
			t.Errorf("fit(%q, %d) = %q, want %q", tc.text, tc.width, got, tc.want)
		}
	}
}
