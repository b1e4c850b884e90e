package paths

import (
	"os"
	"path/filepath"
)

func systemSet() Set { return linuxSystem() }

func userSet() (Set, error) { return linuxUser(os.Getenv) }

func socketIn(dir string) string { return filepath.Join(dir, socketName) }
