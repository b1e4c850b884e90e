package evidence

import (
	"context"
	"path"
	"strings"
)

// maxLinks bounds the steps of Resolve; a loop of links ends there.
const maxLinks = 64

// Resolve follows the symbolic links of an absolute path, part by part, as the
// system does when it opens a file (path_resolution(7)): a process is named by
// the file it was started from, and somebody may know that file by a link. What
// is no link, or cannot be followed, stays as it is, and so do paths of Windows.
func Resolve(ctx context.Context, m Machine, p string) string {
	if m.System() == Windows || !path.IsAbs(p) {
		return p
	}
	at, rest := "/", strings.Split(path.Clean(p), "/")
	for steps := 0; len(rest) > 0 && steps < maxLinks; steps++ {
		next := path.Join(at, rest[0])
		rest = rest[1:]
		if next == at {
			continue
		}
		target, err := m.ReadLink(ctx, next)
		if err != nil { // not a link, or not there
			at = next
			continue
		}
		rest = append(strings.Split(target, "/"), rest...)
		if path.IsAbs(target) {
			at = "/"
		}
	}
	return path.Join(at, path.Join(rest...))
}
