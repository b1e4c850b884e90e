package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tc-hib/winres"
	"github.com/tc-hib/winres/version"
)

// stamp writes the version into a program that is built; all else stays.
func stamp(program, v string) error {
	exe, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	set, err := winres.LoadFromEXE(bytes.NewReader(exe))
	if err != nil {
		return err
	}
	raw := set.Get(winres.RT_VERSION, winres.ID(1), english)
	if raw == nil {
		return errors.New("it has no version information: are its objects missing?")
	}
	info, err := version.FromBytes(raw)
	if err != nil {
		return fmt.Errorf("read its version information: %w", err)
	}
	if err := setVersion(set, info, v); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := set.WriteToEXE(&b, bytes.NewReader(exe)); err != nil {
		return err
	}
	return replace(program, b.Bytes())
}

// replace puts a new file in the place of an old one, with its rights.
func replace(path string, data []byte) error {
	old, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".stamp-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(old.Mode().Perm()), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
