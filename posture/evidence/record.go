package evidence

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Recorder is a Machine that notes what is read through it. All methods may be
// called from several goroutines.
type Recorder struct {
	machine Machine
	mu      sync.Mutex
	seen    []string
	failed  []string // what could not be read, in order
}

// NewRecorder makes a Recorder that reads from m.
func NewRecorder(m Machine) *Recorder { return &Recorder{machine: m} }

// Digest is base64url of SHA-256 over every reading so far in order of first
// reading: what was read, and the digest of its content or the reason it could
// not be read. The same reading with the same outcome counts once. It is empty
// when nothing was read.
func (r *Recorder) Digest() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.seen) == 0 {
		return ""
	}
	sum := sha256.Sum256([]byte(strings.Join(r.seen, "\n")))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// note keeps one reading. Targets are quoted, so that no name can stand for
// two readings.
func (r *Recorder) note(op, target string, content []byte, err error) {
	outcome := "!" + string(ReasonOf(err))
	if err == nil {
		sum := sha256.Sum256(content)
		outcome = hex.EncodeToString(sum[:])
	}
	entry := fmt.Sprintf("%s %q %s", op, target, outcome)
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Contains(r.seen, entry) {
		return
	}
	r.seen = append(r.seen, entry)
	if err != nil {
		r.failed = append(r.failed, strings.ReplaceAll(target, "\x00", " "))
	}
}

// Failed lists what was tried and could not be read, in order: the source of
// an answer that is unknown for that reason.
func (r *Recorder) Failed() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.failed)
}

func (r *Recorder) noteJSON(op, target string, v any, err error) {
	data, encErr := json.Marshal(v)
	if err == nil {
		err = encErr
	}
	r.note(op, target, data, err)
}

// System implements Machine.
func (r *Recorder) System() System { return r.machine.System() }

// Now implements Machine. The time is not evidence.
func (r *Recorder) Now() time.Time { return r.machine.Now() }

// ReadFile implements Machine.
func (r *Recorder) ReadFile(ctx context.Context, path string) ([]byte, error) {
	data, err := r.machine.ReadFile(ctx, path)
	r.note("read", path, data, err)
	return data, err
}

// ReadDir implements Machine.
func (r *Recorder) ReadDir(ctx context.Context, path string) ([]string, error) {
	names, err := r.machine.ReadDir(ctx, path)
	r.noteJSON("list", path, names, err)
	return names, err
}

// ReadLink implements Machine.
func (r *Recorder) ReadLink(ctx context.Context, path string) (string, error) {
	target, err := r.machine.ReadLink(ctx, path)
	r.note("follow", path, []byte(target), err)
	return target, err
}

// Stat implements Machine.
func (r *Recorder) Stat(ctx context.Context, path string) (Info, error) {
	info, err := r.machine.Stat(ctx, path)
	r.noteJSON("stat", path, info, err)
	return info, err
}

// SHA256 implements Machine.
func (r *Recorder) SHA256(ctx context.Context, path string) (string, error) {
	sum, err := r.machine.SHA256(ctx, path)
	r.note("hash", path, []byte(sum), err)
	return sum, err
}

// Run implements Machine.
func (r *Recorder) Run(ctx context.Context, name string, args ...string) ([]byte, error) {
	out, err := r.machine.Run(ctx, name, args...)
	r.note("run", strings.Join(append([]string{name}, args...), "\x00"), out, err)
	return out, err
}

// Processes implements Machine.
func (r *Recorder) Processes(ctx context.Context) ([]Process, error) {
	list, err := r.machine.Processes(ctx)
	r.noteJSON("list", ProcessList, list, err)
	return list, err
}
