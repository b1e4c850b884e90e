package machine

import (
	"context"
	"errors"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/postern-zt/postern/posture/evidence"
)

// What WTSQuerySessionInformation can be asked (WTS_INFO_CLASS).
const (
	wtsUserName       = 5
	wtsDomainName     = 7
	wtsClientProtocol = 16
)

// errNoSessions is what no Windows says: the services' own session is always
// there.
var errNoSessions = errors.New("not even the services' session was told")

// Sessions lists the sessions in which a person is logged in, at the screen or
// from afar. The SID comes from the session's own token, which only the system
// itself may ask for, or else from the account's name.
func (m *live) Sessions(ctx context.Context) ([]evidence.Session, error) {
	return await(ctx, &m.native, "list sessions", func() ([]evidence.Session, error) {
		if _, err := procedure("wtsapi32.dll", "WTSEnumerateSessionsW"); err != nil {
			return nil, err
		}
		var first *windows.WTS_SESSION_INFO
		var count uint32
		if err := windows.WTSEnumerateSessions(0, 0, 1, &first, &count); err != nil {
			return nil, err
		}
		if first == nil || count == 0 {
			return nil, errNoSessions
		}
		defer windows.WTSFreeMemory(uintptr(unsafe.Pointer(first)))
		var out []evidence.Session
		for _, s := range unsafe.Slice(first, int(count)) {
			if session, ok := readSession(s); ok {
				out = append(out, session)
			}
		}
		return out, nil
	})
}

// readSession is false for a session in which nobody is logged in: the
// services' own one, and those that wait for somebody.
func readSession(s windows.WTS_SESSION_INFO) (evidence.Session, bool) {
	user := sessionText(s.SessionID, wtsUserName)
	if user == "" {
		return evidence.Session{}, false
	}
	session := evidence.Session{User: user, Active: s.State == windows.WTSActive}
	if protocol, ok := sessionInfo(s.SessionID, wtsClientProtocol, readUint16); ok {
		session.Remote = protocol != 0
	}
	session.ID = sessionSID(s.SessionID, sessionText(s.SessionID, wtsDomainName), user)
	if session.ID != "" {
		session.Home = profileHome(session.ID)
	}
	return session, true
}

func sessionSID(id uint32, domain, user string) string {
	var token windows.Token
	if err := windows.WTSQueryUserToken(id, &token); err == nil {
		defer token.Close()
		return sidOf(token)
	}
	if domain != "" {
		user = domain + `\` + user
	}
	sid, _, _, err := windows.LookupSID("", user)
	if err != nil {
		return ""
	}
	return sid.String()
}

func sessionText(id, what uint32) string {
	s, _ := sessionInfo(id, what, func(p unsafe.Pointer, size uint32) string {
		if size < 2 {
			return ""
		}
		return windows.UTF16ToString(unsafe.Slice((*uint16)(p), int(size/2)))
	})
	return s
}

func readUint16(p unsafe.Pointer, size uint32) uint16 {
	if size < 2 {
		return 0
	}
	return *(*uint16)(p)
}

// sessionInfo asks one thing of a session; read makes a copy of the answer.
func sessionInfo[T any](id, what uint32, read func(p unsafe.Pointer, size uint32) T) (T, bool) {
	var nothing T
	ask, err := procedure("wtsapi32.dll", "WTSQuerySessionInformationW")
	if err != nil {
		return nothing, false
	}
	var p unsafe.Pointer
	var size uint32
	r, _, _ := ask.Call(0, uintptr(id), uintptr(what), uintptr(unsafe.Pointer(&p)), uintptr(unsafe.Pointer(&size)))
	if r == 0 || p == nil {
		return nothing, false
	}
	defer windows.WTSFreeMemory(uintptr(p))
	return read(p, size), true
}
