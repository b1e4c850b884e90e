package osversion

import "strings"

// parseOSRelease reads the shell-like assignments of os-release(5): one a
// line, with comments, single or double quotes, and backslash escapes. A line
// that is none of this is passed over, as the page asks for.
func parseOSRelease(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(strings.TrimPrefix(text, "\uFEFF")) {
		line = strings.TrimSpace(line)
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") || !isName(name) {
			continue
		}
		if v, ok := unquote(value); ok {
			values[name] = clean(v)
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

// parseLSBRelease reads /etc/lsb-release of systems that have no os-release, in
// the words of os-release.
func parseLSBRelease(text string) map[string]string {
	lsb := parseOSRelease(text)
	if lsb["DISTRIB_ID"] == "" {
		return nil
	}
	return named(lsb["DISTRIB_ID"], lsb["DISTRIB_RELEASE"], lsb["DISTRIB_CODENAME"])
}

// parseReleaseLine reads the one line of /etc/redhat-release and its like:
// "Red Hat Enterprise Linux Server release 7.6 (Maipo)".
func parseReleaseLine(text string) map[string]string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	name, rest, ok := strings.Cut(clean(line), " release ")
	if !ok {
		return nil
	}
	version, rest, _ := strings.Cut(rest, " ")
	codename := ""
	if i, j := strings.IndexByte(rest, '('), strings.LastIndexByte(rest, ')'); i >= 0 && j > i {
		codename = rest[i+1 : j]
	}
	return named(name, version, codename)
}

// named makes an os-release of what older files tell. The identifiers are those
// that the distributions have in os-release today.
func named(name, version, codename string) map[string]string {
	id := strings.ToLower(strings.TrimSpace(name))
	for _, known := range []struct{ begins, id string }{
		{"red hat enterprise linux", "rhel"}, {"redhatenterprise", "rhel"}, {"centos", "centos"}, {"fedora", "fedora"},
		{"oracle linux", "ol"}, {"rocky", "rocky"}, {"almalinux", "almalinux"}, {"scientific linux", "scientific"},
		{"amazon linux", "amzn"}, {"linuxmint", "linuxmint"}, {"linux mint", "linuxmint"}, {"pop", "pop"},
		{"archlinux", "arch"}, {"arch", "arch"}, {"manjaro", "manjaro"}, {"opensuse leap", "opensuse-leap"},
	} {
		if strings.HasPrefix(id, known.begins) {
			id = known.id
			break
		}
	}
	if strings.ContainsAny(id, " \t") || id == "" {
		return nil
	}
	return map[string]string{"ID": id, "NAME": name, "VERSION_ID": version, "VERSION_CODENAME": strings.ToLower(codename)}
}
