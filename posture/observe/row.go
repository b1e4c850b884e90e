// Package observe holds the words of what to read beyond the built-in signals, and checks them.
package observe

import (
	"encoding/hex"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/fact"
)

// LocalPrefix begins every id that a user's own settings may declare. Such a
// row passes only where a policy names it, prefix and all.
const LocalPrefix = "local/"

// Limits of a catalogue. A report carries fewer entries (fact.MaxEntries), but
// shipped rows are listed only where the product is found.
const (
	MaxRows  = 256
	maxPlace = 16 // entries of one list of a row
)

// Whom a product's processes run as. A process of somebody else does not count.
const (
	RunAsRoot   = "root"   // root; on Windows one of the three system accounts
	RunAsSystem = "system" // root, or an account that no person signs in with
	RunAsAny    = "any"
)

// How well a shipped row is known.
const (
	Seen       = "seen"       // its names are from a machine, or from its maker's documentation
	Unverified = "unverified" // its names, or some of them, were not confirmed on a machine
)

// The readers of health that a shipped row may name: how a product is asked
// what it says of itself. Rows from outside cannot name one.
const (
	StatusCrowdStrike      = "crowdstrike"
	StatusDefenderAV       = "defender-antivirus"
	StatusDefenderEndpoint = "defender-endpoint"
	StatusSentinelOne      = "sentinelone"
	StatusWazuh            = "wazuh"
	StatusClamAV           = "clamav"
	StatusElastic          = "elastic"
	StatusCarbonBlack      = "carbon-black"
	StatusCortex           = "cortex"
	StatusBitdefender      = "bitdefender"
)

// Readers lists the readers of health, by their names in the catalogue.
func Readers() []string {
	return []string{StatusCrowdStrike, StatusDefenderAV, StatusDefenderEndpoint, StatusSentinelOne, StatusWazuh,
		StatusClamAV, StatusElastic, StatusCarbonBlack, StatusCortex, StatusBitdefender}
}

// Program is how to find one product on one system. It is not a value that a
// policy compares with.
type Program struct {
	Executable string `yaml:"executable" json:"executable"`             // absolute path
	SHA256     string `yaml:"sha256,omitempty" json:"sha256,omitempty"` // lower-case hex; empty: any content
}

// EDRRow declares one endpoint security product of the catalogue. Every field
// but Status may be used by whoever declares a row.
type EDRRow struct {
	ID      string    `yaml:"id" json:"id"`     // "vendor-product", or "local/name" from a user's settings
	Name    string    `yaml:"name" json:"name"` // for people
	Linux   []Program `yaml:"linux,omitempty" json:"linux,omitempty"`
	Windows []Program `yaml:"windows,omitempty" json:"windows,omitempty"`
	MacOS   []Program `yaml:"macos,omitempty" json:"macos,omitempty"`

	Units      []string `yaml:"units,omitempty" json:"units,omitempty"`           // Linux: systemd units of its processes
	Services   []string `yaml:"services,omitempty" json:"services,omitempty"`     // Windows: names of its services, not their titles
	Publishers []string `yaml:"publishers,omitempty" json:"publishers,omitempty"` // Windows: parts of the subject that signed its programs, one of which must match
	TeamIDs    []string `yaml:"team_ids,omitempty" json:"team_ids,omitempty"`     // macOS: Team IDs of its maker
	Extensions []string `yaml:"extensions,omitempty" json:"extensions,omitempty"` // macOS: bundle identifiers of its system extensions; a last part of * stands for any
	Category   string   `yaml:"category,omitempty" json:"category,omitempty"`     // macOS: what such an extension must be for, such as endpoint_security
	Apps       []string `yaml:"apps,omitempty" json:"apps,omitempty"`             // macOS: where its application lies
	RunAs      string   `yaml:"run_as,omitempty" json:"run_as,omitempty"`         // RunAs…; empty: root for shipped rows, else any

	Status     string `yaml:"status,omitempty" json:"status,omitempty"`         // Status…, only in shipped rows
	Confidence string `yaml:"confidence,omitempty" json:"confidence,omitempty"` // Seen or Unverified; for people
	Source     string `yaml:"source,omitempty" json:"source,omitempty"`         // where the facts of the row come from
	Origin     string `yaml:"-" json:"origin"`                                  // fact.Origin…, set by whoever loaded it
}

