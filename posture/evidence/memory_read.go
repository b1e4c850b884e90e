package evidence

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/fact"
)

// missing is the error for what this machine does not have: why as a rule, or
// that the recording does not hold it.
func (m *Memory) missing(op, target string, why fact.Reason) error {
	if m.rest != "" {
		why = m.rest
	}
	if why == fact.ReasonNotFound {
		return &Error{Reason: why, Op: op + " " + target, Err: fs.ErrNotExist}
	}
	return &Error{Reason: why, Op: op + " " + target}
}

// only refuses what the machine's system has no use for.
func (m *Memory) only(op string, systems ...System) error {
	if slices.Contains(systems, m.system) {
		return nil
	}
	return &Error{Reason: fact.ReasonUnsupported, Op: op}
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
	if f.absent {
		return nil, m.missing("read", path, fact.ReasonNotRecorded)
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
	switch {
	case err != nil:
		return "", err
	case f.sum != "":
		return f.sum, nil
	case f.absent:
		return "", m.missing("hash", path, fact.ReasonNotRecorded)
	}
	sum := sha256.Sum256(f.data)
	return hex.EncodeToString(sum[:]), nil
}

// Distil implements Machine.
func (m *Memory) Distil(ctx context.Context, path, what string, f Distiller) ([]byte, error) {
	if err := m.enter(ctx, what, path); err != nil {
		return nil, err
	}
	m.mu.Lock()
	essence, ok := m.distilled[line(what, []string{path})]
	m.mu.Unlock()
	if ok {
		return slices.Clone(essence), nil
	}
	file, err := m.lookup(ctx, what, path)
	if err != nil {
		return nil, err
	}
	if file.absent || file.info.Mode.IsDir() {
		return nil, m.missing(what, path, fact.ReasonNotRecorded)
	}
	return Distilled(what, path, f, bytes.NewReader(file.data))
}

// ReadLink implements Machine.
func (m *Memory) ReadLink(ctx context.Context, p string) (string, error) {
	if err := m.enter(ctx, "follow", p); err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if target, ok := m.links[p]; ok {
		return target, nil
	}
	dir, last := path.Split(p)
	if target, ok := m.links[path.Join(m.resolve(dir), last)]; ok {
		return target, nil
	}
	if m.exists(m.resolve(p)) {
		return "", Wrap("follow "+p, errors.New("is not a symbolic link"))
	}
	return "", m.missing("follow", p, fact.ReasonNotFound)
}

// ReadDir implements Machine.
func (m *Memory) ReadDir(ctx context.Context, p string) ([]string, error) {
	if err := m.enter(ctx, "list", p); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if names, ok := m.listings[p]; ok {
		return append([]string{}, names...), nil
	}
	dir := m.resolve(p)
	if !m.exists(dir) || m.rest != "" { // a recording has the listings that were asked for
		return nil, m.missing("list", p, fact.ReasonNotFound)
	}
	if f, ok := m.files[dir]; ok && !f.info.Mode.IsDir() {
		return nil, Wrap("list "+p, errors.New("is not a folder"))
	}
	return m.children(dir), nil
}

// Run implements Machine.
func (m *Memory) Run(ctx context.Context, name string, args ...string) (Output, error) {
	command := line(name, args)
	if err := m.enter(ctx, "run", command); err != nil {
		return Output{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	out, ok := m.commands[command]
	if !ok {
		return Output{}, m.missing("run", command, fact.ReasonToolMissing)
	}
	return Output{Stdout: slices.Clone(out.Stdout), Stderr: slices.Clone(out.Stderr), Code: out.Code}, nil
}

// Processes implements Machine.
func (m *Memory) Processes(ctx context.Context) ([]Process, error) {
	if err := m.enter(ctx, "list", ProcessList); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.nothing[ProcessList] {
		return nil, m.missing("list", ProcessList, fact.ReasonNotRecorded)
	}
	return slices.Clone(m.processes), nil
}

// Services implements Machine.
func (m *Memory) Services(ctx context.Context) ([]Service, error) {
	if err := errors.Join(m.only("list services", Windows), m.enter(ctx, "list", ServiceList)); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.nothing[ServiceList] {
		return nil, m.missing("list", ServiceList, fact.ReasonNotRecorded)
	}
	return slices.Clone(m.services), nil
}

// Sessions implements Machine.
func (m *Memory) Sessions(ctx context.Context) ([]Session, error) {
	if err := m.enter(ctx, "list", SessionList); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.nothing[SessionList] {
		return nil, m.missing("list", SessionList, fact.ReasonNotRecorded)
	}
	return slices.Clone(m.sessions), nil
}

// Registry implements Machine.
func (m *Memory) Registry(ctx context.Context, key string) (Registry, error) {
	key = RegistryKey(key)
	if err := errors.Join(m.only("read registry key "+key, Windows), m.enter(ctx, "registry", key)); err != nil {
		return Registry{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	found, ok := m.registry[strings.ToLower(key)]
	if !ok {
		return Registry{}, m.missing("registry", key, fact.ReasonNotFound)
	}
	copied := Registry{Values: map[string]RegistryValue{}, Keys: slices.Clone(found.Keys)}
	for name, v := range found.Values {
		copied.Values[name] = v
	}
	return copied, nil
}

// WMI implements Machine.
func (m *Memory) WMI(ctx context.Context, namespace, class string) ([]Row, error) {
	target := wmiTarget(namespace, class)
	if err := errors.Join(m.only("query "+target, Windows), m.enter(ctx, "wmi", target)); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	rows, ok := m.wmi[target]
	if !ok {
		return nil, m.missing("wmi", target, fact.ReasonNotFound)
	}
	return slices.Clone(rows), nil
}

// Sysctl implements Machine.
func (m *Memory) Sysctl(ctx context.Context, name string) (string, error) {
	if err := errors.Join(m.only("read sysctl "+name, MacOS), m.enter(ctx, "sysctl", name)); err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.sysctls[name]
	if !ok {
		return "", m.missing("sysctl", name, fact.ReasonNotFound)
	}
	return v, nil
}

// Ask implements Machine.
func (m *Memory) Ask(ctx context.Context, question Question, args ...string) ([]byte, error) {
	target := line(string(question), args)
	if err := m.enter(ctx, "ask", target); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	answer, ok := m.answers[target]
	if !ok {
		return nil, m.missing("ask", target, fact.ReasonUnsupported)
	}
	return slices.Clone(answer), nil
}

func (m *Memory) lookup(ctx context.Context, op, p string) (memoryFile, error) {
	if err := m.enter(ctx, op, p); err != nil {
		return memoryFile{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if f, ok := m.files[p]; ok {
		return f, nil
	}
	at := m.resolve(p)
	if f, ok := m.files[at]; ok {
		return f, nil
	}
	if m.exists(at) {
		return memoryFile{info: Info{Mode: fs.ModeDir | 0o755, ModTime: m.now, Owner: "0"}}, nil
	}
	return memoryFile{}, m.missing(op, p, fact.ReasonNotFound)
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
	separator := "/"
	if !strings.HasPrefix(dir, "/") {
		separator = `\`
	}
	prefix := strings.TrimSuffix(dir, separator) + separator
	var names []string
	add := func(p string) {
		if rest, ok := strings.CutPrefix(p, prefix); ok && rest != "" {
			first, _, _ := strings.Cut(rest, separator)
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
