package brokerclient

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/postern-zt/postern/platform/files"
)

// block is how many sequence numbers are reserved ahead of use, so that one
// write to disk serves a thousand attestations. A crash skips the rest of a
// block and never repeats a number.
const block = 1000

type sequence struct {
	path string
	mu   sync.Mutex
	next int64
	end  int64 // first number that is not reserved
}

func openSequence(path string) (*sequence, error) {
	s := &sequence{path: path, next: 1, end: 1}
	data, err := files.ReadOwnerOnly(path, 64)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read attestation sequence: %w", err)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64-block {
		return nil, fmt.Errorf("read attestation sequence %s: it does not hold a number, and guessing one is not safe; restore the file, or empty the state folder and enrol this device anew", path)
	}
	s.next, s.end = n, n
	return s, nil
}

// take returns the next number, reserved on disk before it is used.
func (s *sequence) take() (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == s.end {
		if err := files.WriteOwnerOnly(s.path, []byte(strconv.FormatInt(s.end+block, 10))); err != nil {
			return 0, fmt.Errorf("reserve attestation sequence: %w", err)
		}
		s.end += block
	}
	n := s.next
	s.next++
	return n, nil
}
