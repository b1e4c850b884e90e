package dist

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the repository.
func root(t *testing.T) string {
	t.Helper()
	dir, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// inTree reads a file of the repository.
func inTree(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestResourcesAreFromTheirData makes the resource objects again and compares
// them byte for byte with those in the tree, of which there are no others: every
// program that ships has one for each of the two architectures.
func TestResourcesAreFromTheirData(t *testing.T) {
	made := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "run", "./resources", "write", "--root", root(t), "--out", made)
	cmd.Dir = filepath.Join(root(t), "testfixtures", "tools")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make resources: %v\n%s", err, said)
	}
	want := objects(t, made)
	if len(want) != 2*len(shipped) {
		t.Errorf("resources for %q", want)
	}
	for program := range shipped {
		for _, arch := range []string{"amd64", "arm64"} {
			if name := path.Join(path.Clean(program), "resources_windows_"+arch+".syso"); !slices.Contains(want, name) {
				t.Errorf("there is no %s", name)
			}
		}
	}
	if got := objects(t, root(t)); !slices.Equal(got, want) {
		t.Errorf("in the tree are %q, want %q", got, want)
	}
	for _, name := range want {
		now, err := os.ReadFile(filepath.Join(made, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(now, inTree(t, name)) {
			t.Errorf("%s is not what its data gives: make resources", name)
		}
	}
}

// TestShipped holds the list here to the programs in the tree.
func TestShipped(t *testing.T) {
	var got []string
	for _, folder := range []string{"client", "broker", "tray", "installer"} {
		dirs, err := filepath.Glob(filepath.Join(root(t), folder, "cmd", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range dirs {
			got = append(got, "./"+folder+"/cmd/"+filepath.Base(dir))
		}
	}
	for _, program := range got {
		if shipped[program] == "" {
			t.Errorf("%s ships and is in no list: installer/windows/programs.json, this test", program)
		}
	}
	if len(got) != len(shipped) {
		t.Errorf("there are %q", got)
	}
}

// objects lists the resource objects below a folder, but for what make builds.
func objects(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if e != nil && e.IsDir() && slices.Contains([]string{".git", "bin", "dist"}, name) {
			return fs.SkipDir
		}
		if strings.HasSuffix(name, ".syso") {
			all = append(all, name)
		}
		if errors.Is(err, fs.ErrNotExist) { // other suites come and go
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// manifestOf gives the text of each element of a manifest by its name, and each
// attribute by the name of its element and its own; what is said of an assembly
// that is needed, by "dependentAssembly".
func manifestOf(t *testing.T, data []byte) map[string]string {
	t.Helper()
	found := map[string]string{}
	var open []string
	for d := xml.NewDecoder(bytes.NewReader(data)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatalf("manifest: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			name := token.Name.Local
			if slices.Contains(open, "dependentAssembly") {
				name = "dependentAssembly"
			}
			for _, a := range token.Attr {
				found[name+" "+a.Name.Local] = a.Value
			}
			open = append(open, token.Name.Local)
		case xml.CharData:
			if text := strings.TrimSpace(string(token)); text != "" {
				found[open[len(open)-1]] = text
			}
		case xml.EndElement:
			open = open[:len(open)-1]
		}
	}
}
