// Package dist builds the programs as they ship, and its tests look at what ships.
package dist

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build has the Makefile, which knows the flags of each program, build programs
// for a system ("windows") and an architecture ("amd64") into a folder. Programs
// are named as from the root of the repository: "./tray/cmd/postern-tray".
func Build(ctx context.Context, system, arch, out string, programs ...string) error {
	list := ""
	for _, p := range programs {
		list += p + " "
	}
	out, err := filepath.Abs(out)
	if err != nil {
		return fmt.Errorf("build programs: %w", err)
	}
	args := []string{"programs", "SYSTEM=" + system, "ARCH=" + arch, "OUT=" + out}
	if list != "" {
		args = append(args, "PROGRAMS="+list)
	}
	return Make(ctx, args...)
}

// Make runs make at the root of the repository.
func Make(ctx context.Context, args ...string) error {
	root, err := Root()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "make", append([]string{"-s"}, args...)...)
	cmd.Dir = root
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make %v: %w\n%s", args, err, said)
	}
	return nil
}

// Root is the root of the repository, above the folder that tests run in.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "Makefile")); err == nil {
			return dir, nil
		}
		above := filepath.Dir(dir)
		if above == dir {
			return "", errors.New("find the repository: no Makefile above this folder")
		}
		dir = above
	}
}
