package edr

import (
	"context"
	"path"
	"strconv"

	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// maxComm is how much of a program's name the kernel keeps (TASK_COMM_LEN less
// its end, proc_pid_comm(5)).
const maxComm = 15

func linux() system {
	return system{
		concerns: func(r observe.EDRRow) bool { return len(r.Linux) > 0 },
		find: func(ctx context.Context, l *looker, r observe.EDRRow) finding {
			return l.programs(ctx, r, r.Linux)
		},
		same: func(a, b string) bool { return a == b },
		shortName: func(executable string) string {
			name := path.Base(executable)
			return name[:min(len(name), maxComm)]
		},
		links: true,
		loose: 0o022,
		owner: func(owner, runAs string) bool {
			return owner == "0" || runAs == observe.RunAsSystem && linuxAccount(owner)
		},
		unowned: fact.ReasonNotRecorded, // the system always tells
	}
}

// linuxAccount tells whether a user id is for the system's own use: below 1000,
// or given to a service for as long as it runs (systemd's "Users, Groups, UIDs
// and GIDs on systemd Systems").
func linuxAccount(owner string) bool {
	id, err := strconv.ParseUint(owner, 10, 32)
	return err == nil && (id < 1000 || id >= 61184 && id <= 65519)
}
