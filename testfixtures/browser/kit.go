package browser

import (
	"bufio"
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// scripts are what node and the shell run. They travel with the programs that
// use them, which need no checkout.
//
//go:embed drive.mjs provider.mjs package.json package-lock.json setup.sh
var scripts embed.FS

// ErrMissing is in the chain when something is not installed and cannot be.
var ErrMissing = errors.New("not installed")

// Kit is the scripts in a folder of their own, ready to run.
type Kit struct {
	dir      string
	node     string
	chromium string
}

// Prepare unpacks the scripts and has setup.sh install what is missing. say is
// given a line for each thing that it installs, and none otherwise.
func Prepare(ctx context.Context, say func(string)) (*Kit, error) {
	dir, err := os.MkdirTemp("", "postern-browser-")
	if err != nil {
		return nil, err
	}
	k := &Kit{dir: dir}
	if err := k.unpack(ctx, say); err != nil {
		return nil, errors.Join(err, k.Close())
	}
	return k, nil
}

func (k *Kit) unpack(ctx context.Context, say func(string)) error {
	if err := os.CopyFS(k.dir, scripts); err != nil {
		return fmt.Errorf("unpack the browser's scripts: %w", err)
	}
	if err := k.setup(ctx, say); err != nil {
		return err
	}
	cache, err := exec.CommandContext(ctx, "bash", "-c", `. "$1/setup.sh" && browser_cache`, "bash", k.dir).Output()
	if err != nil {
		return fmt.Errorf("find the browser's npm packages: %w", err)
	}
	if err := os.Symlink(filepath.Join(strings.TrimSpace(string(cache)), "node_modules"), filepath.Join(k.dir, "node_modules")); err != nil {
		return err
	}
	for name, to := range map[string]*string{"node": &k.node, "chromium": &k.chromium} {
		if *to, err = exec.LookPath(name); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrMissing, name, err)
		}
	}
	return nil
}

// setup runs browser_setup. Its last line says why it could not.
func (k *Kit) setup(ctx context.Context, say func(string)) error {
	cmd := exec.CommandContext(ctx, "bash", "-c", `. "$1/setup.sh" && browser_setup`, "bash", k.dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%w: bash: %w", ErrMissing, err)
	}
	last := ""
	for sc := bufio.NewScanner(out); sc.Scan(); {
		if last != "" {
			say(last)
		}
		last = sc.Text()
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", ErrMissing, last)
	}
	if last != "" {
		say(last)
	}
	return nil
}

// Close removes the folder. What was installed stays.
func (k *Kit) Close() error { return os.RemoveAll(k.dir) }

// script is the path of one of the scripts.
func (k *Kit) script(name string) string { return filepath.Join(k.dir, name) }
