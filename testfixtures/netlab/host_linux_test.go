package netlab

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/machine"
	"github.com/postern-zt/postern/platform/watch"
	"github.com/postern-zt/postern/posture/collect"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/firewall"
)

const (
	// patience is how long silence is listened to before it counts as a drop.
	// An answer on this wire takes well under a millisecond.
	patience = 150 * time.Millisecond
	// doubt is how long where silence is not what the collector told. Within it TCP
	// tries twice more, by when a limit of rate lets somebody through again.
	doubt = 3500 * time.Millisecond
	// bound is by when a change has to be told. What is measured is logged.
	bound = 2 * time.Second
)

// host is the machine under test, with what the agent has of it.
type host struct {
	t         *testing.T
	live      evidence.Machine
	collector *collect.Collector
	watcher   *watch.Watcher
	peer      *peer
	server    *server
	report    fact.Report
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{t: t, live: machine.New(machine.Config{}), peer: newPeer(t)}
	h.peer.wire(t)
	h.server = serve(t, unnamed)
	c := clock.System()
	var err error
	if h.watcher, err = watch.New(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.watcher.Close() })
	if err := h.watcher.SetFirewall(fact.SignalFirewall); err != nil {
		t.Fatal(err)
	}
	h.collector = collect.New(collect.Config{Machine: h.live, Clock: c, Version: "test"})
	h.reread()
	h.expect("no firewall", "false accept false accept")
	return h
}

// reread is what the agent does when it is told of a change.
func (h *host) reread() fact.Signal {
	h.t.Helper()
	h.report, _ = h.collector.Reread(h.t.Context(), fact.SignalFirewall)
	s, ok := h.report.Signal(fact.SignalFirewall)
	if !ok {
		h.t.Fatal("the report has no firewall")
	}
	if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
		h.t.Errorf("not valid: %v", err)
	}
	return s
}

// told waits until the watcher tells of a change of the firewall, and takes
// whatever else it has to tell of it.
func (h *host) told(within time.Duration) (time.Duration, bool) {
	began := time.Now()
	limit := time.NewTimer(within)
	defer limit.Stop()
	for {
		select {
		case e := <-h.watcher.Events():
			if e.Kind == fact.SignalFirewall && (e.Cause == watch.CauseFirewall || e.Cause == watch.CauseLost) {
				return time.Since(began), true
			}
		case <-limit.C:
			return within, false
		}
	}
}

// settled takes what is still to be told of earlier changes.
func (h *host) settled() {
	for {
		if _, more := h.told(40 * time.Millisecond); !more {
			return
		}
	}
}

// change does something to the rules, waits until that is told, and reads.
func (h *host) change(what string, f func()) fact.Signal {
	h.t.Helper()
	h.settled()
	f()
	if _, ok := h.told(bound); !ok {
		h.t.Errorf("%s: nobody told of it within %v", what, bound)
	}
	return h.reread()
}

// show writes one fact: its value, or its reason behind a question mark, or - .
func show(s fact.Signal, field, key string) string {
	f, ok := s.Find(key, field)
	if !ok {
		return "-"
	}
	state := s.StateOf(f)
	switch {
	case state == fact.Observed:
		return f.Value.String()
	case f.Reason != "":
		return "?" + string(f.Reason)
	case state == fact.Conflict:
		return "conflict"
	}
	return "?" + string(s.Reason)
}

// verdicts are enabled and default_inbound of IPv4, then of IPv6.
func verdicts(s fact.Signal) string {
	return strings.Join([]string{
		show(s, "enabled", "ipv4"), show(s, "default_inbound", "ipv4"),
		show(s, "enabled", "ipv6"), show(s, "default_inbound", "ipv6"),
	}, " ")
}

// last is the signal as it was read last.
func (h *host) last() fact.Signal {
	s, _ := h.report.Signal(fact.SignalFirewall)
	return s
}

