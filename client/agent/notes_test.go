package agent

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
)

// diskTwin is a PauseFile in memory that fails or hangs when told to.
type diskTwin struct {
	*journal
	mu     sync.Mutex
	note   []byte
	broken error
	hangs  chan struct{} // closed when it goes on
	writes int
}

func (d *diskTwin) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

func (d *diskTwin) held() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return string(d.note)
}

// wait is the disk taking its time.
func (d *diskTwin) wait() error {
	d.mu.Lock()
	hangs := d.hangs
	d.mu.Unlock()
	if hangs != nil {
		<-hangs
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.broken
}

func (d *diskTwin) Read() ([]byte, error) {
	d.add("disk read")
	err := d.wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil && d.note == nil {
		err = fs.ErrNotExist
	}
	return slices.Clone(d.note), err
}

func (d *diskTwin) Write(note []byte) error {
	d.add("disk write")
	err := d.wait()
	if err == nil {
		d.set(func() { d.note = slices.Clone(note); d.writes++ })
	}
	return err
}

func (d *diskTwin) Remove() error {
	err := d.wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil && d.note == nil {
		return fs.ErrNotExist
	}
	if err == nil {
		d.note = nil
		d.add("disk remove")
	}
	return err
}

func TestNoteThatCannotBeRead(t *testing.T) {
	for name, spoil := range map[string]func(*diskTwin){
		"garbage":      func(d *diskTwin) { d.note = []byte("\x00\x00\x00") },
		"cut":          func(d *diskTwin) { d.note = d.note[:len(d.note)/2] },
		"too long":     func(d *diskTwin) { d.note = slices.Repeat([]byte(" "), 2*state.MaxKeptPause) },
		"another form": func(d *diskTwin) { d.note = []byte(strings.Replace(string(d.note), `"version":1`, `"version":2`, 1)) },
		"a year": func(d *diskTwin) {
			d.note = []byte(strings.Replace(string(d.note), `"until":"2026`, `"until":"2027`, 1))
		},
		"the disk fails": func(d *diskTwin) { d.broken = errors.New("input/output error") },
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) { l.said = &strings.Builder{} }, func(l *lab) {
				l.signIn(ada, "ada")
				l.asks(4*time.Hour, "lunch")
				l.killed()
				l.disk.set(func() { spoil(l.disk) })
				l.begins()
				l.stillPaused(state.ReasonUnreadablePause, l.clock.Now().Add(state.UnreadablePause))
				if msg := l.Status().Message; msg == "" {
					t.Error("the status says nothing of it")
				}
				l.disk.set(func() { l.disk.broken = nil })
				if err := l.Resume(context.Background(), ada); err != nil {
					t.Fatal(err)
				}
				l.pass(2 * time.Second)
				l.open("payroll", "wiki")
				if st := l.Status(); st.Message != "" || l.disk.held() != "" {
					t.Errorf("after resume: %q, kept %q", st.Message, l.disk.held())
				}
				l.stop()
				if !strings.Contains(l.said.String(), "everything stays closed for a while") {
					t.Errorf("the log says %s", l.said)
				}
			})
		})
	}
}

// Nobody is locked out: without a word it ends by itself, and starting again
// does not begin it anew.
func TestUnreadableNoteEndsByItself(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(ada, "ada")
		l.asks(4*time.Hour, "lunch")
		l.killed()
		l.disk.set(func() { l.disk.note = []byte("{") })
		l.begins()
		end := l.clock.Now().Add(state.UnreadablePause)
		l.clock.Advance(40 * time.Minute)
		synctest.Wait()
		l.killed()
		l.begins()
		l.stillPaused(state.ReasonUnreadablePause, end)
		l.pass(20*time.Minute + 2*time.Second)
		l.open("payroll", "wiki")
	})
}

