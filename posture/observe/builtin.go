package observe

import (
	"bytes"
	_ "embed" // edr.yaml
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/postern-zt/postern/posture/fact"
)

//go:embed edr.yaml
var builtIn []byte

// maxCatalogue bounds the text of a catalogue, so that nobody makes the reader
// work for long.
const maxCatalogue = 1 << 20

// BuiltIn returns the catalogue rows that ship with the program, with their
// origin. An error would mean that the program was built from a broken file.
func BuiltIn() ([]EDRRow, error) {
	rows, err := Parse(builtIn, fact.OriginBuiltIn)
	if err != nil {
		return nil, fmt.Errorf("read the shipped catalogue: %w", err)
	}
	return rows, nil
}

// Parse reads catalogue rows in YAML, gives each the origin, one of the
// fact.Origin… words, and checks them. A field that is not of a row is an
// error.
func Parse(data []byte, origin string) ([]EDRRow, error) {
	if len(data) > maxCatalogue {
		return nil, fmt.Errorf("read catalogue rows: %d bytes, at most %d allowed", len(data), maxCatalogue)
	}
	var rows []EDRRow
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&rows); err != nil {
		return nil, fmt.Errorf("read catalogue rows: %w", err)
	}
	for i := range rows {
		rows[i].Origin = origin
	}
	return Merge(rows)
}
