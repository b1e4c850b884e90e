// Package machine is the live machine that this program runs on, as collectors see it.
package machine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/postern-zt/postern/platform/osexec"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// maxDigests bounds how many files' digests are remembered.
const maxDigests = 256

// Config is what a live machine can be given. Its zero value is complete.
type Config struct {
	// Commands replaces the list of commands that may be run; nil means
	// Commands().
	Commands osexec.List
	// Now replaces the wall clock; nil means time.Now.
	Now func() time.Time
}

// New is the live machine.
func New(cfg Config) evidence.Machine {
	if cfg.Commands == nil {
		cfg.Commands = Commands()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &live{cfg: cfg, digests: map[string]digest{}}
}

// Commands lists every command that a collector may run, with the absolute
// paths where it may be on this or another system.
func Commands() osexec.List {
	return osexec.List{
		"nft":            {"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft", "/run/current-system/sw/bin/nft"},
		"fdesetup":       {"/usr/bin/fdesetup"},
		"socketfilterfw": {"/usr/libexec/ApplicationFirewall/socketfilterfw"},
		"reg":            {`C:\Windows\System32\reg.exe`},
		"sc":             {`C:\Windows\System32\sc.exe`},
	}
}

type live struct {
	cfg Config

	mu      sync.Mutex
	digests map[string]digest // by path
}

// digest is a file's SHA-256 and what told the file apart when it was read.
type digest struct {
	identity string
	sum      string
}

func (m *live) System() evidence.System { return evidence.System(runtime.GOOS) }

func (m *live) Now() time.Time { return m.cfg.Now() }

// ReadFile looks at ctx before and between blocks. A read that the kernel
// itself does not finish cannot be broken off; whoever called has to stop
// waiting.
func (m *live) ReadFile(ctx context.Context, path string) ([]byte, error) {
	op := "read " + path
	f, err := open(ctx, path)
	if err != nil {
		return nil, evidence.Wrap(op, err)
	}
	defer f.Close()
	var buf bytes.Buffer
	_, err = io.Copy(&buf, io.LimitReader(bounded{ctx, f}, evidence.MaxFile))
	if err != nil {
		return nil, wrap(op, err)
	}
	return buf.Bytes(), nil
}

// open refuses what is not a regular file, so that a pipe or a device that
// somebody put in a file's place blocks nobody.
func open(ctx context.Context, path string) (*os.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	return os.Open(path)
}

// bounded is a reader that ends with its context.
type bounded struct {
	ctx context.Context
	r   io.Reader
}

func (b bounded) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.r.Read(p)
}

func (m *live) ReadDir(ctx context.Context, path string) ([]string, error) {
	op := "list " + path
	if err := ctx.Err(); err != nil {
		return nil, evidence.Wrap(op, err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, wrap(op, err)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

func (m *live) ReadLink(ctx context.Context, path string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", evidence.Wrap("follow "+path, err)
	}
	target, err := os.Readlink(path)
	return target, wrap("follow "+path, err)
}

func (m *live) Stat(ctx context.Context, path string) (evidence.Info, error) {
	if err := ctx.Err(); err != nil {
		return evidence.Info{}, evidence.Wrap("stat "+path, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return evidence.Info{}, wrap("stat "+path, err)
	}
	return evidence.Info{Size: info.Size(), Mode: info.Mode(), ModTime: info.ModTime()}, nil
}

// SHA256 reads a file again only when the system says that it is another one
// or has changed since. A file it knows is not even opened, as the opening may
// be watched for and be taken for a start of the program.
func (m *live) SHA256(ctx context.Context, path string) (string, error) {
	op := "hash " + path
	if info, err := os.Stat(path); err == nil {
		if id, known := identity(info); known {
			m.mu.Lock()
			kept, ok := m.digests[path]
			m.mu.Unlock()
			if ok && kept.identity == id {
				return kept.sum, nil
			}
		}
	}
	f, err := open(ctx, path)
	if err != nil {
		return "", wrap(op, err)
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return "", wrap(op, err)
	}
	h := sha256.New()
	if _, err := io.Copy(h, bounded{ctx, f}); err != nil {
		return "", wrap(op, err)
	}
	after, err := f.Stat()
	if err != nil {
		return "", wrap(op, err)
	}
	sum := hex.EncodeToString(h.Sum(nil))
	was, known := identity(before)
	if is, _ := identity(after); known && is == was && settled(before, m.cfg.Now()) {
		m.keep(path, digest{was, sum})
	}
	return sum, nil
}

// settled is false of a file that changed so lately that another change might
// carry the same time stamp: the kernel takes it from a clock that moves on
// every 10 ms at the slowest.
func settled(info os.FileInfo, now time.Time) bool {
	return now.Sub(changed(info)).Abs() > 100*time.Millisecond
}

func (m *live) keep(path string, d digest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.digests) >= maxDigests {
		clear(m.digests)
	}
	m.digests[path] = d
}

func (m *live) Run(ctx context.Context, name string, args ...string) ([]byte, error) {
	op := "run " + name
	out, err := m.cfg.Commands.Run(ctx, name, args...)
	if err != nil {
		return nil, &evidence.Error{Reason: commandReason(err), Op: op, Err: err}
	}
	if out.Truncated {
		return nil, &evidence.Error{Reason: fact.ReasonTruncated, Op: op, Err: fmt.Errorf("more than %d bytes of output", osexec.MaxOutput)}
	}
	return out.Stdout, nil
}

// commandReason maps how a command failed to the report's words. Programs say
// "not allowed" only in words; LC_ALL=C keeps them English, except on Windows.
func commandReason(err error) fact.Reason {
	var missing *osexec.MissingError
	var late *osexec.TimeoutError
	var exit *osexec.ExitError
	switch {
	case errors.As(err, &missing):
		return fact.ReasonToolMissing
	case errors.As(err, &late), errors.Is(err, context.Canceled):
		return fact.ReasonTimeout
	case errors.Is(err, osexec.ErrNotAllowed):
		return fact.ReasonUnsupported
	case errors.As(err, &exit):
		said := strings.ToLower(string(exit.Stderr))
		for _, words := range []string{"operation not permitted", "permission denied", "must be root", "access is denied"} {
			if strings.Contains(said, words) {
				return fact.ReasonNeedsPrivilege
			}
		}
		return fact.ReasonUnreadable
	}
	return evidence.ReasonOf(err)
}

// wrap adds the system's own "try again" to what evidence.Wrap knows.
func wrap(op string, err error) error {
	if err != nil && tryAgain(err) {
		return &evidence.Error{Reason: fact.ReasonBusy, Op: op, Err: err}
	}
	return evidence.Wrap(op, err)
}
