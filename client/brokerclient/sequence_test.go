package brokerclient

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func take(t *testing.T, s *sequence) int64 {
	t.Helper()
	n, err := s.take()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// However often the program is killed, no number comes twice, and one write
// serves a whole block.
func TestSequenceNeverRepeats(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sequence")
	last := int64(0)
	for range 5 {
		s, err := openSequence(path) // the one before was killed
		if err != nil {
			t.Fatal(err)
		}
		for range block + 3 {
			n := take(t, s)
			if n <= last {
				t.Fatalf("%d after %d", n, last)
			}
			last = n
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if kept, _ := strconv.ParseInt(string(data), 10, 64); kept <= n {
				t.Fatalf("%d was given out, reserved is up to %d", n, kept)
			}
		}
	}
	if last > 5*3*block {
		t.Errorf("%d numbers were skipped", last)
	}
}

func TestSequenceIsNotGivenOutUnlessReserved(t *testing.T) {
	dir := t.TempDir()
	s, err := openSequence(filepath.Join(dir, "sub", "sequence"))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.take(); err == nil {
		t.Fatalf("gave out %d with nowhere to write it", n)
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if n := take(t, s); n != 1 {
		t.Errorf("the first is %d", n)
	}
}

func TestSequenceAtOnce(t *testing.T) {
	s, err := openSequence(filepath.Join(t.TempDir(), "sequence"))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen := map[int64]bool{}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range block / 2 {
				n, err := s.take()
				mu.Lock()
				if err != nil || seen[n] {
					t.Errorf("%d, %v", n, err)
				}
				seen[n] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
}

func TestDamagedSequenceIsAClearError(t *testing.T) {
	for _, text := range []string{"", "x", "-4", "0", "1.5", "9223372036854775807", "99999999999999999999", strings.Repeat("1", 100)} {
		path := filepath.Join(t.TempDir(), "sequence")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openSequence(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
