package edr

import (
	"strings"

	"github.com/postern-zt/postern/posture/observe"
)

// windows compares paths without regard to case, as its file systems do.
func windows() system {
	return system{
		programs: func(r observe.EDRRow) []observe.Program { return r.Windows },
		same:     strings.EqualFold,
		shortName: func(executable string) string {
			return executable[strings.LastIndexByte(executable, '\\')+1:]
		},
	}
}
