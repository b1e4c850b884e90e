package osversion

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// linux reads os-release(5), whose first place wins, and the running kernel's
// release (proc_sys_kernel(5)) as build.
func linux(ctx context.Context, r *evidence.Reading) error {
	m := r.Machine()
	const kernel = "/proc/sys/kernel/osrelease"
	if release, err := m.ReadFile(ctx, kernel); err == nil {
		observe(r, "build", strings.TrimSpace(string(release)))
		r.From(kernel)
	} else {
		r.Unknown("build", "", evidence.ReasonOf(err))
	}
	path := "/etc/os-release"
	data, err := m.ReadFile(ctx, path)
	if evidence.ReasonOf(err) == fact.ReasonNotFound || errors.Is(err, fs.ErrNotExist) {
		path = "/usr/lib/os-release"
		data, err = m.ReadFile(ctx, path)
	}
	if err != nil {
		return err
	}
	r.From(path)
	values := parseOSRelease(string(data))
	if len(values) == 0 {
		return &evidence.Error{Reason: fact.ReasonUnreadable, Op: "read " + path}
	}
	product := values["ID"]
	if product == "" {
		product = "linux" // os-release(5): "If not set, a default of ID=linux may be used."
	}
	observe(r, "product", product)
	observe(r, "version", values["VERSION_ID"])
	return nil
}

// parseOSRelease reads the shell-like assignments of os-release(5): one a
// line, with comments, single or double quotes, and backslash escapes. A line
// that is none of this is passed over, as the page asks for.
func parseOSRelease(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") || !isName(name) {
			continue
		}
		if v, ok := unquote(value); ok {
			values[name] = v
		}
	}
	return values
}

func isName(s string) bool {
	for _, c := range s {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return s != ""
}

// unquote undoes the shell's quoting of one word; a quote that does not end
// makes the line malformed.
func unquote(s string) (string, bool) {
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		return s[1 : len(s)-1], true
	}
	quoted := strings.HasPrefix(s, `"`)
	if strings.HasPrefix(s, "'") || quoted && (len(s) < 2 || !strings.HasSuffix(s, `"`)) {
		return "", false
	}
	if quoted {
		s = s[1 : len(s)-1]
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), true
}
