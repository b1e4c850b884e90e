package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/postern-zt/postern/testfixtures/wine"
)

// computer is a Windows of Wine's.
type computer struct {
	prefix *wine.Prefix
	dir    string // the prefix
	env    []string

	guest *exec.Cmd // keeps the session of Windows up
	leave io.Closer // ends it
}

// openComputer takes a prefix that lies in a cache folder of this package's own,
// so that other packages' tests can run at the same time.
func openComputer(ctx context.Context) (*computer, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	cache = filepath.Join(cache, "postern-agent")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return nil, fmt.Errorf("make folder of prefix: %w", err)
	}
	const folder = "XDG_CACHE_HOME"
	before, set := os.LookupEnv(folder)
	os.Setenv(folder, cache)
	c := &computer{}
	c.prefix, err = wine.Open(ctx)
	if os.Unsetenv(folder); set {
		os.Setenv(folder, before)
	}
	if err != nil {
		return nil, err
	}
	out, err := c.prefix.Run(ctx, "winepath", "-u", `C:\`)
	if err != nil {
		return nil, errors.Join(err, c.prefix.Close())
	}
	// <prefix>/dosdevices/c:/
	c.dir = filepath.Dir(filepath.Dir(filepath.Clean(strings.TrimSpace(string(out)))))
	c.env = append(environment(), "WINEPREFIX="+c.dir, "WINEARCH=win64", "WINEDEBUG=-all",
		"WINEDLLOVERRIDES=mscoree,mshtml=;winemenubuilder.exe=", "LC_ALL=C.UTF-8")
	if err := c.stay(); err != nil {
		return nil, errors.Join(err, c.prefix.Close())
	}
	return c, nil
}

// stay has a program run all the time: Windows would else start with the first
// program and end with the last, each time anew.
func (c *computer) stay() error {
	c.guest = c.command(context.Background(), windowsProgram("visitor"), "-")
	var err error
	if c.leave, err = c.guest.StdinPipe(); err != nil {
		return err
	}
	return c.guest.Start()
}

// environment is this process's own without what would give Wine a screen, or
// the programs another language or another agent.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		for _, p := range []string{"DISPLAY=", "WINE", "LANG", "LC_", "POSTERN_", "SSH_", "BROWSER="} {
			if strings.HasPrefix(v, p) {
				return true
			}
		}
		return false
	})
}

func (c *computer) close() error {
	c.leave.Close()
	err := c.prefix.Close() // ends every program in it
	c.guest.Wait()          // killed with the prefix, if it was slower than that
	return err
}

// unix is the path on this system of what a program on Windows calls C:\….
func (c *computer) unix(path string) string {
	return filepath.Join(c.dir, "drive_c", strings.ReplaceAll(strings.TrimPrefix(path, `C:\`), `\`, "/"))
}

// result of a program that has ended.
type result struct {
	code        int
	out, errOut string
}

func (r result) String() string { return fmt.Sprintf("exit %d: %s%s", r.code, r.out, r.errOut) }

// command is a program for Windows, by its path on this system.
func (c *computer) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "wine", append([]string{program}, args...)...)
	cmd.Env, cmd.Dir = c.env, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second // see wait
	return cmd
}

// wait waits for the end of a program. Parts of Windows that started with it,
// such as the desktop, may hold its output longer; that is no error.
func wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	return err
}

// run runs a program to its end. One that fails without a word is run once more:
// about one start in a thousand under Wine 8 has come to nothing, with no output
// to write to.
func (c *computer) run(ctx context.Context, program string, args ...string) (result, error) {
	r, err := c.once(ctx, program, args...)
	if err == nil && r == (result{code: 1}) {
		return c.once(ctx, program, args...)
	}
	return r, err
}

// once runs a program, which writes into files: see record.
func (c *computer) once(ctx context.Context, program string, args ...string) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	dir, err := os.MkdirTemp("", "wine-agent-run-")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(dir)
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		return result{}, err
	}
	defer out.Close()
	errOut, err := os.Create(filepath.Join(dir, "err"))
	if err != nil {
		return result{}, err
	}
	defer errOut.Close()
	cmd := c.command(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = out, errOut
	err = cmd.Run()
	r := result{out: record(out.Name()).String(), errOut: record(errOut.Name()).String()}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		r.code = exit.ExitCode()
		return r, nil
	}
	return r, err
}

// journal is what a program writes, readable meanwhile.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}
