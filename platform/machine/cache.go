package machine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
)

const (
	maxKept      = 1024    // files
	maxKeptBytes = 4 << 20 // of what was made of them
)

// cache remembers what was made of a file for as long as the system says that
// it is the same file and has not changed.
type cache struct {
	mu    sync.Mutex
	size  int
	items map[string]item // by what was made of which path
}

type item struct {
	identity string
	value    []byte
}

func newCache() *cache { return &cache{items: map[string]item{}} }

func (c *cache) get(key, identity string) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept, ok := c.items[key]
	return kept.value, ok && kept.identity == identity
}

func (c *cache) put(key, identity string, value []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.items) >= maxKept || c.size+len(value) > maxKeptBytes {
		clear(c.items)
		c.size = 0
	}
	c.size += len(value) - len(c.items[key].value)
	c.items[key] = item{identity, value}
}

// SHA256 reads a file again only when the system says that it is another one
// or has changed since. A file it knows is not even opened, as the opening may
// be watched for and be taken for a start of the program.
func (m *live) SHA256(ctx context.Context, path string) (string, error) {
	sum, err := m.once(ctx, "hash", path, func(r io.Reader) ([]byte, error) {
		h := sha256.New()
		if _, err := io.Copy(h, r); err != nil {
			return nil, err
		}
		return h.Sum(nil), nil
	})
	return hex.EncodeToString(sum), err
}

// Distil remembers outcomes in the same way.
func (m *live) Distil(ctx context.Context, path, what string, f evidence.Distiller) ([]byte, error) {
	return m.once(ctx, what, path, func(r io.Reader) ([]byte, error) {
		return evidence.Distilled(what, path, f, r)
	})
}

func (m *live) once(ctx context.Context, what, path string, f func(io.Reader) ([]byte, error)) ([]byte, error) {
	op, key := what+" "+path, what+"\x00"+path
	if info, err := os.Stat(path); err == nil {
		if id, known := identity(info); known {
			if value, ok := m.kept.get(key, id); ok {
				return value, nil
			}
		}
	}
	file, err := open(ctx, path)
	if err != nil {
		return nil, wrap(op, err)
	}
	defer file.Close()
	before, err := file.Stat()
	if err != nil {
		return nil, wrap(op, err)
	}
	value, err := f(bounded{ctx, file})
	if err != nil {
		return nil, wrap(op, err)
	}
	after, err := file.Stat()
	if err != nil {
		return nil, wrap(op, err)
	}
	was, known := identity(before)
	if is, _ := identity(after); known && is == was && settled(before, m.cfg.Now()) {
		m.kept.put(key, was, value)
	}
	return value, nil
}

// settled is false of a file that changed so lately that another change might
// carry the same time stamp: the kernel takes it from a clock that moves on
// every 10 ms at the slowest.
func settled(info os.FileInfo, now time.Time) bool {
	return now.Sub(changed(info)).Abs() > 100*time.Millisecond
}

// identityOfAll is one text for the state of several files; those that are not
// there count as such.
func identityOfAll(paths []string) string {
	var b strings.Builder
	for _, p := range paths {
		if info, err := os.Stat(p); err == nil {
			id, known := identity(info)
			if !known {
				id = info.ModTime().String()
			}
			b.WriteString(id)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
