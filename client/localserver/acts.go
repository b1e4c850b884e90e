package localserver

import (
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/ipc"
)

func (s *Server) check(r *http.Request, peer ipc.Peer) (any, error) {
	if err := noBody(r); err != nil {
		return nil, err
	}
	out, err := s.backend.Check(r.Context(), peer)
	if err != nil {
		return nil, err
	}
	// While it was read, another user's session may have begun.
	if out.Status, err = s.current(peer); err != nil {
		return nil, err
	}
	return out.Filled(), nil
}

func (s *Server) pause(r *http.Request, peer ipc.Peer) (any, error) {
	var in localapi.PauseRequest
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	in.Reason = strings.TrimSpace(in.Reason)
	switch {
	case in.ForMS <= 0 || in.ForMS > localapi.MaxPauseMS:
		return nil, badRequest("A pause lasts more than nothing and at most 24 hours.")
	case in.Reason == "" || utf8.RuneCountInString(in.Reason) > localapi.MaxPauseReason:
		return nil, badRequest("A pause needs a reason of at most 200 characters.")
	case !utf8.ValidString(in.Reason) || strings.ContainsFunc(in.Reason, func(c rune) bool { return !unicode.IsPrint(c) }):
		return nil, badRequest("The reason has characters that cannot be shown.")
	}
	if err := s.backend.Pause(r.Context(), peer, in); err != nil {
		return nil, err
	}
	return s.current(peer)
}

func (s *Server) resume(r *http.Request, peer ipc.Peer) (any, error) {
	if err := noBody(r); err != nil {
		return nil, err
	}
	if err := s.backend.Resume(r.Context(), peer); err != nil {
		return nil, err
	}
	return s.current(peer)
}

func (s *Server) timeline(_ *http.Request, peer ipc.Peer) (any, error) {
	out := s.backend.Timeline()
	return out.Filled(), s.may(peer, reader)
}

func (s *Server) sent(_ *http.Request, peer ipc.Peer) (any, error) {
	out := s.backend.Sent()
	return out, s.may(peer, holder)
}

func (s *Server) config(*http.Request, ipc.Peer) (any, error) {
	return s.backend.Config().Filled(), nil
}