// expect holds the facts that were read last against these, where any are
// given, and against what becomes of connections. ? stands for not known, for
// whatever reason.
func (h *host) expect(what, want string) {
	h.t.Helper()
	s := h.last()
	got := verdicts(s)
	if want != "" && !same(got, want) {
		h.t.Errorf("%s: the facts are %q, want %q (%s %s, from %s)", what, got, want, s.State, s.Reason, s.Source)
	}
	tries := h.attempts(patience)
	wrong := contradictions(s, tries)
	if len(wrong) > 0 { // an answer may have been late
		tries = h.attempts(doubt)
		wrong = contradictions(s, tries)
	}
	if len(wrong) > 0 {
		h.t.Errorf("%s: %s (facts %q, from %s)\n%v", what, strings.Join(wrong, "; "), got, s.Source, tries)
	}
}

func (h *host) attempts(patience time.Duration) []attempt {
	h.t.Helper()
	tries := h.peer.attempts(h.t, unnamed, patience)
	h.server.reached(h.t, tries)
	return tries
}

// same compares verdicts, in which ? stands for any reason.
func same(got, want string) bool {
	a, b := strings.Fields(got), strings.Fields(want)
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !(b[i] == "?" && strings.HasPrefix(a[i], "?")) {
			return false
		}
	}
	return true
}

// weakest is what became of the connections of one IP version, or of all: the
// default is as weak as the way in that lets most through.
func weakest(tries []attempt, version string) string {
	rank := map[string]int{fact.InboundDrop: 0, fact.InboundReject: 1, fact.InboundAccept: 2}
	out := fact.InboundDrop
	for _, a := range tries {
		if version != "" && a.version != version {
			continue
		}
		if _, known := rank[a.outcome]; !known {
			return a.outcome
		}
		if rank[a.outcome] > rank[out] {
			out = a.outcome
		}
	}
	return out
}

// contradictions says where facts that are known are not what happened.
func contradictions(s fact.Signal, tries []attempt) []string {
	var wrong []string
	for _, key := range []string{"ipv4", "ipv6", ""} {
		really := weakest(tries, key)
		if said := show(s, "enabled", key); said == "true" && really == fact.InboundAccept || said == "false" && really != fact.InboundAccept {
			wrong = append(wrong, fmt.Sprintf("enabled[%s] is %s, but really: %s", key, said, really))
		}
		if said := show(s, "default_inbound", key); said != "-" && said[0] != '?' && said != really {
			wrong = append(wrong, fmt.Sprintf("default_inbound[%s] is %s, but really: %s", key, said, really))
		}
		if said := show(s, "active", key); said == "false" && really != fact.InboundDrop {
			wrong = append(wrong, fmt.Sprintf("active[%s] is false, but really: %s", key, really))
		}
	}
	return wrong
}

// deaf is the live machine on which some sources are not there.
type deaf struct {
	evidence.Machine
	ask  bool // netlink answers
	json bool // nft knows JSON
}

func (d deaf) Ask(ctx context.Context, q evidence.Question, args ...string) ([]byte, error) {
	if q == evidence.AskNFTables && !d.ask {
		return nil, &evidence.Error{Reason: fact.ReasonUnsupported, Op: "ask nftables"}
	}
	return d.Machine.Ask(ctx, q, args...)
}

func (d deaf) Run(ctx context.Context, name string, args ...string) (evidence.Output, error) {
	if name == "nft" && !d.json && len(args) > 0 && args[0] == "-j" {
		return evidence.Output{Stderr: []byte("JSON support not compiled-in\n"), Code: 1}, nil
	}
	return d.Machine.Run(ctx, name, args...)
}

// agree reads the same rules from the other sources that tell of them. None may
// contradict the kernel's own word; where sure, none may know less.
func (h *host) agree(what string, sure bool) {
	h.t.Helper()
	first := strings.Fields(verdicts(h.last()))
	for name, m := range map[string]evidence.Machine{
		"nft -j": deaf{h.live, false, true}, "nft": deaf{h.live, false, false},
	} {
		s := firewall.Collect(h.t.Context(), m)
		other := strings.Fields(verdicts(s))
		if !strings.Contains(s.Source, name+" list ruleset") {
			h.t.Errorf("%s: %s was not asked: %s", what, name, s.Source)
		}
		for i := range first {
			if first[i] != other[i] && (sure || first[i][0] != '?' && other[i][0] != '?') {
				h.t.Errorf("%s: over netlink %q, by %s %q", what, first, name, other)
				break
			}
		}
	}
}
