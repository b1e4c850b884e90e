// Package wine runs this project's programs for Windows under Wine, in a prefix of its own that is made once and kept.
package wine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/postern-zt/postern/platform/files"
)

// recipe changes whenever a prefix is made in another way, so that an old one
// is not taken for a new one.
const recipe = "1: win10, bcryptprimitives"

// stopTime bounds how long a prefix may take to end its processes.
const stopTime = 20 * time.Second

// Prefix is a machine of Wine's: a registry, a drive C and a server with its
// processes. One process of this system has it at a time.
type Prefix struct {
	dir  string
	held *files.Held
}

// ErrMissing says that Wine is not installed; setup.sh beside this file
// installs it.
var ErrMissing = errors.New("wine is not installed: see testfixtures/wine/setup.sh")

// Open takes the kept prefix, or makes it, which takes about ten seconds. It
// waits while another process has it. The prefix lies in the user's cache
// folder and takes 0.7 GB; it may be deleted at any time.
func Open(ctx context.Context) (*Prefix, error) {
	for _, tool := range []string{"wine", "wineserver", "wineboot"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMissing, err)
		}
	}
	version, err := exec.CommandContext(ctx, "wine", "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("ask wine for its version: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	sum := sha256.Sum256([]byte(recipe + string(version)))
	p := &Prefix{dir: filepath.Join(cache, "postern-wine", hex.EncodeToString(sum[:6]))}
	if err := os.MkdirAll(filepath.Dir(p.dir), 0o700); err != nil {
		return nil, fmt.Errorf("make folder of prefix: %w", err)
	}
	if p.held, err = lock(ctx, p.dir+".lock"); err != nil {
		return nil, err
	}
	if err := p.prepare(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// lock waits until nobody else has the prefix.
func lock(ctx context.Context, path string) (*files.Held, error) {
	for {
		held, err := files.Lock(path, fmt.Sprint("pid ", os.Getpid()))
		var taken *files.LockedError
		if !errors.As(err, &taken) {
			return held, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", err, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// prepare makes the prefix under another name and gives it its own when it is
// complete.
func (p *Prefix) prepare(ctx context.Context) error {
	if _, err := os.Stat(p.dir); err == nil {
		return nil
	}
	made := Prefix{dir: p.dir + ".new"}
	if err := os.RemoveAll(made.dir); err != nil {
		return fmt.Errorf("remove half a prefix: %w", err)
	}
	if _, err := made.command(ctx, "wineboot", "-i"); err != nil {
		return fmt.Errorf("make prefix: %w", err)
	}
	if err := os.WriteFile(made.path(`windows/system32/bcryptprimitives.dll`), shim(), 0o644); err != nil {
		return fmt.Errorf("add bcryptprimitives.dll: %w", err)
	}
	// A new prefix is a Windows 7.
	if _, err := made.command(ctx, "wine", "winecfg", "-v", "win10"); err != nil {
		return fmt.Errorf("make it a Windows 10: %w", err)
	}
	if err := made.stop(); err != nil {
		return err
	}
	return os.Rename(made.dir, p.dir)
}

// path is where a file of drive C lies.
func (p *Prefix) path(name string) string { return filepath.Join(p.dir, "drive_c", name) }

// Run runs a program for Windows, by its path on this system, and gives what it
// wrote to standard output. Another exit code than 0 is an error.
func (p *Prefix) Run(ctx context.Context, program string, args ...string) ([]byte, error) {
	return p.command(ctx, "wine", append([]string{program}, args...)...)
}

// Import writes a file like those of `reg export` (version 5.00), but in UTF-8,
// into the registry.
func (p *Prefix) Import(ctx context.Context, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	var wide []byte // regedit takes UTF-16 with a mark, or the old code page
	for _, unit := range utf16.Encode([]rune("\uFEFF" + string(text))) {
		wide = binary.LittleEndian.AppendUint16(wide, unit)
	}
	if err := os.WriteFile(p.path("import.reg"), wide, 0o600); err != nil {
		return fmt.Errorf("import: %w", err)
	}
	_, err = p.command(ctx, "wine", "regedit", "/S", `C:\import.reg`)
	return err
}

// Windows is the name that a file of this system has inside: drive Z is its
// root.
func Windows(path string) string {
	return "Z:" + strings.ReplaceAll(path, "/", `\`)
}

func (p *Prefix) command(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = p.environment()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second // what it left running may hold its output
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	if err != nil {
		return stdout.Bytes(), fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return stdout.Bytes(), nil
}

// environment keeps Wine in the prefix, silent, without a screen, and from
// offering to install what it does not have.
func (p *Prefix) environment() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "DISPLAY=") || strings.HasPrefix(v, "WINE")
	})
	return append(env, "WINEPREFIX="+p.dir, "WINEARCH=win64", "WINEDEBUG=-all", "WINEDLLOVERRIDES=mscoree,mshtml=;winemenubuilder.exe=")
}

// stop ends the processes of this prefix, and no others, and waits for it.
func (p *Prefix) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	// It ends with 1 when no server runs.
	p.command(ctx, "wineserver", "-k")
	if _, err := p.command(ctx, "wineserver", "-w"); err != nil {
		return fmt.Errorf("end prefix: %w", err)
	}
	return nil
}

// Close ends every process of the prefix and lets others have it.
func (p *Prefix) Close() error {
	var err error
	for _, dir := range []string{p.dir, p.dir + ".new"} {
		if _, there := os.Stat(dir); there == nil {
			err = errors.Join(err, (&Prefix{dir: dir}).stop())
		}
	}
	return errors.Join(err, p.held.Unlock())
}