// Runs tells whom the product's processes must run as: RunAs…, never empty.
func (r EDRRow) Runs() string {
	switch {
	case r.RunAs != "":
		return r.RunAs
	case r.Origin == fact.OriginBuiltIn:
		return RunAsRoot
	}
	return RunAsAny
}

var (
	rowID     = regexp.MustCompile(`^(local/|org/)?[a-z0-9][a-z0-9-]{0,62}$`)
	unitName  = regexp.MustCompile(`^[A-Za-z0-9:_.@\\-]{1,250}$`)  // systemd.unit(5)
	service   = regexp.MustCompile(`^[^\x00-\x1f\x7f/\\]{1,250}$`) // CreateService: no slashes
	publisher = regexp.MustCompile(`^[^\x00-\x1f\x7f]{3,250}$`)    // shorter ones match too much
	teamID    = regexp.MustCompile(`^[A-Z0-9]{10}$`)               // Apple: ten characters
	bundleID  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*[A-Za-z0-9](\.\*)?$`)
	category  = regexp.MustCompile(`^[a-z_]{0,64}$`)
)

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
	if len(r.Linux)+len(r.Windows)+len(r.MacOS)+len(r.Services)+len(r.Extensions)+len(r.Apps) == 0 {
		return fmt.Errorf("catalogue row %s: names no executable for any system", r.ID)
	}
	if max(len(r.Linux), len(r.Windows), len(r.MacOS)) > maxPlace {
		return fmt.Errorf("catalogue row %s: more than %d executables for one system", r.ID, maxPlace)
	}
	for _, p := range r.programs() {
		if err := p.validate(); err != nil {
			return fmt.Errorf("catalogue row %s: %w", r.ID, err)
		}
	}
	if err := r.validatePlaces(); err != nil {
		return fmt.Errorf("catalogue row %s: %w", r.ID, err)
	}
	return r.validateWords()
}

// validatePlaces checks the lists that say where a product is found.
func (r EDRRow) validatePlaces() error {
	for _, list := range []struct {
		name    string
		entries []string
		form    *regexp.Regexp
	}{
		{"units", r.Units, unitName}, {"services", r.Services, service}, {"publishers", r.Publishers, publisher},
		{"team_ids", r.TeamIDs, teamID}, {"extensions", r.Extensions, bundleID}, {"apps", r.Apps, publisher},
	} {
		if len(list.entries) > maxPlace {
			return fmt.Errorf("%s: %d entries, at most %d allowed", list.name, len(list.entries), maxPlace)
		}
		for _, e := range list.entries {
			if !list.form.MatchString(e) || len(e) > fact.MaxString {
				return fmt.Errorf("%s: %q is not of the right form", list.name, fact.Clip(e))
			}
		}
	}
	for _, app := range r.Apps {
		if !path.IsAbs(app) || path.Clean(app) != app {
			return fmt.Errorf("apps: %q is not a clean absolute path", fact.Clip(app))
		}
	}
	if len(r.Extensions) > 0 && len(r.TeamIDs) == 0 {
		return fmt.Errorf("extensions need team_ids: anybody can give an extension any name")
	}
	return nil
}

func (r EDRRow) validateWords() error {
	switch {
	case r.Status != "" && r.Origin != fact.OriginBuiltIn:
		return fmt.Errorf("catalogue row %s: only shipped rows can say how a product is asked about itself", r.ID)
	case r.Status != "" && !slices.Contains(Readers(), r.Status):
		return fmt.Errorf("catalogue row %s: status %q is none of %s", r.ID, fact.Clip(r.Status), strings.Join(Readers(), ", "))
	case r.RunAs != "" && r.RunAs != RunAsRoot && r.RunAs != RunAsSystem && r.RunAs != RunAsAny:
		return fmt.Errorf("catalogue row %s: run_as %q is none of root, system, any", r.ID, fact.Clip(r.RunAs))
	case r.Confidence != "" && r.Confidence != Seen && r.Confidence != Unverified:
		return fmt.Errorf("catalogue row %s: confidence %q is neither seen nor unverified", r.ID, fact.Clip(r.Confidence))
	case !category.MatchString(r.Category):
		return fmt.Errorf("catalogue row %s: category %q is not of the right form", r.ID, fact.Clip(r.Category))
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
	if len(out) > MaxRows {
		return nil, fmt.Errorf("catalogue: %d rows, at most %d allowed", len(out), MaxRows)
	}
	return out, nil
}
