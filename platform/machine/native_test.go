package machine

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

func TestAwaitDoesNotHangWithTheSystem(t *testing.T) {
	var n native
	release := make(chan struct{})
	hang := func() (int, error) { <-release; return 1, nil }
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := await(ctx, &n, "hang", hang); evidence.ReasonOf(err) != fact.ReasonTimeout {
		t.Errorf("a call that hangs: %v", err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := await(ended, &n, "late", hang); evidence.ReasonOf(err) != fact.ReasonTimeout {
		t.Errorf("a call after the end: %v", err)
	}
	// However often it is asked again, no more than so many threads hang.
	for range 3 * maxNative {
		await(ctx, &n, "hang", hang)
	}
	for n.running.Load() < maxNative { // those whose context had not ended
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		await(short, &n, "hang", hang)
		cancel()
	}
	_, err := await(t.Context(), &n, "one more", hang)
	if !errors.Is(err, errManyHang) || evidence.ReasonOf(err) != fact.ReasonTimeout {
		t.Errorf("one more than may hang: %v", err)
	}
	close(release)
	for n.running.Load() > 0 {
		<-time.After(time.Millisecond)
	}
	if v, err := await(t.Context(), &n, "again", hang); v != 1 || err != nil {
		t.Errorf("when they have returned: %d, %v", v, err)
	}
}

func TestLaterIsForWhoeverAsksNext(t *testing.T) {
	var n native
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now := func() time.Time { return at }
	release, calls := make(chan struct{}), 0
	slow := func() ([]byte, time.Duration, error) {
		calls++
		<-release
		if calls == 3 {
			return nil, time.Minute, code(5)
		}
		return []byte{byte(calls)}, time.Minute, nil
	}
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	for range 3 { // one call, however often it is asked for
		if _, err := n.later(short, now, "x", slow); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("while it runs: %v", err)
		}
	}
	close(release)
	if v, err := n.later(t.Context(), now, "x", slow); err != nil || v[0] != 1 {
		t.Errorf("when it is done: %v, %v", v, err)
	}
	for _, tt := range []struct {
		after time.Duration
		want  byte // 0: an error
	}{{0, 1}, {59 * time.Second, 1}, {2 * time.Second, 2}, {2 * time.Minute, 0}, {0, 4}, {-time.Hour, 5}} {
		at = at.Add(tt.after)
		v, err := n.later(t.Context(), now, "x", slow)
		if tt.want == 0 && err == nil || tt.want != 0 && (err != nil || v[0] != tt.want) {
			t.Errorf("after %v: %v, %v, want %d", tt.after, v, err, tt.want)
		}
	}
}

func TestFailKeepsTheCode(t *testing.T) {
	tests := []struct {
		err  error
		why  fact.Reason
		code string
	}{
		{code(0x8004100e), fact.ReasonNotFound, "0x8004100e"},
		{code(0x80041010), fact.ReasonNotFound, "0x80041010"},
		{code(0x80041003), fact.ReasonNeedsPrivilege, "0x80041003"},
		{code(0x80070005), fact.ReasonNeedsPrivilege, "0x80070005"},
		{code(5), fact.ReasonNeedsPrivilege, "0x5"},
		{code(0x80004001), fact.ReasonUnsupported, "0x80004001"},
		{code(0x800401f3), fact.ReasonUnsupported, "0x800401f3"},
		{code(0x7e), fact.ReasonUnsupported, "0x7e"},
		{code(0x7f), fact.ReasonUnsupported, "0x7f"},
		{code(0x80070422), fact.ReasonNotRunning, "0x80070422"},
		{code(0x800706ba), fact.ReasonBusy, "0x800706ba"},
		{code(0x80041069), fact.ReasonTimeout, "0x80041069"},
		{code(0x80041001), fact.ReasonUnreadable, "0x80041001"},
		{context.DeadlineExceeded, fact.ReasonTimeout, ""},
		{errors.New("other"), fact.ReasonUnreadable, ""},
		{&evidence.Error{Reason: fact.ReasonTruncated}, fact.ReasonTruncated, ""},
		{errors.Join(errors.New("first"), code(0x80004001)), fact.ReasonUnsupported, "0x80004001"},
	}
	for _, tt := range tests {
		err := fail("ask", tt.err)
		var known *evidence.Error
		if !errors.As(err, &known) || known.Reason != tt.why || known.Code != tt.code {
			t.Errorf("%v: %v, want %s %s", tt.err, err, tt.why, tt.code)
		}
	}
	if err := fail("ask", nil); err != nil {
		t.Errorf("no error became %v", err)
	}
}
