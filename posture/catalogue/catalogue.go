// Package catalogue holds every stable code with its sentence and its fix.
package catalogue

import (
	_ "embed" // en.json
	"encoding/json"
	"slices"
	"strings"
)

//go:embed en.json
var english []byte

// Entry is one code: a reason, a problem, a finding or an event. Codes of an
// organisation begin with "org/", are not listed here and bring their own text.
type Entry struct {
	Code     string `json:"code"`
	Since    string `json:"since"`    // first protocol version that uses it
	Sentence string `json:"sentence"` // one English sentence for people
	Fix      Fix    `json:"fix"`
}

// Fix says what a person can do, where that differs by system. Every field may
// be empty.
type Fix struct {
	Any     string `json:"any,omitempty"`
	Linux   string `json:"linux,omitempty"`
	Windows string `json:"windows,omitempty"`
	MacOS   string `json:"macos,omitempty"`
}

// For is the hint for a system, "linux", "windows" or "darwin" as GOOS has
// them, and otherwise the one for any; it is empty when nothing can be done.
func (f Fix) For(system string) string {
	own := map[string]string{"linux": f.Linux, "windows": f.Windows, "darwin": f.MacOS}[system]
	if own != "" {
		return own
	}
	return f.Any
}

// Lookup finds the entry of a code.
func Lookup(code string) (Entry, bool) {
	for _, e := range All() {
		if e.Code == code {
			return e, true
		}
	}
	return Entry{}, false
}

// All lists every entry by code. Nothing is listed when the embedded file is
// broken, which a test rules out.
func All() []Entry {
	var entries []Entry
	if err := json.Unmarshal(english, &entries); err != nil {
		return nil
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Code, b.Code) })
	return entries
}
