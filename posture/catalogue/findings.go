package catalogue

import (
	_ "embed" // findings.json
	"encoding/json"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/fact"
)

//go:embed findings.json
var findings []byte

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

// Findings lists every finding in the order of the facts. Nothing is listed
// when the embedded file is broken, which a test rules out.
func Findings() []Finding {
	var out []Finding
	if err := json.Unmarshal(findings, &out); err != nil {
		return nil
	}
	return out
}

// FindingOf finds what is said of a fact; the key of the address may be any.
func FindingOf(address string) (Finding, bool) {
	signal, key, field, err := fact.SplitAddress(address)
	if err != nil {
		return Finding{}, false
	}
	if key != "" {
		key = "*"
	}
	for _, f := range Findings() {
		if f.Fact == fact.Address(signal, key, field) {
			return f, true
		}
	}
	return Finding{}, false
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
		above, ok := FindingOf(f.Under)
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
	for _, f := range Findings() {
		if f.Page != "" && !slices.Contains(out, f.Page) {
			out = append(out, f.Page)
		}
	}
	slices.SortFunc(out, strings.Compare)
	return out
}
