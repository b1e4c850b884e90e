//go:build linux || darwin

package localserver

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/ipc"
)

var kim, lee = person(1000), person(1001)

// switching is a backend under whose answers sessions change hands.
type switching struct {
	*memory
	then []func() // each runs once, right after a status was taken
}

func (w *switching) taken(st localapi.Status) localapi.Status {
	if len(w.then) > 0 {
		now := w.then[0]
		w.then = w.then[1:]
		now()
	}
	return st
}

func (w *switching) Status() localapi.Status { return w.taken(w.memory.Status()) }

func (w *switching) WaitChange(context.Context, int64) localapi.Status {
	return w.taken(w.memory.Status())
}

func (w *switching) Check(ctx context.Context, p ipc.Peer) (localapi.Checked, error) {
	out, err := w.memory.Check(ctx, p)
	w.taken(out.Status)
	return out, err
}

// begin is kim's session, with kim's name in its status.
func (w *switching) begin(p ipc.Peer, name string) {
	w.session(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.status.User != nil {
		w.status.User = &localapi.User{Name: name}
	}
}

func TestStatusNeverReachesTheNextPerson(t *testing.T) {
	for name, ask := range map[string]func(*Server, ipc.Peer) (any, error){
		"status": func(s *Server, p ipc.Peer) (any, error) { return s.status(request(t, localapi.PathStatus), p) },
		"wait": func(s *Server, p ipc.Peer) (any, error) {
			return s.status(request(t, localapi.PathStatus+"?after=1&wait=1000"), p)
		},
		"check": func(s *Server, p ipc.Peer) (any, error) { return s.check(request(t, localapi.PathCheck), p) },
	} {
		t.Run(name, func(t *testing.T) {
			w := &switching{memory: newMemory()}
			s := New(w, Options{Scope: scopeSystem})
			// Kim's status is taken; before it is handed over, lee has signed in.
			w.begin(kim, "kim")
			w.then = []func(){func() { w.begin(lee, "lee") }}
			out, err := ask(s, lee)
			if err != nil || strings.Contains(nameIn(out), "kim") {
				t.Errorf("lee reads %q, %v", nameIn(out), err)
			}
			// And when nobody has.
			w.begin(kim, "kim")
			w.then = []func(){func() { w.begin(ipc.Peer{}, "") }}
			if out, err = ask(s, lee); err != nil || nameIn(out) != "" {
				t.Errorf("after the session lee reads %q, %v", nameIn(out), err)
			}
			// A session that never holds still is nobody's to read.
			var there, back func()
			there = func() { w.begin(kim, "kim"); w.then = append(w.then, back) }
			back = func() { w.begin(lee, "lee"); w.then = append(w.then, there) }
			w.begin(kim, "kim")
			w.then = []func(){back}
			var no *localapi.Refused
			if out, err = ask(s, lee); !errors.As(err, &no) {
				t.Errorf("while it changes hands lee reads %q, %v", nameIn(out), err)
			}
		})
	}
}

func request(t *testing.T, path string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func nameIn(out any) string {
	var st localapi.Status
	switch out := out.(type) {
	case localapi.Status:
		st = out
	case localapi.Checked:
		st = out.Status
	}
	if st.User == nil {
		return ""
	}
	return st.User.Name
}

// ended is a backend that still names the owner of a session that is over.
type ended struct{ *memory }

func (ended) Owner() (ipc.Peer, bool) { return kim, false }

func TestOwnerOfASessionThatIsOver(t *testing.T) {
	s := New(ended{newMemory()}, Options{Scope: scopeSystem})
	var no *localapi.Refused
	if err := s.may(kim, holder); !errors.As(err, &no) || no.Code != localapi.CodeSignedOut {
		t.Errorf("what a session's owner may: %v", err)
	}
	if s.owns(kim) {
		t.Error("a session that is over is still kim's")
	}
}

// What was read while the session changed hands is for who may read then.
func TestReadingNeverReachesTheNextPerson(t *testing.T) {
	w := &switching{memory: newMemory()}
	s := New(w, Options{Scope: scopeSystem})
	for verb, ask := range map[string]func() (any, error){
		"posture":  func() (any, error) { return s.posture(request(t, localapi.PathPosture), kim) },
		"timeline": func() (any, error) { return s.timeline(request(t, localapi.PathTimeline), kim) },
		"sent":     func() (any, error) { return s.sent(request(t, localapi.PathSent), kim) },
	} {
		w.session(lee) // since kim was let in
		var no *localapi.Refused
		if _, err := ask(); !errors.As(err, &no) || no.Code != localapi.CodeNotOwner {
			t.Errorf("%s: kim is answered %v", verb, err)
		}
	}
}
