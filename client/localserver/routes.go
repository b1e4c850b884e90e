package localserver

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/buildinfo"
	"github.com/postern-zt/postern/platform/ipc"
)

func (s *Server) version(*http.Request, ipc.Peer) (any, error) {
	return localapi.Version{Product: buildinfo.Product, Version: s.opts.Version, Scope: s.opts.Scope, API: localapi.API}, nil
}

func (s *Server) status(r *http.Request, peer ipc.Peer) (any, error) {
	after, wait, err := waitOf(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	if wait > 0 {
		ctx, cancel := context.WithTimeout(r.Context(), wait)
		defer cancel()
		s.backend.WaitChange(ctx, after)
	}
	return s.current(peer)
}

// current gives the status to a peer that may read it. Between two questions to
// the backend another user's session may begin or end, so that it counts only if
// the session was the same before and after.
func (s *Server) current(peer ipc.Peer) (localapi.Status, error) {
	for range 3 {
		before, was := s.backend.Owner()
		st := s.backend.Status()
		if err := s.may(peer, reader); err != nil {
			return localapi.Status{}, err
		}
		after, is := s.backend.Owner()
		same := was == is && (!is || before.Same(after)) && (is || st.User == nil)
		if same || s.opts.Scope != scopeSystem {
			st.Foreign = is && st.User != nil && !peer.Same(after)
			return st.Filled(), nil
		}
	}
	return localapi.Status{}, &localapi.Refused{Code: localapi.CodeSignInBusy, Message: "A session is just beginning or ending.", Hint: "Try again."}
}

// waitOf reads the parameters of a long poll; the wait is 0 without one.
func waitOf(rawQuery string) (after int64, wait time.Duration, err error) {
	q, err := url.ParseQuery(rawQuery)
	if err != nil {
		return 0, 0, badRequest("The query cannot be read.")
	}
	if !q.Has(localapi.ParamAfter) {
		return 0, 0, nil
	}
	after, err = strconv.ParseInt(q.Get(localapi.ParamAfter), 10, 64)
	if err != nil {
		return 0, 0, badRequest(localapi.ParamAfter + " is not a revision.")
	}
	ms, err := strconv.ParseInt(q.Get(localapi.ParamWait), 10, 32)
	if err != nil || ms < 0 {
		return 0, 0, badRequest(localapi.ParamWait + " is not a number of milliseconds.")
	}
	return after, time.Duration(min(ms, localapi.MaxWaitMS)) * time.Millisecond, nil
}

func (s *Server) posture(r *http.Request, peer ipc.Peer) (any, error) {
	reading, err := s.backend.Posture(r.Context())
	if err != nil {
		return nil, err
	}
	return reading, s.may(peer, reader)
}

func (s *Server) signIn(r *http.Request, peer ipc.Peer) (any, error) {
	var in localapi.SignInRequest
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if !loopback(in.RedirectURI) {
		return nil, badRequest("A sign-in comes back to http://127.0.0.1:port or http://[::1]:port only.")
	}
	out, err := s.backend.StartSignIn(r.Context(), peer, in)
	if err != nil {
		return nil, err
	}
	s.begun.add(peer, out.ID)
	return out, nil
}

// loopback reports whether uri is of the form that RFC 8252 section 7.3 asks for.
func loopback(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "" {
		return false
	}
	at, err := netip.ParseAddrPort(u.Host)
	return err == nil && at.Port() != 0 && (at.Addr() == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || at.Addr() == netip.IPv6Loopback())
}

func (s *Server) finish(r *http.Request, peer ipc.Peer) (any, error) {
	var in localapi.Finish
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if (in.Code == "") == (in.Error == "") {
		return nil, badRequest("A sign-in ends with either a code or an error.")
	}
	if !s.begun.take(peer, in.ID) {
		return nil, unknownSignIn()
	}
	if err := s.backend.FinishSignIn(r.Context(), peer, in); err != nil {
		return nil, err
	}
	return s.current(peer)
}

func (s *Server) cancel(r *http.Request, peer ipc.Peer) (any, error) {
	var in localapi.Cancel
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if !s.begun.take(peer, in.ID) {
		return nil, unknownSignIn()
	}
	if err := s.backend.CancelSignIn(r.Context(), peer, in.ID); err != nil {
		return nil, err
	}
	return s.current(peer)
}

func unknownSignIn() error {
	return &localapi.Refused{Code: localapi.CodeSignInUnknown, Message: "No sign-in of yours with this id is under way.",
		Hint: "It may have expired. Begin again with: postern login"}
}

func (s *Server) signOut(r *http.Request, peer ipc.Peer) (any, error) {
	if err := noBody(r); err != nil {
		return nil, err
	}
	who, foreign := s.foreign(peer)
	if err := s.backend.SignOut(r.Context(), peer); err != nil {
		return nil, err
	}
	if foreign {
		s.log.Warn("an administrator ended another user's session", "by", peer.String(), "process", peer.PID, "owner", who.String())
	}
	return s.current(peer)
}
