package machines

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/posture/collect"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

var update = flag.Bool("update", false, "write report.json of every machine anew; read the difference before you keep it")

// What every machine's folder holds besides the recording itself.
const (
	reportFile     = "report.json"
	claimsFile     = "claims.tsv"
	provenanceFile = "provenance.tsv"
)

// names lists the machines.
func names(t testing.TB) []string {
	t.Helper()
	found, err := filepath.Glob("*/machine.json")
	if err != nil || len(found) == 0 {
		t.Fatalf("machines: %v, %v", found, err)
	}
	for i, f := range found {
		found[i] = filepath.Dir(f)
	}
	return found
}

// read makes the report of a recorded machine.
func read(t testing.TB, folder fs.FS) fact.Report {
	t.Helper()
	m, err := evidence.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := observe.BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	c := collect.New(collect.Config{Machine: m, Catalogue: rows, Clock: clock.NewFake(m.Now()), Version: "test"})
	return c.Read(t.Context())
}

func text(t testing.TB, r fact.Report) []byte {
	t.Helper()
	if err := r.Validate(); err != nil {
		t.Errorf("a broker would refuse the report: %v", err)
	}
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return append(data, '\n')
}

// TestMachines reads every recorded machine and compares the report with the
// expected one, byte for byte, and with what its folder claims.
func TestMachines(t *testing.T) {
	for _, name := range names(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := read(t, os.DirFS(name))
			got := text(t, r)
			if again := text(t, read(t, os.DirFS(name))); !bytes.Equal(got, again) {
				t.Errorf("two readings differ\n%s", difference(got, again))
			}
			if *update {
				if err := os.WriteFile(filepath.Join(name, reportFile), got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(filepath.Join(name, reportFile))
			if err != nil {
				t.Fatalf("the machine has no expected report: %v", err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("report is not the expected one\n%s", difference(want, got))
			}
			checkClaims(t, name, r)
			checkProvenance(t, name)
		})
	}
}

// TestMachinesFromArchives reads the same machines from zip files.
func TestMachinesFromArchives(t *testing.T) {
	for _, name := range names(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var buf bytes.Buffer
			w := zip.NewWriter(&buf)
			if err := w.AddFS(os.DirFS(name)); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			z, err := zip.NewReader(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(filepath.Join(name, reportFile))
			if err != nil {
				t.Fatal(err)
			}
			if got := text(t, read(t, z)); !bytes.Equal(got, want) {
				t.Errorf("from an archive the report differs\n%s", difference(want, got))
			}
		})
	}
}

// TestRecordingsOfMachines records each machine while it is read, and reads
// the recording: the report is the same.
func TestRecordingsOfMachines(t *testing.T) {
	for _, name := range names(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := evidence.Open(os.DirFS(name))
			if err != nil {
				t.Fatal(err)
			}
			rows, err := observe.BuiltIn()
			if err != nil {
				t.Fatal(err)
			}
			recording := evidence.NewRecording(m, nil)
			c := collect.New(collect.Config{Machine: recording, Catalogue: rows, Clock: clock.NewFake(m.Now()), Version: "test"})
			want := text(t, c.Read(t.Context()))
			dir := t.TempDir()
			if err := recording.Write(folder(dir)); err != nil {
				t.Fatal(err)
			}
			if got := text(t, read(t, os.DirFS(dir))); !bytes.Equal(got, want) {
				t.Errorf("the recording's report differs\n%s", difference(want, got))
			}
		})
	}
}

type folder string

func (f folder) WriteFile(name string, content []byte) error {
	path := filepath.Join(string(f), filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

// TestEnoughMachines holds the collection to its size: each family of systems
// has machines of every kind, which their names say.
func TestEnoughMachines(t *testing.T) {
	count := map[string]int{}
	for _, name := range names(t) {
		family, _, _ := strings.Cut(name, "-")
		count[family]++
		for _, kind := range kinds {
			if strings.HasSuffix(name, "-"+kind) || strings.Contains(name, "-"+kind+"-") {
				count[family+" "+kind]++
			}
		}
	}
	for _, family := range []string{"linux", "windows", "macos"} {
		if count[family] < 20 {
			t.Errorf("%d machines of %s, want 20", count[family], family)
		}
		for _, kind := range kinds {
			if count[family+" "+kind] == 0 {
				t.Errorf("no machine of %s is %s", family, kind)
			}
		}
	}
}

// kinds are words of which each machine's name has one.
var kinds = []string{"healthy", "unhealthy", "malformed", "localised", "unprivileged"}

// difference shows the first lines that differ.
func difference(want, got []byte) string {
	w, g := strings.Split(string(want), "\n"), strings.Split(string(got), "\n")
	var b strings.Builder
	shown := 0
	for i := 0; i < max(len(w), len(g)) && shown < 12; i++ {
		x, y := at(w, i), at(g, i)
		if x != y {
			fmt.Fprintf(&b, "line %d\n  want %s\n  got  %s\n", i+1, x, y)
			shown++
		}
	}
	return b.String()
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(end)"
}
