package evidence

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postern-zt/postern/posture/fact"
)

// ProcessList is the target by which Fail and Before name the list of processes.
const ProcessList = "processes"

// Memory is a Machine made by hand: files, links, command outputs and
// processes that a test puts there, and the errors it wants. All methods may
// be called from several goroutines.
type Memory struct {
	mu        sync.Mutex
	system    System
	now       time.Time
	files     map[string]memoryFile
	links     map[string]string
	commands  map[string][]byte
	processes []Process
	before    map[string]func(context.Context) error
}

type memoryFile struct {
	data []byte
	info Info
}

// NewMemory makes a machine with no files, no commands and nothing running.
func NewMemory(system System, now time.Time) *Memory {
	return &Memory{
		system: system, now: now,
		files: map[string]memoryFile{}, links: map[string]string{},
		commands: map[string][]byte{}, before: map[string]func(context.Context) error{},
	}
}

// SetNow sets the machine's wall clock.
func (m *Memory) SetNow(t time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = t
}

// SetFile puts a file, changed just now.
func (m *Memory) SetFile(path, content string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[path] = memoryFile{data: []byte(content), info: Info{Size: int64(len(content)), Mode: 0o644, ModTime: m.now}}
}

// SetModTime sets when a file was changed.
func (m *Memory) SetModTime(path string, t time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.files[path]
	f.info.ModTime = t
	m.files[path] = f
}

// SetDir puts a folder; folders above a file need not be put.
func (m *Memory) SetDir(path string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[path] = memoryFile{info: Info{Mode: fs.ModeDir | 0o755, ModTime: m.now}}
}

// SetLink puts a symbolic link.
func (m *Memory) SetLink(path, target string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.links[path] = target
}

// Remove takes away a file, folder entry or link.
func (m *Memory) Remove(path string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.files, path)
	delete(m.links, path)
}

// SetCommand puts what a command prints; line is its name and arguments with
// single spaces.
func (m *Memory) SetCommand(line, output string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.commands[line] = []byte(output)
}

// SetProcesses puts the list of running processes.
func (m *Memory) SetProcesses(p ...Process) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.processes = slices.Clone(p)
}

// Fail makes every reading of target fail with reason: a path, a command line
// or ProcessList. The empty reason ends it.
func (m *Memory) Fail(target string, reason fact.Reason) {
	if reason == "" {
		m.Before(target, nil)
		return
	}
	m.Before(target, func(context.Context) error {
		return &Error{Reason: reason, Op: "read " + target}
	})
}

// Before has f called at the start of every reading of target (a path, a
// command line or ProcessList): its error is the outcome, and while it blocks
// the reading hangs. nil ends it.
func (m *Memory) Before(target string, f func(context.Context) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f == nil {
		delete(m.before, target)
		return
	}
	m.before[target] = f
}

// enter calls the target's hook outside the lock and refuses an ended context.
func (m *Memory) enter(ctx context.Context, op, target string) error {
	m.mu.Lock()
	f := m.before[target]
	m.mu.Unlock()
	if f != nil {
		if err := f(ctx); err != nil {
			return Wrap(op+" "+target, err)
		}
	}
	return Wrap(op+" "+target, ctx.Err())
}

// System implements Machine.
func (m *Memory) System() System { return m.system }

// Now implements Machine.
func (m *Memory) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// ReadFile implements Machine.
func (m *Memory) ReadFile(ctx context.Context, path string) ([]byte, error) {
	f, err := m.lookup(ctx, "read", path)
	if err != nil {
		return nil, err
	}
	if f.info.Mode.IsDir() {
		return nil, Wrap("read "+path, errors.New("is a folder"))
	}
	return slices.Clone(f.data[:min(len(f.data), MaxFile)]), nil
}

// Stat implements Machine.
func (m *Memory) Stat(ctx context.Context, path string) (Info, error) {
	f, err := m.lookup(ctx, "stat", path)
	return f.info, err
}

// SHA256 implements Machine.
func (m *Memory) SHA256(ctx context.Context, path string) (string, error) {
	f, err := m.lookup(ctx, "hash", path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(f.data)
	return hex.EncodeToString(sum[:]), nil
}

// ReadLink implements Machine.
func (m *Memory) ReadLink(ctx context.Context, p string) (string, error) {
	if err := m.enter(ctx, "follow", p); err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, last := path.Split(p)
	if target, ok := m.links[path.Join(m.resolve(dir), last)]; ok {
		return target, nil
	}
	if m.exists(m.resolve(p)) {
		return "", Wrap("follow "+p, errors.New("is not a symbolic link"))
	}
	return "", Wrap("follow "+p, fs.ErrNotExist)
}

// ReadDir implements Machine.
func (m *Memory) ReadDir(ctx context.Context, p string) ([]string, error) {
	if err := m.enter(ctx, "list", p); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	dir := m.resolve(p)
	if !m.exists(dir) {
		return nil, Wrap("list "+p, fs.ErrNotExist)
	}
	return m.children(dir), nil
}

// Run implements Machine.
func (m *Memory) Run(ctx context.Context, name string, args ...string) ([]byte, error) {
	line := strings.Join(append([]string{name}, args...), " ")
	if err := m.enter(ctx, "run", line); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	out, ok := m.commands[line]
	if !ok {
		return nil, &Error{Reason: fact.ReasonToolMissing, Op: "run " + line}
	}
	return slices.Clone(out), nil
}

// Processes implements Machine.
func (m *Memory) Processes(ctx context.Context) ([]Process, error) {
	if err := m.enter(ctx, "list", ProcessList); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.processes), nil
}

func (m *Memory) lookup(ctx context.Context, op, p string) (memoryFile, error) {
	if err := m.enter(ctx, op, p); err != nil {
		return memoryFile{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.resolve(p)
	if f, ok := m.files[at]; ok {
		return f, nil
	}
	if m.exists(at) {
		return memoryFile{info: Info{Mode: fs.ModeDir | 0o755, ModTime: m.now}}, nil
	}
	return memoryFile{}, Wrap(op+" "+p, fs.ErrNotExist)
}

// resolve follows links part by part as path_resolution(7) does, so that
// ".." means the folder above where a link led. Paths of Windows stay as they are.
func (m *Memory) resolve(p string) string {
	if !strings.HasPrefix(p, "/") {
		return p
	}
	todo := strings.Split(p, "/")
	at, followed := "/", 0
	for len(todo) > 0 {
		part := todo[0]
		todo = todo[1:]
		if part == "" || part == "." {
			continue
		}
		next := path.Join(at, part) // part ".." goes up
		if target, ok := m.links[next]; ok && followed < 40 {
			followed++
			todo = append(strings.Split(target, "/"), todo...)
			if strings.HasPrefix(target, "/") {
				at = "/"
			}
			continue
		}
		at = next
	}
	return at
}

func (m *Memory) exists(p string) bool {
	_, file := m.files[p]
	return file || len(m.children(p)) > 0
}

// children lists the names right below a folder, sorted, each once.
func (m *Memory) children(dir string) []string {
	prefix := strings.TrimSuffix(dir, "/") + "/"
	var names []string
	add := func(p string) {
		if rest, ok := strings.CutPrefix(p, prefix); ok && rest != "" {
			first, _, _ := strings.Cut(rest, "/")
			names = append(names, first)
		}
	}
	for p := range m.files {
		add(p)
	}
	for p := range m.links {
		add(p)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
