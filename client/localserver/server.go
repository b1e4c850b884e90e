// Package localserver answers on the agent's local socket, and decides who may do what there.
//
// The transport says which user calls, and of what class (platform/ipc); each
// route says who may. With a user's own agent that is its user alone, whatever
// class he is of: root may run one. With the system's agent:
//
//	                        owner   nobody       another  admini-  service  unknown
//	                                signed in*   person   strator
//	version                 yes     yes          yes      yes      yes      yes
//	status, posture, config yes     yes          -        yes      -        -
//	timeline                yes     yes (why the last session ended, no more)
//	                                             -        yes      -        -
//	sent                    yes     -            -        -        -        -
//	sign in, check          yes     yes          -        -        -        -
//	sign out (stop)         yes     (no effect)  -        yes      -        -
//	pause, resume           yes     -            -        -        -        -
//	finish, cancel          who began that sign-in, and may sign in
//
// (*) any person and any administrator, while nobody is signed in. An
// administrator who signed in is the owner. An administrator's stop is logged
// with who did it. Services are refused with localapi.CodeService. People are
// told apart by user, not by session: the owner is the owner at the machine, by
// remote desktop and over SSH; whoever else is signed in to the computer at the
// same time is another person.
//
// No descriptor or mode of the socket is relied on for any of this. Nothing that
// arrives here can set a signal, an application or a setting.
package localserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/ipc"
)

// Backend is the agent, as far as the local socket may use it. Its methods are
// called from several goroutines. An error that is a *localapi.Refused reaches
// the caller in its own words; of any other the caller learns only that there
// was one.
//
// The server has asked Owner before it calls, but a session may begin in
// between: StartSignIn, FinishSignIn, CancelSignIn, Check, Pause and Resume must
// refuse, where the agent's state is written, a peer that is not the session's
// owner; SignOut one that is neither the owner nor an administrator.
type Backend interface {
	// Status is a snapshot.
	Status() localapi.Status
	// WaitChange returns the status as soon as its revision is another than
	// after, or when ctx ends.
	WaitChange(ctx context.Context, after int64) localapi.Status
	// Posture is what the agent last read of this machine.
	Posture(ctx context.Context) (localapi.Reading, error)
	// StartSignIn begins a sign-in that comes back to in.RedirectURI. A new one of
	// the same user takes the place of the one before.
	StartSignIn(ctx context.Context, peer ipc.Peer, in localapi.SignInRequest) (localapi.SignIn, error)
	// FinishSignIn ends a sign-in and returns when the session has begun.
	FinishSignIn(ctx context.Context, peer ipc.Peer, f localapi.Finish) error
	// CancelSignIn gives a sign-in up.
	CancelSignIn(ctx context.Context, peer ipc.Peer, id string) error
	// SignOut ends the session; without one it does nothing.
	SignOut(ctx context.Context, peer ipc.Peer) error
	// Owner is the user who began the session, false when there is none.
	Owner() (ipc.Peer, bool)
	// Check reads the machine again and, in a session, attests what was read.
	// It returns when both are done or cannot be.
	Check(ctx context.Context, peer ipc.Peer) (localapi.Checked, error)
	// Pause closes every application of the session for the time; p is valid.
	Pause(ctx context.Context, peer ipc.Peer, p localapi.PauseRequest) error
	// Resume ends a pause; without one it does nothing.
	Resume(ctx context.Context, peer ipc.Peer) error
	// Timeline is what happened in this session.
	Timeline() localapi.Timeline
	// Sent is what last left this machine in this session.
	Sent() localapi.Sent
	// Config is the effective settings, without secrets.
	Config() localapi.Config
}

// Options of a Server.
type Options struct {
	// Owner is the user of a user's own agent; nobody else may use it. The zero
	// Peer is nobody, so that then all are refused.
	Owner ipc.Peer
	// Scope is "system" for the machine's agent. Every other value means a
	// user's own agent, which is the stricter one.
	Scope string
	// Version of the agent.
	Version string
	// Log takes what callers are not told; nil for none.
	Log *slog.Logger
}

// scopeSystem is the scope in which sessions belong to whoever began them.
const scopeSystem = "system"

