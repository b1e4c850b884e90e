package catalogue

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/fact"
)

func TestNothingIsBroken(t *testing.T) {
	if err := books().err; err != nil {
		t.Fatal(err)
	}
	for _, language := range Languages() {
		if books().of[language] == nil {
			t.Errorf("there is nothing in %s", language)
		}
	}
}

func TestFor(t *testing.T) {
	for said, want := range map[string]string{
		"": English, "de": German, "de-AT": German, "DE-CH": German, "de_DE.UTF-8": German, "de_DE@euro": German, "de-Latn-DE-1996": German,
		"en": English, "en-GB": English, "fr": English, "C": English, "C.UTF-8": English, "POSIX": English, "den": English, "d": English, "-de": English,
		"fr-FR, de;q=0.8, en;q=0.5": German, "en_US:de": English, "de:en": German, "de-DE,en": German, "nds:de_DE": German, "C:de": English,
		" de ": German, ",,:;": English, "de-": German, strings.Repeat("x-", 1<<16): English,
	} {
		if got := For(said).Language(); got != want {
			t.Errorf("%.40q is %s, want %s", said, got, want)
		}
	}
	if (Texts{}).Language() != English {
		t.Error("the zero value is not the English one")
	}
}

func TestGermanIsGerman(t *testing.T) {
	de := For("de_AT.UTF-8")
	e, ok := de.Lookup("paused")
	en, _ := Lookup("paused")
	if !ok || !strings.HasPrefix(e.Sentence, "Sie haben ") || e.Code != "paused" || e.Since != en.Since || e.Fix == en.Fix {
		t.Errorf("%+v", e)
	}
	f, ok := de.FindingOf("edr[some].mode")
	same, _ := FindingOf("edr[other].mode")
	if !ok || f.Bad == same.Bad || !slices.Equal(f.Worst, same.Worst) || f.Under != same.Under || f.Page != same.Page || f.Note != same.Note || f.Fact != same.Fact {
		t.Errorf("%+v, want the words of %+v in German", f, same)
	}
	if got := de.Title(fact.SignalScreenLock); got != "Bildschirmsperre" {
		t.Errorf("title %q", got)
	}
	for _, unknown := range []string{"", "org/anything", "no-such"} {
		if _, ok := de.Lookup(unknown); ok {
			t.Errorf("%q was found", unknown)
		}
		if _, ok := de.FindingOf(unknown); ok {
			t.Errorf("%q was found", unknown)
		}
	}
}

// written is a file as it is, without what stands in for what it lacks.
func written[T any](t *testing.T, data []byte, key func(T) string) map[string]T {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var list []T
	if err := d.Decode(&list); err != nil {
		t.Fatal(err)
	}
	out := map[string]T{}
	for _, one := range list {
		if _, twice := out[key(one)]; twice {
			t.Errorf("%s is there twice", key(one))
		}
		out[key(one)] = one
	}
	return out
}

// pair is one text in English and in German.
type pair struct{ where, english, german string }

// pairs lists every text with its translation, and checks that each language
// has a text exactly where the other has one.
func pairs(t *testing.T) []pair {
	t.Helper()
	var out []pair
	add := func(where, english, german string) {
		if (english == "") != (german == "") {
			t.Errorf("%s: English %q, German %q", where, english, german)
		}
		if english != "" {
			out = append(out, pair{where, english, german})
		}
	}
	fixes := func(where string, en, de Fix) {
		add(where+".fix.any", en.Any, de.Any)
		add(where+".fix.linux", en.Linux, de.Linux)
		add(where+".fix.windows", en.Windows, de.Windows)
		add(where+".fix.macos", en.MacOS, de.MacOS)
	}
	codeOf, factOf := func(e Entry) string { return e.Code }, func(f Finding) string { return f.Fact }
	entries, german := written(t, englishEntries, codeOf), written(t, germanEntries, codeOf)
	for code, de := range german {
		if _, ok := entries[code]; !ok {
			t.Errorf("de.json has %s, which is no code", code)
		}
		if de.Since != "" {
			t.Errorf("%s: since is not for a translation", code)
		}
	}
	for code, en := range entries {
		add(code, en.Sentence, german[code].Sentence)
		fixes(code, en.Fix, german[code].Fix)
	}
	findings, germanF := written(t, englishFindings, factOf), written(t, germanFindings, factOf)
	for at, de := range germanF {
		if _, ok := findings[at]; !ok {
			t.Errorf("findings.de.json has %s, which is no finding", at)
		}
		if de.Under != "" || de.Page != "" || de.Note || de.Worst != nil {
			t.Errorf("%s: a translation holds words alone", at)
		}
	}
	for at, en := range findings {
		add(at+".good", en.Good, germanF[at].Good)
		add(at+".bad", en.Bad, germanF[at].Bad)
		fixes(at, en.Fix, germanF[at].Fix)
	}
	if len(out) < 300 {
		t.Fatalf("only %d texts", len(out))
	}
	return out
}

