// Package paths says where this product keeps its files on each system.
package paths

import (
	"crypto/sha256"
	"encoding/hex"
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
	Socket string // the local socket: a file, on Windows the name of a pipe
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
// from the working folder. A pipe lies in no folder: its name is made of dir,
// the same for the same dir.
func InState(dir string) Set {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return Set{
		State:  dir,
		Config: filepath.Join(dir, configName),
		Socket: socketIn(dir),
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
func windowsUnder(base, pipe string) Set {
	dir := strings.TrimRight(base, `\`) + `\Postern`
	return Set{
		State:  dir,
		Config: dir + `\` + configName,
		Socket: pipe,
		Cache:  dir + `\Cache`,
	}
}

// Names of pipes. Whoever dials knows by the name whose the pipe has to be
// (platform/ipc): LocalSystem's or the administrators' for the system's agent,
// the user's own for a user's; a pipe named after a folder may be either's.
const (
	pipeRoot   = `\\.\pipe\postern\`
	systemPipe = pipeRoot + "system"
)

// userPipe is the pipe of a user's own agent. Two users who are signed in at
// once have one each; one user has the same in every session.
func userPipe(sid string) string { return pipeRoot + "user-" + sid }

// statePipe is the pipe of an agent whose files are in dir. Case and the kind of
// separators make no difference, as they make none to Windows.
func statePipe(dir string) string {
	dir = strings.TrimRight(strings.ReplaceAll(strings.ToLower(dir), "/", `\`), `\`)
	sum := sha256.Sum256([]byte(dir))
	return pipeRoot + "state-" + hex.EncodeToString(sum[:16])
}
