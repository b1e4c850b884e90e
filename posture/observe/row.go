// Package observe holds the words of what to read beyond the built-in signals, and checks them.
package observe

import (
	"encoding/hex"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/postern-zt/postern/posture/fact"
)

// LocalPrefix begins every id that a user's own settings may declare. Such a
// row passes only where a policy names it, prefix and all.
const LocalPrefix = "local/"

// Program is how to find one product on one system. It is not a value that a
// policy compares with.
type Program struct {
	Executable string `yaml:"executable" json:"executable"`             // absolute path
	SHA256     string `yaml:"sha256,omitempty" json:"sha256,omitempty"` // lower-case hex; empty: any content
}

// EDRRow declares one endpoint security product of the catalogue.
type EDRRow struct {
	ID      string    `yaml:"id" json:"id"`     // "vendor-product", or "local/name" from a user's settings
	Name    string    `yaml:"name" json:"name"` // for people
	Linux   []Program `yaml:"linux,omitempty" json:"linux,omitempty"`
	Windows []Program `yaml:"windows,omitempty" json:"windows,omitempty"`
	MacOS   []Program `yaml:"macos,omitempty" json:"macos,omitempty"`
	Source  string    `yaml:"source,omitempty" json:"source,omitempty"` // where the facts of the row come from
	Origin  string    `yaml:"-" json:"origin"`                          // fact.Origin…, set by whoever loaded it
}

var rowID = regexp.MustCompile(`^(local/|org/)?[a-z0-9][a-z0-9-]{0,62}$`)

// Validate checks one row by itself.
func (r EDRRow) Validate() error {
	if !rowID.MatchString(r.ID) {
		return fmt.Errorf("catalogue row %q: an id is lower-case letters, digits and dashes, optionally after local/ or org/", fact.Clip(r.ID))
	}
	if r.Name == "" || len(r.Name) > fact.MaxString {
		return fmt.Errorf("catalogue row %s: name is empty or longer than %d bytes", r.ID, fact.MaxString)
	}
	local := strings.HasPrefix(r.ID, LocalPrefix)
	if r.Origin == fact.OriginUserSettings && !local {
		return fmt.Errorf("catalogue row %s: a row from a user's settings must have an id that begins with %s, so that it cannot stand for a shipped product", r.ID, LocalPrefix)
	}
	if r.Origin != fact.OriginUserSettings && local {
		return fmt.Errorf("catalogue row %s: ids that begin with %s belong to users' settings", r.ID, LocalPrefix)
	}
	if len(r.Linux)+len(r.Windows)+len(r.MacOS) == 0 {
		return fmt.Errorf("catalogue row %s: names no executable for any system", r.ID)
	}
	for _, p := range r.programs() {
		if err := p.validate(); err != nil {
			return fmt.Errorf("catalogue row %s: %w", r.ID, err)
		}
	}
	return nil
}

func (r EDRRow) programs() []Program {
	return append(append(append([]Program(nil), r.Linux...), r.Windows...), r.MacOS...)
}

func (p Program) validate() error {
	windows := len(p.Executable) > 3 && p.Executable[1:3] == `:\`
	if !windows && (!path.IsAbs(p.Executable) || path.Clean(p.Executable) != p.Executable) {
		return fmt.Errorf("executable %q is not a clean absolute path", fact.Clip(p.Executable))
	}
	if len(p.Executable) > fact.MaxString {
		return fmt.Errorf("executable path is longer than %d bytes", fact.MaxString)
	}
	if p.SHA256 == "" {
		return nil
	}
	if b, err := hex.DecodeString(p.SHA256); err != nil || len(b) != 32 || strings.ToLower(p.SHA256) != p.SHA256 {
		return fmt.Errorf("sha256 of %s is not 64 lower-case hex digits", p.Executable)
	}
	return nil
}

// Merge joins catalogues, the shipped one first. A later row may not repeat an
// id: nobody can change what a product's id means.
func Merge(catalogues ...[]EDRRow) ([]EDRRow, error) {
	var out []EDRRow
	owner := map[string]string{}
	for _, rows := range catalogues {
		for _, r := range rows {
			if err := r.Validate(); err != nil {
				return nil, err
			}
			if by, taken := owner[r.ID]; taken {
				return nil, fmt.Errorf("catalogue row %s from %s: the id is already declared (%s) and cannot be changed", r.ID, r.Origin, by)
			}
			owner[r.ID] = r.Origin
			out = append(out, r)
		}
	}
	if len(out) > fact.MaxEntries {
		return nil, fmt.Errorf("catalogue: %d rows, at most %d allowed", len(out), fact.MaxEntries)
	}
	return out, nil
}
