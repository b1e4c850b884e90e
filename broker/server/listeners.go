package server

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"

	"github.com/postern-zt/postern/broker/api"
)

// listeners are the agents' event streams, by session.
type listeners struct {
	mu   sync.Mutex
	seq  int64
	open map[string]*audience
}

// audience is the streams of one session.
type audience struct {
	device string
	feeds  []*feed // oldest first
}

func newListeners() *listeners { return &listeners{open: map[string]*audience{}} }

// maxStreams of one session; a further one replaces the oldest.
const maxStreams = 4

func (l *listeners) add(session, device string) *feed {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.open[session]
	if a == nil {
		a = &audience{device: device}
		l.open[session] = a
	}
	if len(a.feeds) >= maxStreams {
		l.drop(session, a.feeds[0])
	}
	n := &feed{ch: make(chan message, 64), gone: make(chan struct{})}
	a.feeds = append(a.feeds, n)
	return n
}

// remove forgets a stream that ended by itself.
func (l *listeners) remove(session string, n *feed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(session, n)
	if a := l.open[session]; a != nil && len(a.feeds) == 0 {
		delete(l.open, session)
	}
}

// drop ends a stream, once. The caller holds mu.
func (l *listeners) drop(session string, n *feed) {
	a := l.open[session]
	if a == nil {
		return
	}
	if at := slices.Index(a.feeds, n); at >= 0 {
		close(n.gone)
		a.feeds = slices.Delete(a.feeds, at, at+1)
	}
}

// tell sends an event to the session's agents. One that does not read loses
// its stream and, with it, nothing but latency.
func (l *listeners) tell(session, name string, e api.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.send(session, name, e)
}

func (l *listeners) tellAll(name string, e api.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for session := range l.open {
		l.send(session, name, e)
	}
}

// end tells a session's agents that it is over and ends their streams.
func (l *listeners) end(session, code string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endLocked(session, code)
}

// endDevice ends the streams of all sessions of a device; without a code their
// agents are not told why.
func (l *listeners) endDevice(device, code string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for session, a := range l.open {
		if a.device == device {
			l.endLocked(session, code)
		}
	}
}

func (l *listeners) endLocked(session, code string) {
	if code != "" {
		l.send(session, api.EventSignedOut, api.Event{Code: code})
	}
	if a := l.open[session]; a != nil {
		for len(a.feeds) > 0 {
			l.drop(session, a.feeds[0])
		}
		delete(l.open, session)
	}
}

func (l *listeners) send(session, name string, e api.Event) {
	a := l.open[session]
	if a == nil {
		return
	}
	l.seq++
	data, err := json.Marshal(e)
	if err != nil {
		return
	}
	for _, n := range slices.Clone(a.feeds) {
		select {
		case n.ch <- message{l.seq, name, data}:
		default:
			l.drop(session, n)
		}
	}
}

// events is the agent's stream. It ends with its session.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	c, err := s.authorize(r, api.ScopeAttest)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	n := s.people.add(c.session.ID, c.session.DeviceID)
	defer s.people.remove(c.session.ID, n)
	alive := func() bool {
		_, err := s.issuer.LiveSession(r.Context(), c.session.ID)
		return err == nil
	}
	if !alive() { // it ended between the check of the token and now
		s.problem(w, r, errSignedOut)
		return
	}
	s.stream(w, r, n.ch, n.gone, alive)
}
