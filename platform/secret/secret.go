// Package secret keeps small secrets by name.
package secret

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/postern-zt/postern/platform/files"
)

const (
	// MaxName is the longest name, in bytes.
	MaxName = 64
	// MaxValue is the largest value, in bytes.
	MaxValue = 64 << 10
)

// ErrNotFound is in the chain of Get's error for a name without a secret.
var ErrNotFound = errors.New("no such secret")

// Store keeps secrets. A name consists of 1 to MaxName of the characters a-z,
// 0-9 and "-"; a value of up to MaxValue bytes. A Store may be used from
// several goroutines.
type Store interface {
	// Get returns a copy of the secret. One that is there but cannot be read
	// is not ErrNotFound.
	Get(name string) ([]byte, error)
	// Set keeps a copy of value under name, in place of what was there: after
	// an error the old value is still there.
	Set(name string, value []byte) error
	// Delete forgets the secret for good. One that is not there is no error.
	Delete(name string) error
	// Kind says where secrets are kept: "file" or "memory".
	Kind() string
}

// OpenFile returns a Store of files in the folder dir, each readable by its
// owner only, in the clear: they are as safe as the owner's account and the
// disk. The folder is made, with mode 0700, if it is missing.
func OpenFile(dir string) (Store, error) {
	if err := files.MkdirOwnerOnly(dir); err != nil {
		return nil, fmt.Errorf("open secret store: %w", err)
	}
	return fileStore{dir}, nil
}

// NewMemory returns an empty Store that is nowhere but in memory.
func NewMemory() Store { return &memoryStore{values: make(map[string][]byte)} }

func check(name string) error {
	if name == "" || len(name) > MaxName {
		return fmt.Errorf("a secret's name has 1 to %d characters", MaxName)
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return fmt.Errorf("secret %q: a name has a-z, 0-9 and \"-\" only", name)
		}
	}
	return nil
}

func checkBoth(name string, value []byte) error {
	if err := check(name); err != nil {
		return err
	}
	if len(value) > MaxValue {
		return fmt.Errorf("secret %q: more than %d bytes: %w", name, MaxValue, files.ErrTooLarge)
	}
	return nil
}

type fileStore struct{ dir string }

// path keeps the names apart from those that Windows takes for devices (nul, con).
func (s fileStore) path(name string) string { return filepath.Join(s.dir, "secret-"+name) }

func (s fileStore) Kind() string { return "file" }

func (s fileStore) Get(name string) ([]byte, error) {
	if err := check(name); err != nil {
		return nil, err
	}
	value, err := files.ReadOwnerOnly(s.path(name), MaxValue)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("secret %q: %w", name, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("secret %q: %w", name, err)
	}
	return value, nil
}

func (s fileStore) Set(name string, value []byte) error {
	if err := checkBoth(name, value); err != nil {
		return err
	}
	if err := files.WriteOwnerOnly(s.path(name), value); err != nil {
		return fmt.Errorf("secret %q: %w", name, err)
	}
	return nil
}

func (s fileStore) Delete(name string) error {
	if err := check(name); err != nil {
		return err
	}
	if err := files.Remove(s.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("secret %q: %w", name, err)
	}
	return nil
}

type memoryStore struct {
	mu     sync.Mutex
	values map[string][]byte
}

func (s *memoryStore) Kind() string { return "memory" }

func (s *memoryStore) Get(name string) ([]byte, error) {
	if err := check(name); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := s.values[name]
	if !ok {
		return nil, fmt.Errorf("secret %q: %w", name, ErrNotFound)
	}
	return append([]byte{}, value...), nil
}

func (s *memoryStore) Set(name string, value []byte) error {
	if err := checkBoth(name, value); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[name] = bytes.Clone(value)
	return nil
}

func (s *memoryStore) Delete(name string) error {
	if err := check(name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, name)
	return nil
}

// Format keeps the values out of everything that fmt can print.
func (s *memoryStore) Format(f fmt.State, _ rune) { fmt.Fprint(f, "secrets in memory") }
