// Command gen makes the icon files of tray/icons from the drawings there.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// run writes the files below the folder that is given.
func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: gen FOLDER, which is tray/icons")
	}
	files, err := generate(args[0])
	if err != nil {
		return err
	}
	for name, data := range files {
		to := filepath.Join(args[0], filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
