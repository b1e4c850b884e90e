package localapi

import (
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/platform/paths"
)

// EnvSocket names the agent's socket when no flag does.
const EnvSocket = "POSTERN_SOCKET"

// ChooseSocket takes the socket of a flag, of the environment, this user's own
// agent's if that is there, and else the system's agent's.
func ChooseSocket(flag string, getenv func(string) string) string {
	if flag != "" {
		return flag
	}
	if path := getenv(EnvSocket); path != "" {
		return path
	}
	// A user without a home folder has no agent of their own.
	if own, err := paths.User(); err == nil && ipc.Exists(own.Socket) {
		return own.Socket
	}
	return paths.System().Socket
}
