package evidence

import (
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/fact"
)

// Reading gathers the facts of one signal while a collector finds them, and
// leaves none of the signal's declared facts out: what was not set is unknown.
// It belongs to one goroutine.
type Reading struct {
	recorder *Recorder
	signal   fact.Signal
	sources  []string
}

// Begin starts the reading of one signal. The signal counts as observed at
// this moment, so that a slow reading never looks fresher than it is.
func Begin(signal string, m Machine) *Reading {
	return &Reading{
		recorder: NewRecorder(m),
		signal:   fact.Signal{Name: signal, ObservedAt: m.Now().UTC()},
	}
}

// Machine is the machine to read from: what is read through it makes up the
// signal's evidence digest.
func (r *Reading) Machine() Machine { return r.recorder }

// From notes where facts were read: a file, a registry key, a command.
func (r *Reading) From(source string) {
	if !slices.Contains(r.sources, source) {
		r.sources = append(r.sources, source)
	}
}

// Observe sets a fact that was read. The key is empty but for list entries.
func (r *Reading) Observe(field, key string, v fact.Value) {
	r.set(fact.Fact{Field: field, Key: key, State: fact.Observed, Value: v})
}

// Finding sets a fact that was read together with a reason code that explains
// its value, such as not-running.
func (r *Reading) Finding(field, key string, v fact.Value, why fact.Reason) {
	r.set(fact.Fact{Field: field, Key: key, State: fact.Observed, Value: v, Reason: why})
}

// Unknown sets a fact that could not be read.
func (r *Reading) Unknown(field, key string, why fact.Reason) {
	r.set(fact.Fact{Field: field, Key: key, State: fact.Unknown, Reason: why})
}

// Conflict sets a fact on which two sources disagree; both values are kept,
// the first as the fact's text for people. It never passes.
func (r *Reading) Conflict(field, key string, a fact.Value, sourceA string, b fact.Value, sourceB string) {
	r.From(sourceA + " says " + a.String())
	r.From(sourceB + " says " + b.String())
	r.set(fact.Fact{Field: field, Key: key, State: fact.Conflict, Reason: fact.ReasonDisagree, Value: a})
}

// set keeps one answer per fact, the last one.
func (r *Reading) set(f fact.Fact) {
	for i, old := range r.signal.Facts {
		if old.Field == f.Field && old.Key == f.Key {
			r.signal.Facts[i] = f
			return
		}
	}
	r.signal.Facts = append(r.signal.Facts, f)
}

// Signal ends the reading: the signal is observed if any of its facts is that
// says more than a description, and unknown if none is: for the reason of the
// first fact that has one, otherwise for the given one. Facts nobody set are
// unknown for the given reason.
func (r *Reading) Signal(otherwise fact.Reason) fact.Signal {
	why := fact.Reason("")
	for _, f := range r.signal.Facts {
		if why == "" && f.State != fact.Observed {
			why = f.Reason
		}
		d, known := fact.Lookup(r.signal.Name, f.Field, f.Key != "")
		if f.State == fact.Observed && known && d.Order != fact.Neutral {
			return r.Conclude(fact.Observed, otherwise)
		}
	}
	if why == "" {
		why = otherwise
	}
	s := r.Conclude(fact.Unknown, otherwise)
	s.Reason = why
	return s
}

// Conclude ends the reading with a state that the collector decided. The
// reason is kept on the signal only where the state needs one.
func (r *Reading) Conclude(state fact.State, why fact.Reason) fact.Signal {
	for _, d := range fact.Defs() {
		if _, there := r.signal.Find("", d.Field); d.Signal == r.signal.Name && !d.Keyed && !there {
			r.missing(d, state, why)
		}
	}
	s := r.signal
	s.State, s.Digest = state, r.recorder.Digest()
	if oldest := r.recorder.Oldest(); !oldest.IsZero() && oldest.Before(s.ObservedAt) {
		s.ObservedAt = oldest.UTC()
	}
	s.Source = fact.Clip(strings.Join(r.sources, "; "))
	if failed := r.recorder.Failed(); s.Source == "" && len(failed) > 0 {
		s.Source = fact.Clip("tried: " + strings.Join(failed, "; "))
	}
	if state != fact.Observed {
		s.Reason = why
	}
	s.Facts = slices.Clone(s.Facts)
	for i := range s.Facts {
		if s.Facts[i].State == state {
			s.Facts[i].State = ""
		}
	}
	return s
}

func (r *Reading) missing(d fact.Def, state fact.State, why fact.Reason) {
	if state == fact.Absent {
		r.set(fact.Fact{Field: d.Field, State: fact.Absent, Reason: why, Value: d.Negative})
		return
	}
	r.Unknown(d.Field, "", why)
}
