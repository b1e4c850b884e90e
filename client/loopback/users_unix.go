//go:build linux || darwin

package loopback

import (
	"net"

	"github.com/postern-zt/postern/platform/ipc"
)

// own hangs up on other users. They can read the link of a sign-in where a
// browser is started with it (ps(1)), and with it the state and what binds a
// code to this sign-in: a code of theirs would sign this person in as them.
func own(l net.Listener) net.Listener { return ipc.OwnUser(l) }
