package programs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/testfixtures/lab"
)

// A pause holds though the agent is killed and started again: nothing opens
// before it ends, it says the same end, and a word brings all back for good.
func TestPauseHoldsWhenTheAgentIsKilled(t *testing.T) {
	r := signedIn(t)
	r.postern("pause", "--for", "4h", "--reason", "a talk in room 7")
	before := r.status().Pause
	if before == nil {
		t.Fatal("there is no pause")
	}
	r.notePrivate()
	for range 2 {
		opened := r.opened()
		r.must(r.agent.Kill())
		r.must(r.agent.Start(t.Context()))
		r.stillPaused(before, opened)
		// The broker hears of it again, and only of that.
		r.until("an attestation of the new agent", func() (bool, error) { return r.sentPause("a talk in room 7") })
		r.stillPaused(before, opened)
	}
	r.postern("resume")
	if _, err := os.Stat(r.note()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after resume, the note: %v", err)
	}
	r.fetch("wiki")
	r.must(r.agent.Kill())
	r.must(r.agent.Start(t.Context()))
	r.fetch("wiki")
	if s := r.status(); s.Pause != nil {
		t.Errorf("the pause came back: %+v", s.Pause)
	}
}

// A note that was damaged closes everything, says so, and locks nobody out.
func TestDamagedNoteOfAPause(t *testing.T) {
	r := signedIn(t)
	r.postern("pause", "--for", "4h", "--reason", "lunch")
	r.must(r.agent.Kill())
	r.must(os.WriteFile(r.note(), []byte(`{"version":1,"own`), 0o600))
	opened := r.opened()
	r.must(r.agent.Start(t.Context()))
	s := r.status()
	if s.State != localapi.StatePaused || s.Pause == nil || s.Pause.Until.Sub(s.Pause.Since) > time.Hour+time.Second || !strings.Contains(s.Message, "postern resume") {
		t.Fatalf("status %s %q, pause %+v", s.State, s.Message, s.Pause)
	}
	r.stillPaused(s.Pause, opened)
	r.postern("resume")
	r.fetch("wiki")
}

// Signing out ends a pause, on disk too.
func TestSigningOutEndsAPause(t *testing.T) {
	r := signedIn(t)
	r.postern("pause", "--for", "4h", "--reason", "lunch")
	r.postern("logout")
	if _, err := os.Stat(r.note()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after logout, the note: %v", err)
	}
	r.must(r.agent.Kill())
	r.must(r.agent.Start(t.Context()))
	_, err := r.agent.Login(t.Context())
	r.must(err)
	r.fetch("wiki")
}

// postern runs the command line, as the person would, and wants it to work.
func (r *rig) postern(args ...string) {
	r.t.Helper()
	res, err := r.agent.Postern(r.t.Context(), args...)
	r.must(err)
	if res.Code != 0 && res.Code != 3 && res.Code != 4 {
		r.t.Fatalf("postern %v: exit %d: %s%s", args, res.Code, res.Out, res.ErrOut)
	}
}

// note is where the agent keeps a pause.
func (r *rig) note() string { return filepath.Join(r.agent.State, "pause.json") }

// notePrivate wants the note to be the owner's alone.
func (r *rig) notePrivate() {
	r.t.Helper()
	info, err := os.Lstat(r.note())
	r.must(err)
	if info.Mode() != 0o600 {
		r.t.Errorf("the note has mode %v", info.Mode())
	}
}

// stillPaused wants the same pause in force, and nothing opened since.
func (r *rig) stillPaused(want *localapi.Pause, opened int) {
	r.t.Helper()
	s := r.status()
	if s.State != localapi.StatePaused || s.Pause == nil {
		r.t.Fatalf("status %s, pause %+v", s.State, s.Pause)
	}
	if d := s.Pause.Until.Sub(want.Until).Abs(); d > time.Second || s.Pause.Reason != want.Reason {
		r.t.Errorf("paused until %s for %q; it was until %s for %q", s.Pause.Until, s.Pause.Reason, want.Until, want.Reason)
	}
	for _, a := range s.Apps {
		if a.LeaseRemainingMS != 0 {
			r.t.Errorf("%s has a lease in a pause", a.ID)
		}
		if a.LocalAddress == "" {
			continue
		}
		if err := lab.Refused(r.t.Context(), "tcp", a.LocalAddress); err != nil {
			r.t.Errorf("%s in a pause: %v", a.ID, err)
		}
	}
	if now := r.opened(); now != opened {
		r.t.Errorf("in a pause the broker opened %d tunnels", now-opened)
	}
}

// sentPause looks at what left this machine last.
func (r *rig) sentPause(reason string) (bool, error) {
	local := localapi.Dial(r.agent.Socket())
	defer local.Close()
	sent, err := local.Sent(r.t.Context())
	if err != nil || sent.Outcome != localapi.SentAccepted {
		return false, errors.Join(err, fmt.Errorf("outcome %q", sent.Outcome))
	}
	var claims struct {
		Pause  string            `json:"postern_pause"`
		Wanted []json.RawMessage `json:"postern_wanted"`
	}
	if err := json.Unmarshal(sent.Claims, &claims); err != nil || claims.Pause != reason || len(claims.Wanted) != 0 {
		r.t.Fatalf("sent was %s, %v", sent.Claims, err)
	}
	return true, nil
}

// opened counts the tunnels that the broker's audit log knows to have been opened.
func (r *rig) opened() int {
	r.t.Helper()
	data, err := os.ReadFile(r.File("dev/broker/audit.jsonl"))
	r.must(err)
	n := 0
	for line := range strings.Lines(string(data)) {
		var e struct {
			Activity string `json:"activity_name"`
		}
		if json.Unmarshal([]byte(line), &e) == nil && e.Activity == "Open" {
			n++
		}
	}
	if n == 0 {
		r.t.Fatal("the audit log knows of no tunnel that was opened")
	}
	return n
}
