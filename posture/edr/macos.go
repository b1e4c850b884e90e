package edr

import (
	"path"

	"github.com/postern-zt/postern/posture/observe"
)

func macos() system {
	return system{
		programs:  func(r observe.EDRRow) []observe.Program { return r.MacOS },
		same:      func(a, b string) bool { return a == b },
		shortName: path.Base,
		links:     true,
	}
}
