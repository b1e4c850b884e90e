package settings

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// linuxMachine is a Linux as far as settings go: its files and the person's
// environment.
type linuxMachine struct {
	root string // "" for the real one, a folder in tests
	env  func(name string) string
}

// found is a way that is there: the program's path with its arguments.
type found struct {
	path string
	args []string
}

// find looks for the first way to a page, on the person's own desktop before
// elsewhere.
func (m linuxMachine) find(p Page) (found, error) {
	if why := linuxNever(p); why != "" {
		return found{}, noPage(p, "%s", why)
	}
	if m.env("DISPLAY") == "" && m.env("WAYLAND_DISPLAY") == "" {
		return found{}, noPage(p, "this session has no screen")
	}
	own := m.desktop()
	for _, d := range []desktop{own, anywhere} {
		for _, way := range linuxPages(p, d) {
			if path, ok := m.has(way); ok {
				return found{path, way.args}, nil
			}
		}
	}
	if own == anywhere {
		return found{}, noPage(p, "no program for it is installed that does not belong to a desktop")
	}
	return found{}, noPage(p, "no program for it is installed on this %s desktop", own)
}

// desktop is the first of the colon-separated names in XDG_CURRENT_DESKTOP whose
// settings are known, as in "ubuntu:GNOME".
func (m linuxMachine) desktop() desktop {
	for name := range strings.SplitSeq(m.env("XDG_CURRENT_DESKTOP"), ":") {
		if d := desktops(name); d != anywhere {
			return d
		}
	}
	return anywhere
}

// has looks for a way's program and, if it has one, for its marker.
func (m linuxMachine) has(way linuxWay) (path string, ok bool) {
	if way.marker != "" && m.first(dataFolders(), way.marker, fs.FileMode.IsRegular) == "" {
		return "", false
	}
	path = m.first(programFolders(), way.program, isProgram)
	return path, path != ""
}

func isProgram(mode fs.FileMode) bool { return mode.IsRegular() && mode.Perm()&0o111 != 0 }

// first is the first of the folders with such a file, as a path.
func (m linuxMachine) first(folders []string, name string, like func(fs.FileMode) bool) string {
	for _, folder := range folders {
		path := filepath.Join(m.root, folder, name)
		if info, err := os.Stat(path); err == nil && like(info.Mode()) {
			return path
		}
	}
	return ""
}
