package server

import (
	"encoding/json"
	"net/http"
	"sync"

	"github.com/postern-zt/postern/broker/api"
)

// listeners are the agents' event streams, by session.
type listeners struct {
	mu   sync.Mutex
	seq  int64
	open map[string]map[*feed]struct{}
}

func newListeners() *listeners { return &listeners{open: map[string]map[*feed]struct{}{}} }

// maxStreams of one session; a further one replaces an older.
const maxStreams = 4

func (l *listeners) add(session string) *feed {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := &feed{ch: make(chan message, 64), gone: make(chan struct{})}
	set := l.open[session]
	if set == nil {
		set = map[*feed]struct{}{}
		l.open[session] = set
	}
	for old := range set {
		if len(set) < maxStreams {
			break
		}
		close(old.gone)
		delete(set, old)
	}
	set[n] = struct{}{}
	return n
}

func (l *listeners) remove(session string, n *feed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open[session], n)
	if len(l.open[session]) == 0 {
		delete(l.open, session)
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

func (l *listeners) send(session, name string, e api.Event) {
	l.seq++
	data, err := json.Marshal(e)
	if err != nil {
		return
	}
	for n := range l.open[session] {
		select {
		case n.ch <- message{l.seq, name, data}:
		default:
			close(n.gone)
			delete(l.open[session], n)
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
	n := s.people.add(c.session.ID)
	defer s.people.remove(c.session.ID, n)
	s.stream(w, r, n.ch, n.gone, func() bool {
		_, err := s.issuer.LiveSession(r.Context(), c.session.ID)
		return err == nil
	})
}
