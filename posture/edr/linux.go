package edr

import (
	"path"

	"github.com/postern-zt/postern/posture/observe"
)

// maxComm is how much of a program's name the kernel keeps (TASK_COMM_LEN less
// its end, proc_pid_comm(5)).
const maxComm = 15

func linux() system {
	return system{
		programs: func(r observe.EDRRow) []observe.Program { return r.Linux },
		same:     func(a, b string) bool { return a == b },
		shortName: func(executable string) string {
			name := path.Base(executable)
			return name[:min(len(name), maxComm)]
		},
		links: true,
	}
}
