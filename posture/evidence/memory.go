package evidence

import (
	"context"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/postern-zt/postern/posture/fact"
)

// The targets by which Fail and Before name what has no path.
const (
	ProcessList = "processes"
	ServiceList = "services"
	SessionList = "sessions"
)

// Memory is a Machine made by hand: files, links, command outputs and
// processes that a test puts there, and the errors it wants. All methods may
// be called from several goroutines.
type Memory struct {
	mu        sync.Mutex
	system    System
	now       time.Time
	files     map[string]memoryFile
	links     map[string]string
	listings  map[string][]string // folders whose listing is known by itself
	commands  map[string]Output
	processes []Process
	nothing   map[string]bool // lists that were never given: processes, services, sessions
	services  []Service
	sessions  []Session
	registry  map[string]Registry
	wmi       map[string][]Row
	sysctls   map[string]string
	answers   map[string][]byte
	distilled map[string][]byte
	before    map[string]func(context.Context) error
	failures  map[string]failure // readings that failed in a recording, by "op target"
	rest      fact.Reason        // what everything else answers; empty: as a system without it does
}

type memoryFile struct {
	data   []byte
	info   Info
	sum    string // digest of a file whose content is not kept
	absent bool   // only what Stat and SHA256 say is kept
}

// NewMemory makes a machine with no files, no commands and nothing running.
func NewMemory(system System, now time.Time) *Memory {
	return &Memory{
		system: system, now: now,
		files: map[string]memoryFile{}, links: map[string]string{}, listings: map[string][]string{},
		commands: map[string]Output{}, registry: map[string]Registry{}, wmi: map[string][]Row{},
		sysctls: map[string]string{}, answers: map[string][]byte{}, distilled: map[string][]byte{},
		before: map[string]func(context.Context) error{}, nothing: map[string]bool{}, failures: map[string]failure{},
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
	m.files[path] = memoryFile{data: []byte(content), info: Info{Size: int64(len(content)), Mode: 0o644, ModTime: m.now, Owner: "0"}}
}

// SetOwner sets whose a file is: a user id as a decimal number, or a SID.
func (m *Memory) SetOwner(path, owner string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.files[path]
	f.info.Owner = owner
	m.files[path] = f
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
	m.commands[line] = Output{Stdout: []byte(output)}
}

// SetOutput puts all that is known of how a command ended.
func (m *Memory) SetOutput(line string, out Output) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.commands[line] = out
}

// SetProcesses puts the list of running processes.
func (m *Memory) SetProcesses(p ...Process) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.processes = slices.Clone(p)
}

// Fail makes every reading of target fail with reason: a path, a command line,
// a registry key, a sysctl's name, a question with its arguments, a class as
// `root\cimv2:win32_bios` in lower case, or one of the lists above. The empty
// reason ends it.
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
	failed := m.recordedFailure(op, target)
	m.mu.Unlock()
	if failed != nil {
		return failed
	}
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
