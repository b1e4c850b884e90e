package catalogue

import (
	_ "embed" // the texts
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/postern-zt/postern/posture/fact"
)

var (
	//go:embed en.json
	englishEntries []byte
	//go:embed de.json
	germanEntries []byte
	//go:embed findings.json
	englishFindings []byte
	//go:embed findings.de.json
	germanFindings []byte
	//go:embed titles.json
	allTitles []byte
)

// book is all that is said in one language. Nothing in it is changed once it is
// made, and nothing that could be is given away.
type book struct {
	language string
	entries  []Entry // by code
	byCode   map[string]int
	findings []Finding // in the order of the file
	byFact   map[place]int
	titles   map[string]string // by signal
	lexicon                    // what values are called
}

// place is a fact's address without the key of its list entry.
type place struct {
	signal, field string
	keyed         bool
}

// shelf has the book of each language.
type shelf struct {
	english *book
	of      map[string]*book
	err     error // what is broken about the files; those are as if empty
}

// books parses the texts when somebody first asks.
var books = sync.OnceValue(load)

func load() shelf {
	s := shelf{of: map[string]*book{}}
	var titles map[string]map[string]string
	if err := json.Unmarshal(allTitles, &titles); err != nil {
		s.err = fmt.Errorf("titles of signals: %w", err)
	}
	words, err := lexicons(allWords)
	s.err = errors.Join(s.err, err)
	for _, f := range []struct {
		language          string
		entries, findings []byte
	}{{English, englishEntries, englishFindings}, {German, germanEntries, germanFindings}} {
		b := &book{language: f.language, titles: map[string]string{}, lexicon: words[f.language]}
		if err := b.parse(f.entries, f.findings); err != nil {
			s.err = errors.Join(s.err, fmt.Errorf("catalogue in %s: %w", f.language, err))
		}
		for signal, said := range titles {
			b.titles[signal] = either(said[f.language], said[English])
		}
		if s.english == nil { // it comes first
			s.english = b
			b.index()
		} else {
			b.follow(s.english)
		}
		s.of[f.language] = b
	}
	return s
}

// parse leaves out a file that is broken.
func (b *book) parse(entries, findings []byte) error {
	errEntries, errFindings := json.Unmarshal(entries, &b.entries), json.Unmarshal(findings, &b.findings)
	if errEntries != nil {
		b.entries = nil
	}
	if errFindings != nil {
		b.findings = nil
	}
	return errors.Join(errEntries, errFindings)
}

func (b *book) index() {
	slices.SortFunc(b.entries, func(x, y Entry) int { return strings.Compare(x.Code, y.Code) })
	b.byCode, b.byFact = map[string]int{}, map[place]int{}
	for i, e := range b.entries {
		b.byCode[e.Code] = i
	}
	for i, f := range b.findings {
		if at, ok := placeOf(f.Fact); ok {
			b.byFact[at] = i
		}
	}
}

// follow makes the book a translation of another: the same entries and
// findings, with its own words wherever it has them.
func (b *book) follow(original *book) {
	own := book{entries: b.entries, findings: b.findings}
	own.index()
	b.entries, b.findings = slices.Clone(original.entries), slices.Clone(original.findings)
	b.byCode, b.byFact = original.byCode, original.byFact
	for code, i := range b.byCode {
		if j, ok := own.byCode[code]; ok {
			e, said := &b.entries[i], own.entries[j]
			e.Sentence, e.Fix = either(said.Sentence, e.Sentence), said.Fix.over(e.Fix)
		}
	}
	for at, i := range b.byFact {
		if j, ok := own.byFact[at]; ok {
			f, said := &b.findings[i], own.findings[j]
			f.Good, f.Bad, f.Fix = either(said.Good, f.Good), either(said.Bad, f.Bad), said.Fix.over(f.Fix)
		}
	}
}

// over takes what a fix does not say from another.
func (f Fix) over(other Fix) Fix {
	return Fix{either(f.Any, other.Any), either(f.Linux, other.Linux), either(f.Windows, other.Windows), either(f.MacOS, other.MacOS)}
}

func either(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

func placeOf(address string) (place, bool) {
	signal, key, field, err := fact.SplitAddress(address)
	return place{signal, field, key != ""}, err == nil
}
