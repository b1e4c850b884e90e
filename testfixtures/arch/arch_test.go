package arch

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// root is the repository's root, as seen from this package's folder.
const root = "../.."

// readHouse reads the room table and every Go file of the repository.
func readHouse(t *testing.T) (table string, files map[string]string) {
	t.Helper()
	mod, err := os.ReadFile(root + "/go.mod")
	if err != nil {
		t.Fatalf("read go.mod: %v", err)
	}
	if first, _, _ := strings.Cut(string(mod), "\n"); first != "module "+Module {
		t.Fatalf("go.mod begins %q; the rules are for module %s", first, Module)
	}
	text, err := os.ReadFile(root + "/" + TablePath)
	if err != nil {
		t.Fatalf("read room table: %v", err)
	}
	files, err = ReadTree(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := files["testfixtures/arch/arch_test.go"]; !ok {
		t.Fatalf("this very file is not among the %d files read", len(files))
	}
	return string(text), files
}

// TestHouse holds the whole repository against the house.
func TestHouse(t *testing.T) {
	table, files := readHouse(t)
	for _, b := range Check(table, files) {
		t.Error(b)
	}
}

// TestDataNamesRooms keeps doors, keepers and limits from naming rooms that
// no longer exist.
func TestDataNamesRooms(t *testing.T) {
	table, _ := readHouse(t)
	for _, b := range CheckData(table) {
		t.Error(b)
	}
	renamed := strings.Replace(table, "`platform/osexec` |", "`platform/runner` |", 1)
	if len(CheckData(renamed)) == 0 {
		t.Error("platform/osexec was renamed in the table and the data did not notice")
	}
}

// TestPlantedInHouse plants one bad file into the repository as it is and
// wants its breaches and no other: the real table, doors and sources together
// do see a breach.
func TestPlantedInHouse(t *testing.T) {
	table, files := readHouse(t)
	before := len(Check(table, files))
	planted := maps.Clone(files)
	planted["posture/fact/planted_windows.go"] = "package fact\n\n" +
		"import _ \"" + Module + "/client/agent\"\n"
	found := map[Kind]int{}
	all := Check(table, planted)
	for _, b := range all {
		if b.Path == "posture/fact/planted_windows.go" {
			found[b.Kind]++
		}
	}
	for _, kind := range []Kind{KindFloor, KindDoor, KindConstraint} {
		if found[kind] != 1 {
			t.Errorf("planted one %s breach, found %d", kind, found[kind])
		}
	}
	// Before posture/fact is built the planted file is also a package alone,
	// without its comment.
	if len(all) < before+3 || len(all) > before+4 {
		t.Errorf("%d breaches before, %d with the planted file", before, len(all))
	}
}

// TestReadTree wants every Go file that go could build on some system, and
// none that it passes over.
func TestReadTree(t *testing.T) {
	tree := fstest.MapFS{}
	for _, p := range []string{
		"a.go", "x/a_plan9.go", "x/a_test.go", "testfixtures/tools/a.go",
		"x/testdata/a.go", "x/_a.go", "x/.a.go", "_x/a.go", ".x/a.go", "x/a.txt",
	} {
		tree[p] = &fstest.MapFile{Data: []byte("package " + p)}
	}
	files, err := ReadTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"a.go", "testfixtures/tools/a.go", "x/a_plan9.go", "x/a_test.go"}
	if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
	if files["a.go"] != "package a.go" {
		t.Errorf("read %q as the text of a.go", files["a.go"])
	}
}
