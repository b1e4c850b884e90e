//go:build linux

package vm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/postern-zt/postern/platform/files"
)

// recipes change whenever a kernel or an image is made in another way, so that
// an old one is not taken for a new one.
const (
	kernelRecipe = "1"
	imageRecipe  = "1"
)

// parts is what machines are started from. Nobody writes to any of it.
type parts struct{ kernel, image string }

func (p parts) file(name string) string {
	if name == kernelFile || name == signedFile {
		return filepath.Join(p.kernel, name)
	}
	return filepath.Join(p.image, name)
}

// prepare gives the parts for a guest program, from the cache or made anew, and
// keeps them until release. One process has them at a time, since the machines
// of two would only slow each other down. The cache lies in the user's cache
// folder and takes 0.3 GB; it may be deleted at any time.
func prepare(ctx context.Context, guest string) (p parts, release func() error, err error) {
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
	}
	base = filepath.Join(base, "postern-vm")
	if err := os.MkdirAll(base, 0o700); err != nil {
		return p, nil, fmt.Errorf("make the cache: %w", err)
	}
	held, err := lock(ctx, filepath.Join(base, "lock"))
	if err != nil {
		return p, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, held.Unlock())
		}
	}()
	p.kernel, err = kept(base, "kernel", digest([]byte(kernelRecipe)), func(dir string) error { return makeKernel(ctx, dir) })
	if err != nil {
		return p, nil, err
	}
	key, err := imageKey(p.kernel, guest)
	if err != nil {
		return p, nil, err
	}
	p.image, err = kept(base, "image", key, func(dir string) error { return makeImage(ctx, p.kernel, guest, dir) })
	return p, held.Unlock, err
}

// lock waits until nobody else has the cache.
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

// kept gives the folder of that kind and key. If it is not there, it is made
// under another name first, and those with other keys are removed.
func kept(base, kind, key string, build func(dir string) error) (string, error) {
	dir := filepath.Join(base, kind+"-"+key)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	old, err := filepath.Glob(filepath.Join(base, kind+"-*"))
	if err != nil {
		return "", err
	}
	for _, o := range old {
		if err := os.RemoveAll(o); err != nil {
			return "", fmt.Errorf("remove an old %s: %w", kind, err)
		}
	}
	half := dir + ".new"
	if err := os.Mkdir(half, 0o700); err != nil {
		return "", err
	}
	if err := build(half); err != nil {
		return "", errors.Join(fmt.Errorf("make %s: %w", kind, err), os.RemoveAll(half))
	}
	return dir, os.Rename(half, dir)
}

// imageKey is a digest of all that goes into an image.
func imageKey(kernel, guest string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, imageRecipe, configuration())
	for _, name := range append(programs(), guest, "/etc/os-release", filepath.Join(kernel, kernelFile)) {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}
