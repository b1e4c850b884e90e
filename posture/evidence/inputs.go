package evidence

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// Inputs is what one reading looked at and what a watcher can watch: when none
// of it changes, reading again gives the same.
type Inputs struct {
	Files    []string // files and folders, there or not, sorted
	Keys     []string // registry keys, sorted
	Services bool     // the list of services
	Firewall bool     // the packet filter
}

// Any reports whether anything was looked at.
func (i Inputs) Any() bool {
	return len(i.Files)+len(i.Keys) > 0 || i.Services || i.Firewall
}

// Tracer is a Machine that notes the inputs of what is read through it. All
// methods may be called from several goroutines.
type Tracer struct {
	Machine
	mu       sync.Mutex
	files    map[string]bool
	keys     map[string]bool
	services bool
	firewall bool
}

// maxInputs bounds how many files, and how many keys, are noted.
const maxInputs = 512

// NewTracer makes a Tracer that reads from m.
func NewTracer(m Machine) *Tracer {
	return &Tracer{Machine: m, files: map[string]bool{}, keys: map[string]bool{}}
}

// Inputs gives what was looked at so far.
func (t *Tracer) Inputs() Inputs {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Inputs{
		Files: slices.Sorted(maps.Keys(t.files)), Keys: slices.Sorted(maps.Keys(t.keys)),
		Services: t.services, Firewall: t.firewall,
	}
}

func (t *Tracer) note(set map[string]bool, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(set) < maxInputs {
		set[name] = true
	}
}

// ReadFile implements Machine.
func (t *Tracer) ReadFile(ctx context.Context, path string) ([]byte, error) {
	t.note(t.files, path)
	return t.Machine.ReadFile(ctx, path)
}

// ReadDir implements Machine.
func (t *Tracer) ReadDir(ctx context.Context, path string) ([]string, error) {
	t.note(t.files, path)
	return t.Machine.ReadDir(ctx, path)
}

// ReadLink implements Machine.
func (t *Tracer) ReadLink(ctx context.Context, path string) (string, error) {
	t.note(t.files, path)
	return t.Machine.ReadLink(ctx, path)
}

// Stat implements Machine.
func (t *Tracer) Stat(ctx context.Context, path string) (Info, error) {
	t.note(t.files, path)
	return t.Machine.Stat(ctx, path)
}

// SHA256 implements Machine.
func (t *Tracer) SHA256(ctx context.Context, path string) (string, error) {
	t.note(t.files, path)
	return t.Machine.SHA256(ctx, path)
}

// Distil implements Machine.
func (t *Tracer) Distil(ctx context.Context, path, what string, f Distiller) ([]byte, error) {
	t.note(t.files, path)
	return t.Machine.Distil(ctx, path, what, f)
}

// Registry implements Machine.
func (t *Tracer) Registry(ctx context.Context, key string) (Registry, error) {
	t.note(t.keys, RegistryKey(key))
	return t.Machine.Registry(ctx, key)
}

// Services implements Machine.
func (t *Tracer) Services(ctx context.Context) ([]Service, error) {
	t.mu.Lock()
	t.services = true
	t.mu.Unlock()
	return t.Machine.Services(ctx)
}

// Ask implements Machine.
func (t *Tracer) Ask(ctx context.Context, question Question, args ...string) ([]byte, error) {
	if question == AskNFTables || question == AskFirewallPolicy {
		t.mu.Lock()
		t.firewall = true
		t.mu.Unlock()
	}
	return t.Machine.Ask(ctx, question, args...)
}
