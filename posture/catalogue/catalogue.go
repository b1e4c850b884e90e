// Package catalogue holds every stable code with its sentence and its fix, in English and German.
package catalogue

import "slices"

// Entry is one code: a reason, a problem, a finding or an event. Codes of an
// organisation begin with "org/", are not listed here and bring their own text.
type Entry struct {
	Code     string `json:"code"`
	Since    string `json:"since"`    // first protocol version that uses it
	Sentence string `json:"sentence"` // one sentence for people
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
	own := ""
	switch system {
	case "linux":
		own = f.Linux
	case "windows":
		own = f.Windows
	case "darwin":
		own = f.MacOS
	}
	if own != "" {
		return own
	}
	return f.Any
}

// Lookup finds the English entry of a code.
func Lookup(code string) (Entry, bool) { return Texts{}.Lookup(code) }

// All lists every English entry by code. Nothing is listed when the embedded
// files are broken, which a test rules out.
func All() []Entry { return slices.Clone(Texts{}.said().entries) }
