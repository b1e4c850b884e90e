package machine

import (
	"context"
	"errors"
	"io/fs"
	"os/user"
	"slices"
	"strings"

	"github.com/shirou/gopsutil/v3/host"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// sessionDir is where systemd-logind (and elogind) keep one file for each
// session: lines of NAME=value (systemd, src/login, "This is private data" —
// read tolerantly; sd-login(3) reads the same files).
const sessionDir = "/run/systemd/sessions"

// Sessions lists the people of logind's sessions of class user. Where there is
// no logind, utmp(5) tells who logged in at which terminal; a graphical session
// may be missing there.
func (m *live) Sessions(ctx context.Context) ([]evidence.Session, error) {
	names, err := m.ReadDir(ctx, sessionDir)
	if evidence.ReasonOf(err) == fact.ReasonNotFound && err != nil {
		return loggedIn(ctx)
	}
	if err != nil {
		return nil, err
	}
	var out []evidence.Session
	for _, name := range names {
		if strings.HasSuffix(name, ".ref") { // a pipe that keeps the session alive
			continue
		}
		data, err := m.ReadFile(ctx, sessionDir+"/"+name)
		if err != nil {
			continue // it has ended meanwhile
		}
		s, ok := parseSession(string(data))
		if !ok {
			continue
		}
		if u, err := user.LookupId(s.ID); err == nil {
			s.Home = u.HomeDir
		}
		out = join(out, s)
	}
	return out, nil
}

// loggedIn reads utmp.
func loggedIn(ctx context.Context) ([]evidence.Session, error) {
	users, err := host.UsersWithContext(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &evidence.Error{Reason: fact.ReasonToolMissing, Op: "list sessions", Err: err}
	}
	if err != nil {
		return nil, evidence.Wrap("list sessions", err)
	}
	var out []evidence.Session
	for _, u := range users {
		account, err := user.Lookup(u.User)
		if err != nil {
			continue // it is no account of this machine
		}
		remote := u.Host != "" && !strings.HasPrefix(u.Host, ":")
		out = join(out, evidence.Session{User: u.User, ID: account.Uid, Home: account.HomeDir, Active: !remote, Remote: remote})
	}
	return out, nil
}

// join keeps one entry for each person.
func join(list []evidence.Session, s evidence.Session) []evidence.Session {
	i := slices.IndexFunc(list, func(old evidence.Session) bool { return old.ID == s.ID })
	if i < 0 {
		return append(list, s)
	}
	if s.Active && !list[i].Active || !s.Remote && list[i].Remote {
		list[i].Active = list[i].Active || s.Active
		list[i].Remote = list[i].Remote && s.Remote
	}
	return list
}

// parseSession reads one file; greeters, background jobs and closing sessions
// are nobody. Active means at a seat: a remote session never is.
func parseSession(text string) (evidence.Session, bool) {
	v := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			v[name] = strings.Trim(value, `"`)
		}
	}
	s := evidence.Session{
		User: v["USER"], ID: v["UID"], Remote: v["REMOTE"] == "1",
		Active: v["ACTIVE"] == "1" && v["REMOTE"] != "1" && v["SEAT"] != "",
	}
	if v["CLASS"] != "" && !strings.HasPrefix(v["CLASS"], "user") || v["STATE"] == "closing" || v["UID"] == "" {
		return s, false
	}
	return s, true
}
