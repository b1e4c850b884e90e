package machine

import (
	"context"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"github.com/postern-zt/postern/posture/evidence"
)

// firstPerson is the lowest user id of a person; those below belong to the
// system, such as _mbsetupuser (248), as whom a new machine is set up.
const firstPerson = 500

// Sessions tells who is at the screen: the owner of /dev/console, which is root
// while nobody is logged in (console(4)). People who are logged in behind that
// (fast user switching) or from afar are not listed.
func (m *live) Sessions(ctx context.Context) ([]evidence.Session, error) {
	const op = "list sessions"
	if err := ctx.Err(); err != nil {
		return nil, evidence.Wrap(op, err)
	}
	uid, err := consolePerson()
	if err != nil || uid == 0 {
		return nil, wrap(op, err)
	}
	s := evidence.Session{ID: strconv.Itoa(uid), Active: true}
	// The directory may be on the network.
	return await(ctx, &m.native, op, func() ([]evidence.Session, error) {
		if u, err := user.LookupId(s.ID); err == nil {
			s.User, s.Home = u.Username, u.HomeDir
		}
		return []evidence.Session{s}, nil
	})
}

// consolePerson is the user id of the person at the screen, 0 for nobody.
func consolePerson() (int, error) {
	info, err := os.Stat("/dev/console")
	if err != nil {
		return 0, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid < firstPerson {
		return 0, nil
	}
	return int(st.Uid), nil
}
