package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/paths"
)

// envSocket names the agent's socket when no flag does.
const envSocket = "POSTERN_SOCKET"

// agent is the client of the chosen agent. In text mode it names it.
func (a *app) agent() *localapi.Client {
	path := a.chooseSocket()
	if !a.json {
		fmt.Fprintf(a.err, "agent: %s\n", plain(path))
	}
	return localapi.Dial(path)
}

// chooseSocket takes the flag, the environment, this user's own agent if its
// socket is there, and else the system's agent.
func (a *app) chooseSocket() string {
	if a.socket != "" {
		return a.socket
	}
	if path := a.getenv(envSocket); path != "" {
		return path
	}
	// A user without a home folder has no agent of their own.
	if own, err := paths.User(); err == nil {
		if _, err := os.Lstat(own.Socket); !errors.Is(err, fs.ErrNotExist) {
			return own.Socket
		}
	}
	return paths.System().Socket
}