// Server is the http.Handler of the local socket.
type Server struct {
	backend Backend
	opts    Options
	log     *slog.Logger
	begun   begun
	slow    time.Duration // how long a caller may take to send a request
	takes   time.Duration // how long a caller may take to read an answer
	budget  int           // of connections
	routes  map[string]route
}

// route is one path: its method, whether it needs the caller to be somebody,
// and what it does.
type route struct {
	method string
	access access
	do     func(*http.Request, ipc.Peer) (any, error)
}

// New makes the server of backend.
func New(backend Backend, o Options) *Server {
	s := &Server{backend: backend, opts: o, log: o.Log, slow: bodyTimeout, takes: takeTimeout, budget: connBudget(descriptors())}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.routes = map[string]route{
		localapi.PathVersion:      {http.MethodGet, anyone, s.version},
		localapi.PathStatus:       {http.MethodGet, reader, s.status},
		localapi.PathPosture:      {http.MethodGet, reader, s.posture},
		localapi.PathSignIn:       {http.MethodPost, owner, s.signIn},
		localapi.PathSignInFinish: {http.MethodPost, owner, s.finish},
		localapi.PathSignInCancel: {http.MethodPost, owner, s.cancel},
		localapi.PathSignOut:      {http.MethodPost, stopper, s.signOut},
		localapi.PathCheck:        {http.MethodPost, owner, s.check},
		localapi.PathPause:        {http.MethodPost, holder, s.pause},
		localapi.PathResume:       {http.MethodPost, holder, s.resume},
		localapi.PathTimeline:     {http.MethodGet, reader, s.timeline},
		localapi.PathSent:         {http.MethodGet, holder, s.sent},
		localapi.PathConfig:       {http.MethodGet, reader, s.config},
	}
	return s
}

// ServeHTTP answers one request; the caller's user is in the request's context
// (ipc.ConnContext).
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, localapi.MaxRequest)
	body, err := s.answer(w, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.write(w, http.StatusOK, body)
}

// answer finds the route and asks who may before anything of the body is read.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) (any, error) {
	rt, known := s.routes[r.URL.Path]
	switch {
	case r.Header.Get("Origin") != "":
		return nil, &localapi.Refused{Code: localapi.CodeFromPage, Message: "Web pages may not speak to the agent."}
	case !known:
		return nil, &localapi.Refused{Code: localapi.CodeNotFound, Message: "The agent has no such path.",
			Hint: "Is the agent of the same version? Ask it with: postern version"}
	case r.Method != rt.method:
		w.Header().Set("Allow", rt.method)
		return nil, &localapi.Refused{Code: localapi.CodeBadMethod, Message: "The agent takes " + rt.method + " here."}
	case r.Method == http.MethodGet && r.ContentLength != 0:
		return nil, badRequest("A question has no body.")
	}
	peer := ipc.PeerFrom(r.Context())
	if err := s.may(peer, rt.access); err != nil {
		return nil, err
	}
	return rt.do(r, peer)
}

// Timeouts of connections.
const (
	headerTimeout = 5 * time.Second
	bodyTimeout   = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	answerTimeout = 5 * time.Minute // above every wait and every sign-in
	takeTimeout   = 20 * time.Second
	stopTimeout   = 2 * time.Second
)

// Serve answers on l until ctx ends, then ends the calls under way, closes l
// and returns nil. Another error means that l broke.
func (s *Server) Serve(ctx context.Context, l *ipc.Listener) error {
	srv := &http.Server{
		Handler:           s,
		ConnContext:       connContext,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: headerTimeout,
		// Ends with the body's last byte: waits and sign-ins may take longer.
		ReadTimeout:    s.slow,
		IdleTimeout:    idleTimeout,
		WriteTimeout:   answerTimeout,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan struct{})
	unhook := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			srv.Close()
		}
	})
	err := srv.Serve(newLimited(l.NetListener(), s.budget, s.owns))
	if !unhook() {
		<-stopped
		err = nil
	}
	if cerr := l.Close(); err == nil && cerr != nil && !errors.Is(cerr, net.ErrClosed) {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("serve local socket: %w", err)
	}
	return nil
}
