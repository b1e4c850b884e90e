package localserver

import (
	"sync"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/platform/jws"
)

// access is what a route asks of its caller: which of the callers below may use
// it. The zero value lets nobody.
type access uint8

// Who may be let in. What the kernel says of the caller decides which one he is
// (ipc.Peer): never a name, a header or the rights of the socket's file, which
// not every system enforces.
const (
	bySession access = 1 << iota // the user whose session it is; of a user's own agent, its user
	whileNone                    // every person and administrator while nobody is signed in
	byAdmin                      // every administrator, whosever session it is
	byAnyone                     // also who is unknown, and services
)

// The accesses of routes.
const (
	anyone = byAnyone
	// reader and stopper: an administrator diagnoses, and ends what should not be.
	reader  = bySession | whileNone | byAdmin
	stopper = bySession | whileNone | byAdmin
	// owner is for what begins a session or does not touch one.
	owner = bySession | whileNone
	// holder acts in a session or reads what is its owner's alone.
	holder = bySession
)

// may is nil if the peer may use a route of that access now.
func (s *Server) may(peer ipc.Peer, a access) error {
	if a&byAnyone != 0 {
		return nil
	}
	if !peer.Known {
		return unknownCaller()
	}
	if s.opts.Scope != scopeSystem {
		if a&bySession != 0 && peer.Same(s.opts.Owner) {
			return nil
		}
		return notOwner("This agent belongs to another user of this computer.", "Run the command as that user, or use the system's agent.")
	}
	switch peer.Class {
	case ipc.ClassPerson, ipc.ClassAdministrator:
	case ipc.ClassService:
		return &localapi.Refused{Code: localapi.CodeService, Message: "This account belongs to a service, and the agent answers people only.",
			Hint: "Sign in as a person. For a service, run an agent of its own with: posternd --user"}
	default:
		return unknownCaller()
	}
	who, session := s.backend.Owner()
	mine := session && peer.Same(who)
	switch {
	case a&bySession != 0 && mine,
		a&whileNone != 0 && !session,
		a&byAdmin != 0 && peer.Class == ipc.ClassAdministrator:
		return nil
	case !session:
		return &localapi.Refused{Code: localapi.CodeSignedOut, Message: "Nobody is signed in.", Hint: "Sign in with: postern login"}
	case peer.Class == ipc.ClassAdministrator:
		return notOwner("Another user of this computer is signed in. An administrator may read and sign them out, but not act for them.",
			"Sign them out with: postern logout")
	}
	return notOwner("Another user of this computer is signed in.", "That user has to sign out first.")
}

func unknownCaller() error {
	return &localapi.Refused{Code: localapi.CodeNoIdentity, Message: "The system does not say which user is calling, so the agent does not answer."}
}

func notOwner(message, hint string) error {
	return &localapi.Refused{Code: localapi.CodeNotOwner, Message: message, Hint: hint}
}

// owns reports whether the session is the peer's; a user's own agent is that
// user's at all times.
func (s *Server) owns(peer ipc.Peer) bool {
	if s.opts.Scope != scopeSystem {
		return peer.Same(s.opts.Owner)
	}
	who, session := s.backend.Owner()
	return session && peer.Same(who)
}

// foreign is the owner of the session if the peer is somebody else.
func (s *Server) foreign(peer ipc.Peer) (ipc.Peer, bool) {
	who, session := s.backend.Owner()
	return who, session && !peer.Same(who)
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
