package evidence

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/postern-zt/postern/posture/fact"
)

// MaxRecording is the most bytes that a recording keeps of all that is read.
// What comes after is left out, and the recording says so.
const MaxRecording = 32 << 20

// Redactor changes what a recording keeps of one reading; op and target are as
// in errors.json. What the collectors read is not changed.
type Redactor func(op, target string, content []byte) []byte

// Recording is a Machine that keeps everything read through it, so that Write
// can make a folder of it that Open reads back. Its clock stands still, so that
// the report made through it is the one that a replay makes. All methods may
// be called from several goroutines.
type Recording struct {
	machine Machine
	redact  Redactor
	now     time.Time

	mu       sync.Mutex
	size     int
	cut      bool
	files    map[string][]byte // name below the folder → content
	paths    map[string]*pathEntry
	failures []failure
	lists    map[string]any // file name → what JSON writes
	registry map[string]Registry
	sysctls  map[string]string
}

// NewRecording makes a Recording that reads from m. The redactor may be nil.
func NewRecording(m Machine, redact Redactor) *Recording {
	now := m.Now()
	_, offset := now.Zone()
	return &Recording{
		machine: m, redact: redact,
		now:   now.Round(0).In(time.FixedZone("", offset)),
		files: map[string][]byte{}, paths: map[string]*pathEntry{}, lists: map[string]any{},
		registry: map[string]Registry{}, sysctls: map[string]string{},
	}
}

// System implements Machine.
func (r *Recording) System() System { return r.machine.System() }

// Now implements Machine. It is the time at which the recording began.
func (r *Recording) Now() time.Time { return r.now }

// keep holds content under a name; the caller holds mu.
func (r *Recording) keep(name, op, target string, content []byte) {
	if r.redact != nil {
		content = r.redact(op, target, slices.Clone(content))
	}
	if old, there := r.files[name]; there {
		r.size -= len(old)
	}
	if r.size+len(content) > MaxRecording || len(r.files)+len(r.paths)+len(r.failures) > maxEntries {
		r.cut = true
		delete(r.files, name)
		return
	}
	r.size += len(content)
	r.files[name] = slices.Clone(content)
}

// failed notes that a reading failed; the caller holds mu.
func (r *Recording) failed(op, target string, err error) bool {
	if err == nil { // a second try that went well is what counts
		r.failures = slices.DeleteFunc(r.failures, func(f failure) bool { return f.Op == op && f.Target == target })
		return false
	}
	f := failure{Op: op, Target: target, Reason: ReasonOf(err), Code: codeOf(err)}
	if slices.Contains(r.failures, f) {
		return true
	}
	if len(r.failures) >= maxEntries {
		r.cut = true
		return true
	}
	r.failures = append(r.failures, f)
	return true
}

// path is the entry of files.json for a path; the caller holds mu.
func (r *Recording) path(p string) *pathEntry {
	e, ok := r.paths[p]
	if !ok {
		e = &pathEntry{Path: p}
		if len(r.paths) >= maxEntries {
			r.cut = true
			return e
		}
		r.paths[p] = e
	}
	return e
}

// ReadFile implements Machine.
func (r *Recording) ReadFile(ctx context.Context, path string) ([]byte, error) {
	data, err := r.machine.ReadFile(ctx, path)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.failed(opRead, path, err) {
		r.keep(filesDir+"/"+pathName(path), opRead, path, data)
	}
	return data, err
}

// ReadDir implements Machine.
func (r *Recording) ReadDir(ctx context.Context, path string) ([]string, error) {
	names, err := r.machine.ReadDir(ctx, path)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.failed(opList, path, err) {
		e := r.path(path)
		e.Listing, e.Listed, e.Dir = slices.Clone(names), true, true
	}
	return names, err
}

// ReadLink implements Machine.
func (r *Recording) ReadLink(ctx context.Context, path string) (string, error) {
	target, err := r.machine.ReadLink(ctx, path)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.failed(opFollow, path, err) {
		r.path(path).Link = target
	}
	return target, err
}

