package observe

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/postern-zt/postern/posture/fact"
)

// MaxDocument is the most bytes of a document as JSON: with its signature it
// stays below the mebibyte that an agent reads.
const MaxDocument = 700 << 10

// MaxProducts is how many catalogue rows one document may declare: with those
// that ship they stay below MaxRows.
const MaxProducts = 128

// Document is everything that a broker asks its devices to read beyond the
// built-in signals. Its version only rises.
type Document struct {
	Version      int64         `json:"version"`
	Observations []Observation `json:"observations"`
	EDR          []EDRRow      `json:"edr"`
	// Releases is a table of releases in the form of posture/release, or empty.
	Releases string `json:"releases,omitempty"`
}

// row is an EDRRow that is decoded as any struct.
type row EDRRow

// UnmarshalJSON refuses members that no row has: what is not understood could
// narrow what is to be found.
func (r *EDRRow) UnmarshalJSON(data []byte) error {
	var p row
	if err := known(data, reflect.TypeFor[row](), &p); err != nil {
		return fmt.Errorf("catalogue row: %w", err)
	}
	*r = EDRRow(p)
	return nil
}

// From gives everything in the document the origin and checks it: the ids of
// both lists begin with org/, so that none can stand for a shipped product or a
// user's own, in whatever version of the program.
func (d Document) From(origin string) (Document, error) {
	d.Observations, d.EDR = slices.Clone(d.Observations), slices.Clone(d.EDR)
	for i := range d.Observations {
		d.Observations[i].Origin = origin
	}
	for i := range d.EDR {
		d.EDR[i].Origin = origin
	}
	if len(d.Releases) > MaxDocument || len(d.EDR) > MaxProducts {
		return Document{}, fmt.Errorf("document: more than %d bytes of releases, or than %d catalogue rows", MaxDocument, MaxProducts)
	}
	if _, err := MergeObservations(d.Observations); err != nil {
		return Document{}, err
	}
	if _, err := Merge(d.EDR); err != nil {
		return Document{}, err
	}
	for _, r := range d.EDR {
		if err := r.fromOutside(); err != nil {
			return Document{}, err
		}
	}
	return d, nil
}

// fromOutside checks what a row of the broker may not say though a shipped one may.
func (r EDRRow) fromOutside() error {
	if !strings.HasPrefix(r.ID, OrgPrefix) {
		return fmt.Errorf("catalogue row %s: an id of your own begins with %s", r.ID, OrgPrefix)
	}
	places := slices.Clone(r.Apps)
	for _, p := range r.programs() {
		places = append(places, p.Executable)
	}
	for _, p := range places {
		if err := Readable(p); err != nil {
			return fmt.Errorf("catalogue row %s: %w", r.ID, err)
		}
	}
	return nil
}

// MergeObservations joins lists. An id may be there several times for different
// systems, never twice for one: nobody can change what an id means.
func MergeObservations(lists ...[]Observation) ([]Observation, error) {
	var out []Observation
	owner := map[[2]string]string{}
	for _, list := range lists {
		for _, o := range list {
			if err := o.Validate(); err != nil {
				return nil, err
			}
			for _, s := range o.Where() {
				if by, taken := owner[[2]string{o.ID, s}]; taken {
					return nil, fmt.Errorf("observation %s from %s: the id is already declared for %s (%s)", o.ID, o.Origin, s, by)
				}
				owner[[2]string{o.ID, s}] = o.Origin
			}
			out = append(out, o)
		}
	}
	if len(out) > MaxObservations {
		return nil, fmt.Errorf("observations: %d, at most %d allowed", len(out), MaxObservations)
	}
	return out, nil
}

// DecodeObservation reads one observation of a YAML file, gives it the origin
// and checks it. A key that no observation has is an error.
func DecodeObservation(n *yaml.Node, origin string) (Observation, error) {
	var o Observation
	if err := strictYAML(n, &o); err != nil {
		return Observation{}, fmt.Errorf("observation: %w", err)
	}
	o.Origin = origin
	return o, o.Validate()
}

// DecodeRow reads one catalogue row of the broker's YAML file and checks it.
func DecodeRow(n *yaml.Node) (EDRRow, error) {
	r, err := decodeRow(n, fact.OriginBroker)
	if err != nil {
		return EDRRow{}, err
	}
	return r, r.fromOutside()
}

// DecodeOwnRow reads one catalogue row of a user's settings and checks it. Such
// a row may be found wherever its owner says, in a folder of theirs too.
func DecodeOwnRow(n *yaml.Node) (EDRRow, error) { return decodeRow(n, fact.OriginUserSettings) }

// decodeRow reads one catalogue row. A key that no row has is an error.
func decodeRow(n *yaml.Node, origin string) (EDRRow, error) {
	var r EDRRow
	if err := strictYAML(n, &r); err != nil {
		return EDRRow{}, fmt.Errorf("catalogue row: %w", err)
	}
	r.Origin = origin
	if err := r.Validate(); err != nil {
		return EDRRow{}, err
	}
	return r, nil
}

var yamlPlace = regexp.MustCompile(`^line \d+: | in type [\w.]+$`)

// strictYAML decodes a node that is a mapping, without anchors, aliases and
// keys that are not known or there twice. The error quotes no line: it would be
// counted from the node.
func strictYAML(n *yaml.Node, into any) error {
	if n.Kind != yaml.MappingNode {
		return errors.New("want keys and values")
	}
	if anchored(n) {
		return errors.New("anchors and aliases are not used here")
	}
	data, err := yaml.Marshal(n)
	if err != nil {
		return errors.New("not YAML")
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	err = d.Decode(into)
	var wrong *yaml.TypeError
	if !errors.As(err, &wrong) {
		return err
	}
	for i, text := range wrong.Errors {
		text = yamlPlace.ReplaceAllString(text, "")
		wrong.Errors[i] = yamlPlace.ReplaceAllString(text, "")
	}
	return errors.New(strings.Join(wrong.Errors, "; "))
}

func anchored(n *yaml.Node) bool {
	return n.Kind == yaml.AliasNode || n.Anchor != "" || slices.ContainsFunc(n.Content, anchored)
}
