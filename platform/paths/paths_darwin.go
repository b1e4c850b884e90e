package paths

import (
	"os"
	"path/filepath"
)

func systemSet() Set { return darwinSystem() }

func userSet() (Set, error) { return darwinUser(os.Getenv) }

func socketIn(dir string) string { return filepath.Join(dir, socketName) }
