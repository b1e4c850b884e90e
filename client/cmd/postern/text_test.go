package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/platform/cells"
)

// bare is an app that writes to out and has no environment.
func bare(out *strings.Builder) *app {
	return &app{in: strings.NewReader(""), out: out, err: &strings.Builder{}, getenv: func(string) string { return "" }}
}

// A write that fails must not look like success.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("this system has no /dev/full")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, args := range [][]string{{"help"}, {"help", "login"}, {"-h"}, {"login", "-h"}, {"version"}, {"completion", "bash"}} {
		a := bare(nil)
		a.out = full
		if code := a.main(t.Context(), args); code != exitError {
			t.Errorf("%q: exit code %d", args, code)
		}
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"Müller & Söhne": "Müller & Söhne", "a\x1b[31mb\nc": "a?[31mb?c", "a\u202eb": "a?b", "\x9b": "\ufffd",
	} {
		if got := plain(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestColours(t *testing.T) {
	if got := paint(true, bad, "x"); got != "\x1b[31mx\x1b[0m" {
		t.Errorf("%q", got)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if terminalOf(f) != nil {
		t.Error("a file is taken for a terminal")
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if terminalOf(null) != nil {
		t.Error("the null device is taken for a terminal")
	}
}

func TestFold(t *testing.T) {
	for _, tc := range []struct {
		text  string
		width int
		want  []string
	}{
		{"one two three", 0, []string{"one two three"}},
		{"one two three", 7, []string{"one two", "three"}},
		{"see https://example.org/a/long/link now", 10, []string{"see", "https://example.org/a/long/link", "now"}},
		{"漢字 漢字 漢字", 9, []string{"漢字 漢字", "漢字"}},
		{"", 5, []string{""}},
	} {
		if got := fold(tc.text, tc.width); !slices.Equal(got, tc.want) {
			t.Errorf("fold(%q, %d) = %q, want %q", tc.text, tc.width, got, tc.want)
		}
	}
}

func TestTable(t *testing.T) {
	rows := [][]cell{{{"Wiki", ""}, {"open", ""}, {"where the long way leads to", ""}}, {{"Pay", ""}, {"closed", ""}, {}}}
	for width, want := range map[int]string{
		0:  "Wiki  open    where the long way leads to\nPay   closed\n",
		38: "Wiki  open    where the long way leads\n              to\nPay   closed\n",
		29: "Wiki\n  open\n  where the long way leads to\nPay\n  closed\n",
	} {
		p := &page{width: width}
		p.table(0, rows)
		if p.String() != want {
			t.Errorf("width %d:\n%s\nwant\n%s", width, p.String(), want)
		}
	}
	empty := &page{width: 20}
	empty.table(0, nil)
	if empty.Len() != 0 {
		t.Errorf("an empty table is %q", empty.String())
	}
}

// No line is wider than the terminal, but for words that cannot be broken and
// for examples, which are there to be copied.
func TestHelpFitsNarrowTerminals(t *testing.T) {
	var out strings.Builder
	a := bare(&out)
	a.getenv = func(name string) string { return map[string]string{"COLUMNS": "40"}[name] }
	root := a.root()
	for _, c := range append(shown(root), root) {
		text, examples, _ := strings.Cut(a.helpText(c), "Examples:\n")
		if strings.TrimSpace(examples) == "" {
			t.Errorf("%s has no example", c.Name())
		}
		for line := range strings.Lines(text) {
			line = strings.TrimRight(line, "\n")
			if cells.Width(line) > 40 && strings.Contains(strings.TrimSpace(line), " ") {
				t.Errorf("%s: %q", c.Name(), line)
			}
		}
	}
}

func TestPick(t *testing.T) {
	apps := []view.App{{ID: "wiki", Name: "Wiki"}, {ID: "wiki-old", Name: "The old wiki"}, {ID: "pay", Name: "Payroll"}, {ID: "payslips", Name: "Pay slips"}}
	for name, want := range map[string]string{
		"wiki": "wiki", "WIKI": "wiki", "wiki-": "wiki-old", "the old": "wiki-old", "payroll": "pay", "Pay slips": "payslips", "pays": "payslips",
		"wi": codeManyApps, "p": codeManyApps, "": codeNoApp, "x": codeNoApp, "wikki": codeNoApp,
	} {
		x, err := bare(nil).pick(apps, name)
		got := x.ID
		if err != nil {
			got = bare(nil).failureOf(err).Code
		}
		if got != want {
			t.Errorf("%q is %s, want %s", name, got, want)
		}
	}
	if _, err := bare(nil).pick(apps, "wikki"); !strings.Contains(bare(nil).failureOf(err).Hint, "Did you mean: wiki") {
		t.Errorf("no suggestion for wikki: %s", bare(nil).failureOf(err).Hint)
	}
	if _, err := bare(nil).pick(apps, "xyzzy"); strings.Contains(bare(nil).failureOf(err).Hint, "Did you mean") {
		t.Errorf("a wild suggestion: %s", bare(nil).failureOf(err).Hint)
	}
	if _, err := bare(nil).pick(nil, "wiki"); !strings.Contains(bare(nil).failureOf(err).Hint, "no applications") {
		t.Errorf("without applications: %s", bare(nil).failureOf(err).Hint)
	}
}

func TestDistance(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"wiki", "wikki", 1}, {"wiki", "wkii", 1}, {"straße", "strasse", 2}, {"abc", "xyz", 3}} {
		if got := distance(tc.a, tc.b); got != tc.want {
			t.Errorf("%s to %s: %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
}

func TestScreenful(t *testing.T) {
	text := strings.Repeat("line\n", 30)
	if got := strings.Count(screenful(text, 10, "03:04:05  Ctrl-C ends"), "\r\n") + 1; got != 10 {
		t.Errorf("30 lines on 10 rows take %d", got)
	}
	if got := strings.Count(screenful(text, 0, ""), "\r\n") + 1; got != 32 {
		t.Errorf("30 lines on a screen of unknown size take %d", got)
	}
}

func TestRemaining(t *testing.T) {
	for d, want := range map[time.Duration]string{5 * time.Minute: "5:00", 61 * time.Second: "1:01", -time.Second: "0:00", 1900 * time.Millisecond: "0:02"} {
		if got := remaining(d); got != want {
			t.Errorf("%s is %s, want %s", d, got, want)
		}
	}
}

// Examples fit the system.
func TestExamples(t *testing.T) {
	if privileged("windows") != "" || privileged("darwin") != "sudo " || privileged("linux") != "sudo " {
		t.Error("the example of posture")
	}
	if got := completionExample("windows"); !strings.Contains(got, "powershell") || !strings.Contains(completionExample("linux"), "source <(postern completion bash)\n") {
		t.Errorf("the example of completion on Windows is %s", got)
	}
}

func TestJSONIsHarmless(t *testing.T) {
	in := map[string]string{"name": "a\x1b[2Jb\u009bc\u202ed\u007fe\U000e0041 Müller 👍"}
	var out strings.Builder
	a := bare(&out)
	if err := a.writeLine(in); err != nil {
		t.Fatal(err)
	}
	for _, r := range out.String() {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			t.Errorf("%U goes to the terminal in %q", r, out.String())
		}
	}
	var back map[string]string
	if err := json.Unmarshal([]byte(out.String()), &back); err != nil || back["name"] != in["name"] {
		t.Errorf("it means %q now, %v", back["name"], err)
	}
}
