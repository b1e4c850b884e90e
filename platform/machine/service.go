package machine

import "strings"

// serviceState names a state of SERVICE_STATUS.
func serviceState(n uint32) string {
	states := []string{"", "stopped", "start-pending", "stop-pending", "running", "continue-pending", "pause-pending", "paused"}
	if n < uint32(len(states)) {
		return states[n]
	}
	return ""
}

// serviceStart names a start type of QUERY_SERVICE_CONFIG.
func serviceStart(n uint32) string {
	starts := []string{"boot", "system", "auto", "manual", "disabled"}
	if n < uint32(len(starts)) {
		return starts[n]
	}
	return ""
}

// imagePath is the program in a service's command line, whose variables were
// filled in before: quoted, or up to the first ".exe" or ".sys" that ends a
// word. Drivers name it below the folder of Windows, or as the kernel does
// (`\SystemRoot\…`, `\??\C:\…`). Empty when it is no absolute path.
func imagePath(line, root string) string {
	line = strings.TrimSpace(line)
	path := line
	if inner, ok := strings.CutPrefix(line, `"`); ok {
		path, _, _ = strings.Cut(inner, `"`)
	} else if end := programEnd(line); end > 0 {
		path = line[:end]
	}
	lower := lowerASCII(path)
	switch {
	case strings.HasPrefix(lower, `\??\`):
		path = path[len(`\??\`):]
	case strings.HasPrefix(lower, `\systemroot\`):
		path = root + path[len(`\systemroot`):]
	case strings.HasPrefix(lower, `system32\`), strings.HasPrefix(lower, `syswow64\`):
		path = root + `\` + path
	}
	drive := len(path) > 3 && path[1] == ':' && path[2] == '\\'
	if !drive && !strings.HasPrefix(path, `\\`) {
		return ""
	}
	return path
}

// programEnd is where the program's name ends in a line without quotes; 0 when
// that cannot be told. Folders may have spaces in their names.
func programEnd(line string) int {
	first, lower := 0, lowerASCII(line)
	for _, suffix := range []string{".exe", ".sys"} {
		for from := 0; ; {
			i := strings.Index(lower[from:], suffix)
			if i < 0 {
				break
			}
			end := from + i + len(suffix)
			if end == len(line) || line[end] == ' ' || line[end] == '\t' {
				if first == 0 || end < first {
					first = end
				}
				break
			}
			from = end
		}
	}
	return first
}

// lowerASCII keeps every letter in its place, unlike strings.ToLower, under
// which some letters of other alphabets take more bytes or fewer.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
