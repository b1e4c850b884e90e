package machine

import (
	"context"
	"fmt"
	"os"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// asPerson are the commands of the list that tell of the person who runs them.
func asPerson(name string) bool { return name == "sysadminctl" }

// personal turns a command about a person into one that is run as the person
// at the screen, where this program is root: launchctl(1) asuser enters the
// person's bootstrap namespace and audit session but stays root, and sudo(8)
// takes on the person's user id, without asking for anything (-n). Every other
// command stays as it is.
func (m *live) personal(_ context.Context, name string, args []string) (string, []string, error) {
	if !asPerson(name) || os.Geteuid() != 0 {
		return name, args, nil
	}
	op := "run " + name
	uid, err := consolePerson()
	if err != nil {
		return "", nil, wrap(op, err)
	}
	if uid == 0 {
		return "", nil, &evidence.Error{Reason: fact.ReasonNobody, Op: op}
	}
	for _, path := range m.cfg.Commands[name] {
		if _, err := os.Stat(path); err == nil {
			return "launchctl", personalArgs(uid, path, args), nil
		}
	}
	return name, args, nil // which is missing, or refused, as any other
}

func personalArgs(uid int, path string, args []string) []string {
	before := []string{"asuser", fmt.Sprint(uid), "/usr/bin/sudo", "-n", "-H", "-u", fmt.Sprintf("#%d", uid), "--", path}
	return append(before, args...)
}
