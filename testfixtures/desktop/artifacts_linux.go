package desktop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// artifacts makes the folder for what a test leaves to be looked at: below
// POSTERN_ARTIFACTS, or postern-artifacts in the system's temporary folder, by
// the name of the test. What an earlier run left there is removed.
func artifacts(t testing.TB) string {
	root := os.Getenv("POSTERN_ARTIFACTS")
	if root == "" {
		root = filepath.Join(os.TempDir(), "postern-artifacts")
	}
	name := strings.NewReplacer("/", "-", " ", "_", ":", "-").Replace(t.Name())
	dir := filepath.Join(root, name)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
