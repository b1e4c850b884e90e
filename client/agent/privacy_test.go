package agent

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
)

func last[T any](list []T) T { return list[len(list)-1] }

// An attestation that is being signed when the person signs out must not come
// back as what the next person sent.
func TestWhatIsSignedLateIsNobodysToRead(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(ada, "ada")
		late := last(l.broker.attested()).OnSend
		if err := l.SignOut(context.Background(), ada); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		late([]byte(`{"postern_pause":"at the doctor's"}`))
		if s := l.Sent(); !s.At.IsZero() || len(s.Claims) != 0 {
			t.Errorf("after the sign-out: sent %s", s.Claims)
		}
		l.signIn(bob, "bob")
		late([]byte(`{"postern_pause":"at the doctor's"}`))
		if s := l.Sent(); len(s.Claims) != 0 {
			t.Errorf("the next person reads %s", s.Claims)
		}
		last(l.broker.attested()).OnSend([]byte(`{"a":1}`))
		if s := l.Sent(); string(s.Claims) != `{"a":1}` {
			t.Errorf("their own is %q", s.Claims)
		}
	})
}

// One account of the computer, two people one after the other, and no sign-out
// between.
func TestAnotherPersonOfTheSameUserReadsNothing(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(ada, "ada")
		last(l.broker.attested()).OnSend([]byte(`{"eat_nonce":"n"}`))
		if err := l.Pause(context.Background(), ada, localapi.PauseRequest{Reason: "at the doctor's", ForMS: 60_000}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		l.signIn(ada, "ada") // again: it is their own
		if got := l.events(); !slices.Contains(got, localapi.EventPaused) {
			t.Errorf("the same person reads %v", got)
		}
		l.signIn(ada, "eve")
		for _, e := range l.Timeline().Events {
			if e.Event == localapi.EventPaused || strings.Contains(e.Code, "doctor") {
				t.Errorf("another person reads %+v", e)
			}
		}
		if got := l.events(); len(got) == 0 || got[0] != localapi.EventSignedIn {
			t.Errorf("their own begins with %v", got)
		}
		if s := l.Sent(); strings.Contains(string(s.Claims), "eat_nonce") {
			t.Errorf("another person reads %s", s.Claims)
		}
	})
}

// While nobody is signed in, anybody may sign out, which does nothing.
func TestSignOutOfNothingForgetsNothing(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(ada, "ada")
		if err := l.SignOut(context.Background(), ada); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := l.SignOut(context.Background(), bob); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		l.runs(false)
		l.tell("exit")
		if _, err := l.Check(context.Background(), bob); err != nil {
			t.Fatal(err)
		}
		if got := l.events(); !slices.Equal(got, []string{localapi.EventSignedOut}) {
			t.Errorf("after another user's sign-out of nothing the timeline is %v", got)
		}
	})
}

// Whatever is heard first after it tells the end of a session as what it is.
func TestSessionThatEndedInTheMeantime(t *testing.T) {
	was := state.State{Session: state.Session{SignedIn: true, Ends: time.Minute}}
	for _, e := range []state.Event{
		state.Tick{At: time.Minute}, state.NetworkWoke{At: time.Hour}, state.PostureChanged{At: time.Minute, Worse: []string{"disk.on"}}, state.SignedOut{At: time.Minute},
	} {
		is, _ := state.Next(was, e)
		got := happenings(was, is, e, day, 0)
		if n := len(got); n == 0 || got[n-1].Event != localapi.EventSignedOut || got[n-1].Code != state.CauseSessionEnded {
			t.Errorf("%T: %+v", e, got)
		}
	}
	e := state.SignedOut{At: time.Second, Cause: state.CauseByAdmin}
	is, _ := state.Next(was, e)
	if got := happenings(was, is, e, day, 0); got[0].Code != state.CauseByAdmin {
		t.Errorf("%+v", got)
	}
}

// However many applications come and go, a timeline fits into an answer.
func TestTimelineFitsIntoAnAnswer(t *testing.T) {
	var h history
	var apps []string
	for i := range 500 {
		apps = append(apps, strings.Repeat("a", 40)+string(rune('a'+i%26)))
	}
	for range 2 * localapi.MaxTimeline {
		h.add(localapi.Happening{Event: localapi.EventClosed, Apps: apps, Facts: apps})
	}
	h.add(localapi.Happening{Event: localapi.EventPaused})
	data, err := json.Marshal(localapi.Timeline{Events: h.events}.Filled())
	if err != nil || len(data) > localapi.MaxAnswer {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if n := len(h.events); n < 2 || h.events[n-1].Event != localapi.EventPaused {
		t.Errorf("%d events", n)
	}
	h.forget()
	h.add(localapi.Happening{Event: localapi.EventClosed, Apps: slices.Repeat(apps, 1000)})
	if len(h.events) != 1 {
		t.Error("the newest is not kept")
	}
}
