package machines

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/fact"
)

// checkClaims holds the report against claims.tsv, which somebody wrote by hand
// from what the captures are known to say: a fact's address, its state, and its
// value or its reason (empty: any).
func checkClaims(t *testing.T, name string, r fact.Report) {
	t.Helper()
	rows := table(t, filepath.Join(name, claimsFile), 3)
	if len(rows) < 8 {
		t.Errorf("%s claims %d facts, want 8 at least", name, len(rows))
	}
	for _, row := range rows {
		address, state, want := row[0], fact.State(row[1]), row[2]
		signal, key, field, err := fact.SplitAddress(address)
		if err != nil {
			t.Errorf("%s: %v", claimsFile, err)
			continue
		}
		if _, known := fact.Lookup(signal, field, key != ""); !known {
			t.Errorf("%s: %s is no fact", claimsFile, address)
			continue
		}
		s, _ := r.Signal(signal)
		f, there := s.Find(key, field)
		if !there && state == "missing" {
			continue
		}
		got := f.Value.String()
		if !s.StateOf(f).Usable() {
			if got = string(f.Reason); got == "" {
				got = string(s.Reason)
			}
		}
		if !there || s.StateOf(f) != state || want != "" && got != want {
			t.Errorf("%s: there %v, %s %s; claimed %s %s", address, there, s.StateOf(f), got, state, want)
		}
	}
}

// checkProvenance holds a machine's files against provenance.tsv: path, source,
// change. A source that begins with "capture:" names a file below
// testfixtures/captures, which is the same byte for byte unless the change says
// what was done to it. Anything else says in words where the content is from.
func checkProvenance(t *testing.T, name string) {
	t.Helper()
	told := map[string]bool{}
	for _, row := range table(t, filepath.Join(name, provenanceFile), 3) {
		path, source, change := row[0], row[1], row[2]
		told[path] = true
		capture, ok := strings.CutPrefix(source, "capture:")
		if source == "" {
			t.Errorf("%s: %s has no source", provenanceFile, path)
		}
		if !ok {
			continue
		}
		want, err := os.ReadFile(filepath.Join("../captures", filepath.FromSlash(capture)))
		if err != nil {
			t.Errorf("%s: %v", provenanceFile, err)
			continue
		}
		got, err := os.ReadFile(filepath.Join(name, filepath.FromSlash(path)))
		if err != nil {
			t.Errorf("%s: %v", provenanceFile, err)
		} else if change == "" && !bytes.Equal(got, want) {
			t.Errorf("%s: %s is not the capture %s, and no change is told", provenanceFile, path, capture)
		}
	}
	err := fs.WalkDir(os.DirFS(name), ".", func(path string, d fs.DirEntry, err error) error {
		about := slices.Contains([]string{"machine.json", reportFile, claimsFile, provenanceFile}, path)
		if err == nil && !d.IsDir() && !about && !told[path] {
			t.Errorf("%s does not say where %s is from", provenanceFile, path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// table reads lines of columns separated by tabs; # begins a remark.
func table(t *testing.T, path string, columns int) [][]string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
		return nil
	}
	var rows [][]string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		row := strings.Split(line, "\t")
		for len(row) < columns {
			row = append(row, "")
		}
		if len(row) > columns {
			t.Errorf("%s: %q has more than %d columns", path, line, columns)
			continue
		}
		rows = append(rows, row)
	}
	return rows
}
