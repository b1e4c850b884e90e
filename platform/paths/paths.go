// Package paths says where this product keeps its files on each system.
package paths

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
)

// Set is where one agent, the system's or one user's, keeps its files. All are
// absolute paths; nothing says that they exist.
type Set struct {
	State  string // a folder: keys, enrolment, the undo journal; private to its owner
	Config string // a file: the settings
	Socket string // a file: the local socket
	Cache  string // a folder: what can be fetched again
}

// System returns the places of the agent that runs for the whole machine.
// Linux follows the File Hierarchy Standard 3.0 (/etc, /run, /var/lib,
// /var/cache), macOS its /Library, Windows %ProgramData%.
func System() Set { return systemSet() }

// User returns the places of an agent that runs for the current user alone.
// Linux follows the XDG Base Directory Specification, under which a variable
// that is not an absolute path does not count; without XDG_RUNTIME_DIR the
// socket is in the state folder. It is an error if the user has no home folder.
func User() (Set, error) {
	s, err := userSet()
	if err != nil {
		return Set{}, fmt.Errorf("find user folders: %w", err)
	}
	return s, nil
}

// InState returns a Set with everything inside the one folder dir, for tests,
// trials and a second agent on one machine. A dir that is not absolute is taken
// from the working folder.
func InState(dir string) Set {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return Set{
		State:  dir,
		Config: filepath.Join(dir, configName),
		Socket: filepath.Join(dir, socketName),
		Cache:  filepath.Join(dir, "cache"),
	}
}

const (
	configName = "settings.yaml"
	socketName = "agent.sock"
)

// errNoHome is the reason when User cannot answer.
var errNoHome = errors.New("the user has no home folder")

// The layouts carry no build tag, so that each is tested on every system.

func linuxSystem() Set {
	return Set{
		State:  "/var/lib/postern",
		Config: "/etc/postern/" + configName,
		Socket: "/run/postern/" + socketName,
		Cache:  "/var/cache/postern",
	}
}

func linuxUser(getenv func(string) string) (Set, error) {
	home := getenv("HOME")
	base := func(variable, inHome string) string {
		if dir := getenv(variable); path.IsAbs(dir) {
			return path.Join(dir, "postern")
		}
		if !path.IsAbs(home) {
			return ""
		}
		return path.Join(home, inHome, "postern")
	}
	state := base("XDG_STATE_HOME", ".local/state")
	config := base("XDG_CONFIG_HOME", ".config")
	cache := base("XDG_CACHE_HOME", ".cache")
	if state == "" || config == "" || cache == "" {
		return Set{}, errNoHome
	}
	s := Set{State: state, Config: path.Join(config, configName), Cache: cache, Socket: path.Join(state, socketName)}
	if run := getenv("XDG_RUNTIME_DIR"); path.IsAbs(run) {
		s.Socket = path.Join(run, "postern", socketName)
	}
	return s, nil
}

// darwinSystem keeps the socket out of the state folder, which only its owner
// may enter; /var/run is emptied at boot.
func darwinSystem() Set {
	return Set{
		State:  "/Library/Application Support/Postern",
		Config: "/Library/Application Support/Postern/" + configName,
		Socket: "/var/run/postern/" + socketName,
		Cache:  "/Library/Caches/Postern",
	}
}

func darwinUser(getenv func(string) string) (Set, error) {
	home := getenv("HOME")
	if !path.IsAbs(home) {
		return Set{}, errNoHome
	}
	state := path.Join(home, "Library/Application Support/Postern")
	return Set{
		State:  state,
		Config: path.Join(state, configName),
		Socket: path.Join(state, socketName),
		Cache:  path.Join(home, "Library/Caches/Postern"),
	}, nil
}

// windowsUnder is the layout below %ProgramData% or %LocalAppData%.
func windowsUnder(base string) Set {
	dir := strings.TrimRight(base, `\`) + `\Postern`
	return Set{
		State:  dir,
		Config: dir + `\` + configName,
		Socket: dir + `\` + socketName,
		Cache:  dir + `\Cache`,
	}
}
