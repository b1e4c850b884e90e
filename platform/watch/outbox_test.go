package watch

import (
	"fmt"
	"testing"

	"github.com/postern-zt/postern/platform/clock"
)

func TestPendingJoinsByKindAndCause(t *testing.T) {
	var p pending
	for i := range 10 * queued {
		p.add(Event{Kind: "a", Cause: CauseExit, PID: i})
		p.add(Event{Kind: "a", Cause: CauseExec, PID: i})
		p.add(Event{Kind: "b", Cause: CauseLost, PID: i})
		p.add(Event{Kind: "b", Cause: CauseFile, Path: fmt.Sprint(i)})
		p.add(Event{Kind: "b", Cause: CauseMount})
		p.add(Event{Kind: "b", Cause: CauseFirewall})
	}
	if len(p.order) > queued+6 {
		t.Errorf("%d events are kept, want no more than %d", len(p.order), queued+6)
	}
	got := map[string]int{}
	first := map[string]Event{}
	for e, ok := p.next(); ok; e, ok = p.next() {
		key := e.Kind + " " + e.Cause
		if got[key]++; got[key] == 1 {
			first[key] = e
		}
	}
	for _, key := range []string{"b lost", "b file", "b mount", "b firewall"} {
		if got[key] != 1 {
			t.Errorf("%d events %q, want one", got[key], key)
		}
	}
	if got["a exit"] < 20 || got["a exec"] < 20 || len(got) != 6 {
		t.Errorf("kept %v; ends and starts are kept apart while there is room", got)
	}
	if first["b lost"].PID != 0 || first["b file"].Path != "0" {
		t.Errorf("%v, want the first of each", first)
	}
	if p.order != nil {
		t.Error("an empty queue holds on to what it handed over")
	}
}

// TestOutboxNeverWaits puts in more than anyone takes out.
func TestOutboxNeverWaits(t *testing.T) {
	o := newOutbox(clock.System())
	for i := range 1000 {
		o.put("a", CauseExit, "", i)
		o.put("a", CauseFile, fmt.Sprint(i), 0)
	}
	ends, files := 0, 0
	for e := range o.events {
		switch e.Cause {
		case CauseExit:
			ends++
		case CauseFile:
			files++
		}
		if ends > 0 && files > 0 {
			break
		}
	}
	o.end()
	if _, ok := <-o.events; ok {
		t.Error("an event came after the end")
	}
	if files > 2 {
		t.Errorf("%d file events, want one or two", files)
	}
}
