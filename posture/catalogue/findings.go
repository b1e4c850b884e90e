package catalogue

import (
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/fact"
)

// Finding is what a fact's value means to a person, where one value is better
// than another.
type Finding struct {
	Fact  string   `json:"fact"`            // address; [*] stands for the key of a list entry
	Under string   `json:"under,omitempty"` // finding that, when it is bad, says this one too
	Good  string   `json:"good"`
	Bad   string   `json:"bad"`
	Worst []string `json:"worst,omitempty"` // words that are bad; for true and false the fact's order says it
	Note  bool     `json:"note,omitempty"`  // worth knowing, but by itself no fault
	Fix   Fix      `json:"fix"`
	Page  string   `json:"page,omitempty"` // id of the settings page that helps
}

// Findings lists every English finding in the order of the facts. Nothing is
// listed when the embedded files are broken, which a test rules out.
func Findings() []Finding {
	out := slices.Clone(Texts{}.said().findings)
	for i := range out {
		out[i].Worst = slices.Clone(out[i].Worst)
	}
	return out
}

// FindingOf finds what is said of a fact in English; the key of the address may
// be any.
func FindingOf(address string) (Finding, bool) { return Texts{}.FindingOf(address) }

// OfPage finds what is said first of what a settings page is about.
func (t Texts) OfPage(page string) (Finding, bool) {
	for _, f := range t.said().findings {
		if page != "" && f.Page == page {
			f.Worst = slices.Clone(f.Worst)
			return f, true
		}
	}
	return Finding{}, false
}

// finding is what is said of a fact; the caller must not change it.
func (t Texts) finding(address string) (Finding, bool) {
	at, ok := placeOf(address)
	if !ok {
		return Finding{}, false
	}
	b := t.said()
	i, ok := b.byFact[at]
	if !ok {
		return Finding{}, false
	}
	return b.findings[i], true
}

// IsBad reports whether the value is one that the finding's bad sentence is
// about.
func (f Finding) IsBad(v fact.Value) bool {
	signal, key, field, err := fact.SplitAddress(f.Fact)
	d, known := fact.Lookup(signal, field, key != "")
	if err != nil || !known {
		return false
	}
	if b, ok := v.AsBool(); ok {
		return b != (d.Order == fact.TrueIsBetter)
	}
	word, ok := v.AsString()
	return ok && slices.Contains(f.Worst, word)
}

// Covered reports whether a finding that this one lies under is bad in the
// signal, so that telling both would tell one thing twice.
func (f Finding) Covered(s fact.Signal, key string) bool {
	for range len(s.Facts) + 1 {
		above, ok := Texts{}.finding(f.Under)
		if f.Under == "" || !ok {
			return false
		}
		_, list, field, err := fact.SplitAddress(above.Fact)
		if err != nil {
			return false
		}
		if list == "" {
			key = ""
		}
		if v, there := s.Find(key, field); there && s.StateOf(v).Usable() && above.IsBad(v.Value) {
			return true
		}
		f = above
	}
	return false
}

// Pages lists the ids of settings pages that findings name, sorted.
func Pages() []string {
	var out []string
	for _, f := range (Texts{}).said().findings {
		if f.Page != "" && !slices.Contains(out, f.Page) {
			out = append(out, f.Page)
		}
	}
	slices.SortFunc(out, strings.Compare)
	return out
}
