package watch

import (
	"fmt"
	"testing"
)

func TestPendingJoinsByKindAndCause(t *testing.T) {
	var p pending
	for i := range 100 {
		p.add(Event{Kind: "a", Cause: CauseExit, PID: i})
		p.add(Event{Kind: "a", Cause: CauseExec, PID: i})
		p.add(Event{Kind: "b", Cause: CauseExit, PID: i})
	}
	if got := fmt.Sprint(len(p.order), p.order[0].PID); got != "3 0" {
		t.Errorf("kept %s, want 3 events, the first of each", got)
	}
	full := make(chan Event, 1)
	if p.flush(full) || len(p.order) != 2 {
		t.Errorf("a full channel took more than it holds; %d left", len(p.order))
	}
}