var (
	// names are of products, programs and settings that have the same one in
	// both languages.
	names = []string{
		"Postern", "BitLocker", "FileVault", "TPM", "Secure Boot", "Secure Enclave", "Credential Guard", "SELinux", "AppArmor", "Windows",
		"macOS", "App Store", "Terminal", "FOLDER", "nftables", "cryptsetup", "systemd-cryptenroll", "zram", "unattended-upgrades", "dnf-automatic",
		"Firewall", "UEFI", "PTT", "fTPM", "Socket", "Token", "Gateway", "Broker",
	}
	// typed is what a person types as it stands: commands, options, paths.
	typed = regexp.MustCompile(`posternd?(?: (?:login|status|resume|help|posture|apps|explain|--[a-z]+))*|apt update|sudo [a-z]+ [a-z]+(?: --now [a-z]+)?|` +
		`csrutil enable|bcdedit /[a-z]+(?: testsigning)? off|timedatectl set-ntp true|--[a-z]+|[~%][A-Za-z%/\\. ]+\.yaml|/etc/[a-z/.]*[a-z]`)
)

// What has a name, and what is typed, is the same in both languages.
func TestTranslationNamesTheSame(t *testing.T) {
	commands := 0
	for _, p := range pairs(t) {
		for _, n := range names {
			if en, de := strings.Contains(p.english, n), strings.Contains(p.german, n); en && !de {
				t.Errorf("%s: %s is in %q and not in %q", p.where, n, p.english, p.german)
			}
		}
		for _, command := range typed.FindAllString(p.english, -1) {
			commands++
			if !strings.Contains(p.german, command) {
				t.Errorf("%s: %q is not in %q", p.where, command, p.german)
			}
		}
	}
	if commands < 30 {
		t.Errorf("found only %d commands and paths", commands)
	}
}

var (
	familiar = regexp.MustCompile(`(?i)\b(du|dich|dir|dein\w*|euch|euer|eure\w*)\b`)
	leftOver = regexp.MustCompile(`\b(Settings|Open|Ask|the|your|you|and|System Settings|Privacy|Security|Device|Switch|administrator)\b`)
	quotes   = regexp.MustCompile(`["']`)
)

// People are spoken to politely, and in one language.
func TestGermanIsPolite(t *testing.T) {
	for _, p := range pairs(t) {
		for what, bad := range map[string]*regexp.Regexp{"is familiar": familiar, "is English": leftOver, "has quotes of another language": quotes} {
			if found := bad.FindString(p.german); found != "" {
				t.Errorf("%s: %q %s: %q", p.where, found, what, p.german)
			}
		}
		if strings.HasSuffix(p.english, ".") != strings.HasSuffix(p.german, ".") || strings.Count(p.english, " > ") != strings.Count(p.german, " > ") {
			t.Errorf("%s: the sentences end, or lead, differently: %q, %q", p.where, p.english, p.german)
		}
		if len([]rune(p.german)) > 330 || strings.Contains(p.german, "  ") || strings.TrimSpace(p.german) != p.german {
			t.Errorf("%s: %q", p.where, p.german)
		}
	}
}

// What a language lacks is said in English, one by one.
func TestWhatIsNotTranslated(t *testing.T) {
	original := &book{entries: []Entry{{Code: "a", Since: "1", Sentence: "A.", Fix: Fix{Any: "any", Linux: "linux"}}, {Code: "b", Since: "2", Sentence: "B."}},
		findings: []Finding{{Fact: "os_version.product", Good: "g", Bad: "b", Worst: []string{"w"}}, {Fact: "disk[*].status", Good: "G", Bad: "B", Page: "p"}}}
	original.index()
	b := &book{entries: []Entry{{Code: "c", Sentence: "C."}, {Code: "a", Sentence: "Ä.", Fix: Fix{Any: "alle"}}},
		findings: []Finding{{Fact: "disk[*].status", Bad: "schlecht", Page: "other"}}}
	b.follow(original)
	texts := Texts{b}
	if e, ok := texts.Lookup("a"); !ok || e != (Entry{"a", "1", "Ä.", Fix{Any: "alle", Linux: "linux"}}) {
		t.Errorf("%+v", e)
	}
	if e, ok := texts.Lookup("b"); !ok || e.Sentence != "B." {
		t.Errorf("%+v", e)
	}
	if _, ok := texts.Lookup("c"); ok {
		t.Error("a code was made up")
	}
	if f, ok := texts.FindingOf("disk[x].status"); !ok || f.Bad != "schlecht" || f.Good != "G" || f.Page != "p" {
		t.Errorf("%+v", f)
	}
	if f, ok := texts.FindingOf("os_version.product"); !ok || f.Bad != "b" || !slices.Equal(f.Worst, []string{"w"}) {
		t.Errorf("%+v", f)
	}
	if original.entries[0].Sentence != "A." || original.findings[1].Bad != "B" {
		t.Error("the original was changed")
	}
}

