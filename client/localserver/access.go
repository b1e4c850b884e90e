package localserver

import (
	"sync"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/platform/jws"
)

// access is what a route asks of its caller. The zero value asks most.
type access int

const (
	owner  access = iota // the session's owner; anybody identified while there is none
	reader               // owner, and root with the system's agent
	anyone
)

// localSystem is the security identifier of Windows' own account (MS-DTYP 2.4.2.4).
const localSystem = "S-1-5-18"

// may is nil if the peer may use a route of that access now.
func (s *Server) may(peer ipc.Peer, a access) error {
	if a == anyone {
		return nil
	}
	if !peer.Known {
		return &localapi.Refused{Code: localapi.CodeNoIdentity, Message: "The system does not say which user is calling, so the agent does not answer."}
	}
	if s.opts.Scope != scopeSystem {
		if peer.Same(s.opts.Owner) {
			return nil
		}
		return &localapi.Refused{Code: localapi.CodeNotOwner, Message: "This agent belongs to another user of this computer.",
			Hint: "Run the command as that user, or use the system's agent."}
	}
	who, session := s.backend.Owner()
	if !session || peer.Same(who) || a == reader && root(peer) {
		return nil
	}
	return &localapi.Refused{Code: localapi.CodeNotOwner, Message: "Another user of this computer is signed in.",
		Hint: "That user has to sign out first."}
}

func root(p ipc.Peer) bool {
	return p.Known && (p.SID == "" && p.UID == 0 || p.SID == localSystem)
}

// user is what tells users apart; unlike a Peer it names no process.
type user struct {
	known bool
	uid   uint32
	sid   string
}

func userOf(p ipc.Peer) user {
	if !p.Known {
		return user{}
	}
	return user{true, p.UID, p.SID}
}

// begun remembers which user began which sign-in, one for each user.
type begun struct {
	mu sync.Mutex
	id map[user]string
}

func (b *begun) add(p ipc.Peer, id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.id == nil {
		b.id = map[user]string{}
	}
	b.id[userOf(p)] = id
}

// take says whether p began the sign-in, and forgets it if so: it can be
// finished or cancelled once.
func (b *begun) take(p ipc.Peer, id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	is, ok := b.id[userOf(p)]
	if !ok || id == "" || !jws.Equal(is, id) {
		return false
	}
	delete(b.id, userOf(p))
	return true
}
