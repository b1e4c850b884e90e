package evidence

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// SetServices puts the list of Windows services.
func (m *Memory) SetServices(s ...Service) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.services = slices.Clone(s)
}

// SetSessions puts who is logged in.
func (m *Memory) SetSessions(s ...Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions = slices.Clone(s)
}

// SetRegistry puts keys as ParseRegistry reads them: the output of reg query,
// or an exported file. Text that is neither puts nothing and is an error.
func (m *Memory) SetRegistry(text string) error {
	keys, err := ParseRegistry([]byte(text))
	if err != nil {
		return err
	}
	m.addRegistry(keys)
	return nil
}

func (m *Memory) addRegistry(keys map[string]Registry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, key := range keys {
		at := strings.ToLower(name)
		merged := m.registry[at].withValues()
		for k, v := range key.Values {
			merged.Values[k] = v
		}
		merged.Keys = append(slices.Clone(merged.Keys), key.Keys...)
		slices.Sort(merged.Keys)
		merged.Keys = slices.Compact(merged.Keys)
		m.registry[at] = merged
		m.addParents(name)
	}
}

// addParents makes every key above name exist and list the next one down. The
// caller holds mu.
func (m *Memory) addParents(name string) {
	for {
		i := strings.LastIndexByte(name, '\\')
		if i < 0 {
			return
		}
		parent, child := name[:i], name[i+1:]
		key := m.registry[strings.ToLower(parent)].withValues()
		if !slices.ContainsFunc(key.Keys, func(k string) bool { return strings.EqualFold(k, child) }) {
			key.Keys = append(slices.Clone(key.Keys), child)
			slices.Sort(key.Keys)
		}
		m.registry[strings.ToLower(parent)] = key
		name = parent
	}
}

// SetWMI puts the instances of a class; none at all is a class without
// instances.
func (m *Memory) SetWMI(namespace, class string, rows ...Row) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wmi[wmiTarget(namespace, class)] = append([]Row{}, rows...) // a class without instances is not nil
}

// SetSysctl puts one value of sysctl(3).
func (m *Memory) SetSysctl(name, value string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sysctls[name] = value
}

// SetAnswer puts the answer to a question; v is written as JSON, or is JSON
// already when it is a json.RawMessage. What JSON cannot write puts nothing and
// is an error.
func (m *Memory) SetAnswer(v any, question Question, args ...string) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("put an answer: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answers[line(string(question), args)] = data
	return nil
}

// SetDistilled puts what Distil answers for a file whose content is not there.
func (m *Memory) SetDistilled(path, what string, essence []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.distilled[line(what, []string{path})] = slices.Clone(essence)
}

// SetDigest puts what SHA256 says of a file whose content is not there.
func (m *Memory) SetDigest(path, sum string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, there := m.files[path]
	f.sum = sum
	if !there {
		f.absent, f.info = true, Info{Mode: 0o755, ModTime: m.now, Owner: "0"}
	}
	m.files[path] = f
}

// line is a name with its arguments, separated by single spaces.
func line(name string, args []string) string {
	return strings.Join(append([]string{name}, args...), " ")
}

// wmiTarget names a class in one way, whatever slashes and case are used.
func wmiTarget(namespace, class string) string {
	return strings.ToLower(strings.ReplaceAll(namespace, "/", `\`) + ":" + class)
}