// Nobody can change what others are told.
func TestResultsAreCopies(t *testing.T) {
	All()[0].Sentence = "changed"
	Findings()[0].Bad = "changed"
	for _, f := range Findings() {
		for i := range f.Worst {
			f.Worst[i] = "changed"
		}
	}
	for _, of := range []func(string) (Finding, bool){FindingOf, For(German).FindingOf} {
		f, ok := of("edr[x].mode")
		if !ok || len(f.Worst) == 0 {
			t.Fatal("edr[*].mode has no worst words")
		}
		f.Worst[0] = "changed"
	}
	Languages()[0] = "changed"
	Pages()[0] = "changed"
	if All()[0].Sentence == "changed" || Findings()[0].Bad == "changed" || Languages()[0] == "changed" || Pages()[0] == "changed" {
		t.Error("what was changed stayed")
	}
	for _, texts := range []Texts{{}, For(German)} {
		if f, _ := texts.FindingOf("edr[x].mode"); slices.Contains(f.Worst, "changed") {
			t.Errorf("the worst words of %s were changed", texts.Language())
		}
	}
}

// signals lists the signals that posture/fact declares.
func signals(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../fact/table.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 && strings.HasPrefix(spec.Names[0].Name, "Signal") {
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
				name, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, name)
			}
		}
		return true
	})
	if len(out) < 10 {
		t.Fatalf("found only the signals %q", out)
	}
	return out
}

func TestTitles(t *testing.T) {
	all := signals(t)
	for _, language := range Languages() {
		texts, seen := For(language), map[string]bool{}
		for _, signal := range all {
			title, own := books().of[language].titles[signal]
			if !own || title == "" || title == signal || seen[title] || texts.Title(signal) != title {
				t.Errorf("%s in %s: %q", signal, language, title)
			}
			seen[title] = true
		}
		if texts.Title("new_signal") != "new_signal" {
			t.Errorf("in %s a signal without a title is called %q", language, texts.Title("new_signal"))
		}
	}
	var titles map[string]map[string]string
	if err := json.Unmarshal(allTitles, &titles); err != nil {
		t.Fatal(err)
	}
	for signal, said := range titles {
		if !slices.Contains(all, signal) || len(said) != len(Languages()) {
			t.Errorf("titles.json: %s in %d languages", signal, len(said))
		}
	}
}

// ownCodes are of the command line alone; every other code is told in the menu
// and on the status page too, to people who may never have seen a command.
var ownCodes = []string{"usage", "ambiguous_app", "not-recorded"}

// A hint never speaks to those at the command line alone: where it names a
// command of ours, it names the menu first, and it knows no options.
func TestHintsAreRightEverywhere(t *testing.T) {
	var (
		command = regexp.MustCompile(`posternd?(?: [a-z]+)? --|postern (?:login|logout|status|resume|pause|apps|open|explain|posture|check|config|help|sent)\b`)
		menu    = regexp.MustCompile(`Postern menu|Postern-Menü`)
		typing  = regexp.MustCompile(`[Rr]un the command|[Ff]ühren Sie den Befehl|--socket|posternd --`)
	)
	commands := 0
	for _, p := range pairs(t) {
		code, _, _ := strings.Cut(p.where, ".fix")
		if slices.Contains(ownCodes, code) {
			continue
		}
		for _, text := range []string{p.english, p.german} {
			if found := typing.FindString(text); found != "" {
				t.Errorf("%s speaks to the command line: %q", p.where, text)
			}
			at := command.FindStringIndex(text)
			if at == nil {
				continue
			}
			commands++
			if before := menu.FindStringIndex(text); before == nil || before[0] > at[0] {
				t.Errorf("%s names a command and not the menu first: %q", p.where, text)
			}
		}
	}
	if commands < 20 {
		t.Errorf("found only %d commands", commands)
	}
	for _, code := range ownCodes {
		if _, ok := Lookup(code); !ok {
			t.Errorf("%s is no code", code)
		}
	}
}
