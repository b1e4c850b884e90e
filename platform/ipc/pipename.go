package ipc

import (
	"errors"
	"fmt"
	"strings"
)

// Names and security of named pipes, as text: it carries no build tag, so that
// it is tested on every system.

const (
	// pipeRoot begins the name of every pipe of this machine ("Pipe Names").
	pipeRoot = `\\.\pipe\`
	// maxPipeName is the longest name with the root ("CreateNamedPipe").
	maxPipeName = 256
	// systemPipe and userPipe are the names, or how they begin, of which
	// platform/paths and this room agree who may serve them.
	systemPipe = pipeRoot + `postern\system`
	userPipe   = pipeRoot + `postern\user-`
)

// checkPipeName refuses what is not the name of a pipe of this machine.
func checkPipeName(path string) error {
	switch name, ok := cutPrefixFold(path, pipeRoot); {
	case !ok || name == "":
		return fmt.Errorf(`%s is not the name of a pipe, which begins with %s`, path, pipeRoot)
	case len(path) > maxPipeName:
		return fmt.Errorf("the name %s is %d bytes long, a pipe's may be %d at most", path, len(path), maxPipeName)
	case strings.ContainsAny(path, "\x00/"):
		return errors.New("the name of the pipe has a character that may not be there")
	}
	return nil
}

// cutPrefixFold is strings.CutPrefix without regard to case, as pipes' names
// have none.
func cutPrefixFold(s, prefix string) (after string, found bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// callersRights are what a caller needs: to read, to write, and to read whose
// the pipe is. GENERIC_WRITE would be too much: it holds FILE_CREATE_PIPE_INSTANCE,
// with which any caller could serve the pipe beside the agent ("Named Pipe
// Security and Access Rights"). In bits: FILE_GENERIC_READ and FILE_WRITE_DATA.
const callersRights = 0x120089 | 0x2

// pipeSecurity is the security descriptor of a pipe in SDDL ("Security
// Descriptor Definition Language"). The owner is stated, so that a caller can
// tell by it who serves. Nobody who is not named has any right.
//
// LocalSystem and administrators have every right. With AnyUser, every user
// whom Windows knows may call, people over SSH included, whose log-on is one
// over the network; without it the agent's own user alone. Other machines are
// kept out by the pipe itself (PIPE_REJECT_REMOTE_CLIENTS, which go-winio sets).
func pipeSecurity(o Options, self Peer) string {
	owner, named := self.SID, false
	switch {
	case owner == sidSystem:
		owner, named = "SY", true
	case o.AnyUser && self.Class == ClassAdministrator:
		owner, named = "BA", true // whom callers trust, whoever of them it is
	}
	var b strings.Builder
	fmt.Fprintf(&b, "O:%sD:P(A;;GA;;;SY)(A;;GA;;;BA)", owner)
	if !named {
		fmt.Fprintf(&b, "(A;;GA;;;%s)", owner)
	}
	if o.AnyUser {
		fmt.Fprintf(&b, "(A;;%#x;;;AU)", callersRights)
	}
	return b.String()
}

// mayServe reports whether a pipe of that name and owner is what it claims to
// be, for a caller who is self. Anybody can make a pipe whose name is free;
// nobody can make somebody else its owner without a right that only
// administrators have (SeRestorePrivilege, "Access Rights for Access-Token
// Objects" and "Owner of a New Object"). A process's number would prove less: it
// goes to another process when the first has ended, while the pipe lives on in
// whoever inherited it.
func mayServe(path, owner, self string) bool {
	privileged := owner == sidSystem || owner == sidAdministrators
	mine := self != "" && owner == self
	if strings.EqualFold(path, systemPipe) {
		return privileged
	}
	if _, users := cutPrefixFold(path, userPipe); users {
		return mine
	}
	return privileged || mine
}
