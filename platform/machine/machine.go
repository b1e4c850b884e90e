// Package machine is the live machine that this program runs on, as collectors see it.
package machine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/postern-zt/postern/platform/osexec"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

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
	return &live{cfg: cfg, kept: newCache(), runs: map[string]ran{}}
}

type live struct {
	cfg  Config
	kept *cache // digests and essences of files

	native native // calls into the system's own interfaces

	mu   sync.Mutex
	runs map[string]ran // by command line
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
	return evidence.Info{Size: info.Size(), Mode: info.Mode(), ModTime: info.ModTime(), Owner: owner(path, info)}, nil
}

// wrap adds the system's own "try again" to what evidence.Wrap knows.
func wrap(op string, err error) error {
	if err != nil && tryAgain(err) {
		return &evidence.Error{Reason: fact.ReasonBusy, Op: op, Err: err}
	}
	return evidence.Wrap(op, err)
}

func unsupported(op string) error {
	return &evidence.Error{Reason: fact.ReasonUnsupported, Op: op}
}
