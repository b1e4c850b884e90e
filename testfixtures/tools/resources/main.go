// Command resources gives the Windows programs their icon, version and manifest.
//
// "write" makes the objects that the Go command links into each program
// (*_windows_*.syso), from the data in installer/windows and the icon of
// tray/icons. They are in the tree, so that every build has them; as they cannot
// know which version is built, they say "dev". "stamp" writes the version into
// programs that are built.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "resources:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New(`usage: resources write --root REPOSITORY [--out FOLDER]
       resources stamp --version VERSION PROGRAM.exe …`)

func run(args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	flags := flag.NewFlagSet("resources", flag.ContinueOnError)
	root := flags.String("root", "", "the repository")
	out := flags.String("out", "", "folder to write below, the repository if empty")
	version := flags.String("version", "", "what to stamp")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	switch {
	case args[0] == "write" && *root != "" && flags.NArg() == 0:
		if *out == "" {
			*out = *root
		}
		return write(*root, *out)
	case args[0] == "stamp" && *version != "" && flags.NArg() > 0:
		for _, program := range flags.Args() {
			if err := stamp(program, *version); err != nil {
				return fmt.Errorf("stamp %s: %w", program, err)
			}
		}
		return nil
	}
	return errUsage
}

// write makes the objects of every program below a folder.
func write(root, out string) error {
	objects, err := generate(root)
	if err != nil {
		return err
	}
	for name, data := range objects {
		to := filepath.Join(out, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