// The tunnels close whatever the disk does, and all else goes on.
func TestClosingDoesNotWaitForTheDisk(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(ada, "ada")
		goOn := make(chan struct{})
		l.disk.set(func() { l.disk.hangs = goOn })
		l.journal.take()
		answered := make(chan error, 1)
		go func() {
			answered <- l.Pause(context.Background(), ada, localapi.PauseRequest{Reason: "lunch", ForMS: 3_600_000})
		}()
		synctest.Wait()
		l.open()
		if lines := l.happens("uid:1000 open []", "attest []"); slices.Index(lines, "disk write") < slices.Index(lines, "uid:1000 open []") {
			t.Errorf("the disk was asked first: %v", lines)
		}
		select {
		case err := <-answered:
			t.Fatalf("answered before it was kept: %v", err)
		default:
		}
		// The pause is over while the disk still hangs; what gets worse then closes.
		resumed := make(chan error, 1)
		go func() { resumed <- l.Resume(context.Background(), ada) }()
		synctest.Wait()
		l.pass(2 * time.Second)
		l.open("payroll", "wiki")
		l.runs(false)
		l.tell("exit")
		l.open("payroll")
		close(goOn)
		synctest.Wait()
		if err := errors.Join(<-answered, <-resumed); err != nil {
			t.Error(err)
		}
		if note := l.disk.held(); note != "" {
			t.Errorf("the last word was resume; kept is %s", note)
		}
	})
}

func TestDiskThatFailsIsTold(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(ada, "ada")
		full := errors.New("write /var/lib/x/pause.json: no space left on device")
		l.disk.set(func() { l.disk.broken = full })
		err := l.Pause(context.Background(), ada, localapi.PauseRequest{Reason: "lunch", ForMS: 3_600_000})
		wantCode(t, err, localapi.CodeInternal)
		if strings.Contains(err.Error(), "/var") {
			t.Errorf("people read %q", err)
		}
		synctest.Wait()
		l.open()
		before := l.Status()
		if before.State != localapi.StatePaused || before.Message != notNoted {
			t.Errorf("status %s %q", before.State, before.Message)
		}
		// It is tried again while the pause goes on.
		l.disk.set(func() { l.disk.broken = nil })
		l.pass(noteAgain + time.Minute)
		if st := l.Status(); st.Message != "" || st.Revision == before.Revision || l.disk.held() == "" {
			t.Errorf("kept %q, the status says %q", l.disk.held(), st.Message)
		}
		l.disk.set(func() { l.disk.broken = full })
		wantCode(t, l.Resume(context.Background(), ada), localapi.CodeInternal)
		l.pass(2 * time.Second)
		l.open("payroll", "wiki") // the person has their access back
		if st := l.Status(); st.Message != notRemoved {
			t.Errorf("the status says %q", st.Message)
		}
		wantCode(t, l.Resume(context.Background(), ada), localapi.CodeInternal)
		l.disk.set(func() { l.disk.broken = nil })
		if err := l.Resume(context.Background(), ada); err != nil {
			t.Error(err)
		}
		if st := l.Status(); st.Message != "" || l.disk.held() != "" {
			t.Errorf("kept %q, the status says %q", l.disk.held(), st.Message)
		}
		l.open("payroll", "wiki")
		// Signing out is not refused because of a disk.
		l.asks(time.Hour, "lunch")
		l.disk.set(func() { l.disk.broken = full })
		if err := l.SignOut(context.Background(), ada); err != nil {
			t.Error(err)
		}
		l.disk.set(func() { l.disk.broken = nil })
		l.stop() // in order: it is tried once more
		if note := l.disk.held(); note != "" {
			t.Errorf("kept %s", note)
		}
	})
}

// Without a file a pause ends with the agent, and nothing else changes.
func TestPauseWithoutAFile(t *testing.T) {
	n := newNotes(nil, nil, nil)
	if _, there, err := n.read(); there || err != nil {
		t.Errorf("there %v, %v", there, err)
	}
	told := false
	n.want([]byte("x"), func(err error) { told = err == nil })
	if !told || n.trouble() != "" {
		t.Error("nobody was answered")
	}
}
