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
	failed  []string  // what could not be read, in order
	oldest  time.Time // when the oldest reading was really made, if not just now
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
		r.failed = append(r.failed, target)
	}
}

// Failed lists what was tried and could not be read, in order: the source of
// an answer that is unknown for that reason.
func (r *Recorder) Failed() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.failed)
}

// Oldest is when the oldest reading was really made, where one stood in that
// was made before; otherwise the zero time.
func (r *Recorder) Oldest() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.oldest
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

// Distil implements Machine.
func (r *Recorder) Distil(ctx context.Context, path, what string, f Distiller) ([]byte, error) {
	essence, err := r.machine.Distil(ctx, path, what, f)
	r.note(what, path, essence, err)
	return essence, err
}

// Run implements Machine.
func (r *Recorder) Run(ctx context.Context, name string, args ...string) (Output, error) {
	out, err := r.machine.Run(ctx, name, args...)
	r.noteJSON("run", line(name, args), out, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil && !out.At.IsZero() && (r.oldest.IsZero() || out.At.Before(r.oldest)) {
		r.oldest = out.At
	}
	return out, err
}

// Processes implements Machine.
func (r *Recorder) Processes(ctx context.Context) ([]Process, error) {
	list, err := r.machine.Processes(ctx)
	r.noteJSON("list", ProcessList, list, err)
	return list, err
}

// Services implements Machine.
func (r *Recorder) Services(ctx context.Context) ([]Service, error) {
	list, err := r.machine.Services(ctx)
	r.noteJSON("list", ServiceList, list, err)
	return list, err
}

// Sessions implements Machine.
func (r *Recorder) Sessions(ctx context.Context) ([]Session, error) {
	list, err := r.machine.Sessions(ctx)
	r.noteJSON("list", SessionList, list, err)
	return list, err
}

// Registry implements Machine.
func (r *Recorder) Registry(ctx context.Context, key string) (Registry, error) {
	values, err := r.machine.Registry(ctx, key)
	r.noteJSON("registry", key, values, err)
	return values, err
}

// WMI implements Machine.
func (r *Recorder) WMI(ctx context.Context, namespace, class string) ([]Row, error) {
	rows, err := r.machine.WMI(ctx, namespace, class)
	r.noteJSON("wmi", namespace+":"+class, rows, err)
	return rows, err
}

// Sysctl implements Machine.
func (r *Recorder) Sysctl(ctx context.Context, name string) (string, error) {
	v, err := r.machine.Sysctl(ctx, name)
	r.note("sysctl", name, []byte(v), err)
	return v, err
}

// Ask implements Machine.
func (r *Recorder) Ask(ctx context.Context, question Question, args ...string) ([]byte, error) {
	answer, err := r.machine.Ask(ctx, question, args...)
	r.note("ask", line(string(question), args), answer, err)
	return answer, err
}