// Stat implements Machine.
func (r *Recording) Stat(ctx context.Context, path string) (Info, error) {
	info, err := r.machine.Stat(ctx, path)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.failed(opStat, path, err) {
		r.path(path).describe(info)
	}
	return info, err
}

// SHA256 implements Machine.
func (r *Recording) SHA256(ctx context.Context, path string) (string, error) {
	sum, err := r.machine.SHA256(ctx, path)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.failed(opHash, path, err) {
		r.path(path).SHA256 = sum
	}
	return sum, err
}

// Distil implements Machine.
func (r *Recording) Distil(ctx context.Context, path, what string, f Distiller) ([]byte, error) {
	essence, err := r.machine.Distil(ctx, path, what, f)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.failed(what, path, err) {
		r.keep(distilledDir+"/"+escape(what)+"/"+pathName(path), what, path, essence)
	}
	return essence, err
}

// Run implements Machine.
func (r *Recording) Run(ctx context.Context, name string, args ...string) (Output, error) {
	out, err := r.machine.Run(ctx, name, args...)
	command := line(name, args)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.failed(opRun, command, err) {
		base := commandsDir + "/" + escape(command)
		r.keep(base+".out", opRun, command, out.Stdout)
		if len(out.Stderr) > 0 {
			r.keep(base+".err", opRun, command, out.Stderr)
		}
		if out.Code != 0 {
			r.keep(base+".code", opRun, command, []byte(jsonOf(out.Code)))
		}
	}
	return out, err
}

// Processes implements Machine.
func (r *Recording) Processes(ctx context.Context) ([]Process, error) {
	list, err := r.machine.Processes(ctx)
	r.list(ProcessList, processesFile, list, err)
	return list, err
}

// Services implements Machine.
func (r *Recording) Services(ctx context.Context) ([]Service, error) {
	list, err := r.machine.Services(ctx)
	r.list(ServiceList, servicesFile, list, err)
	return list, err
}

// Sessions implements Machine.
func (r *Recording) Sessions(ctx context.Context) ([]Session, error) {
	list, err := r.machine.Sessions(ctx)
	r.list(SessionList, sessionsFile, list, err)
	return list, err
}

// list keeps the first answer: a recording shows one moment.
func (r *Recording) list(target, file string, list any, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, there := r.lists[file]; !r.failed(opList, target, err) && !there {
		r.lists[file] = list
	}
}

// Registry implements Machine.
func (r *Recording) Registry(ctx context.Context, key string) (Registry, error) {
	values, err := r.machine.Registry(ctx, key)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.failed(opRegistry, RegistryKey(key), err) {
		r.registry[RegistryKey(key)] = values
	}
	return values, err
}

// WMI implements Machine.
func (r *Recording) WMI(ctx context.Context, namespace, class string) ([]Row, error) {
	rows, err := r.machine.WMI(ctx, namespace, class)
	target := wmiTarget(namespace, class)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.failed(opWMI, target, err) {
		r.keep(wmiDir+"/"+wmiName(namespace, class)+".json", opWMI, target, []byte(jsonOf(notNil(rows))))
	}
	return rows, err
}

// Sysctl implements Machine.
func (r *Recording) Sysctl(ctx context.Context, name string) (string, error) {
	v, err := r.machine.Sysctl(ctx, name)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.failed(opSysctl, name, err) {
		r.sysctls[name] = v
	}
	return v, err
}

// Ask implements Machine.
func (r *Recording) Ask(ctx context.Context, question Question, args ...string) ([]byte, error) {
	answer, err := r.machine.Ask(ctx, question, args...)
	target := line(string(question), args)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.failed(opAsk, target, err) {
		r.keep(answersDir+"/"+escape(target)+".json", opAsk, target, answer)
	}
	return answer, err
}

// codeOf is the system's own code inside err, if it carries one.
func codeOf(err error) string {
	var known *Error
	if as(err, &known) {
		return fact.Clip(known.Code)
	}
	return ""
}
