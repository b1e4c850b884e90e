package rig

import (
	"slices"
	"time"

	"github.com/postern-zt/postern/posture/fact"
)

// Healthy is a report of a machine that is well: every declared fact, observed now.
func Healthy(now time.Time) fact.Report {
	var r fact.Report
	for _, d := range fact.Defs() {
		i := slices.IndexFunc(r.Signals, func(s fact.Signal) bool { return s.Name == d.Signal })
		if i < 0 {
			i = len(r.Signals)
			r.Signals = append(r.Signals, fact.Signal{Name: d.Signal, State: fact.Observed, Source: "rig", Collector: "rig/1", ObservedAt: now.UTC().Truncate(time.Millisecond)})
		}
		f := fact.Fact{Field: d.Field, Value: good(d, now)}
		if d.Keyed {
			f.Key = "sample"
		}
		r.Signals[i].Facts = append(r.Signals[i].Facts, f)
	}
	return r
}

func good(d fact.Def, now time.Time) fact.Value {
	switch d.Kind {
	case fact.Boolean:
		return fact.Bool(d.Order == fact.TrueIsBetter)
	case fact.Enum:
		if d.Order == fact.Identity {
			return fact.Str(d.Ranks[0])
		}
		return fact.Str(d.Ranks[len(d.Ranks)-1])
	case fact.Timestamp:
		return fact.Time(now.Add(-time.Hour))
	case fact.Version:
		return fact.Str("24.04")
	case fact.Duration:
		return fact.Seconds(5 * time.Minute)
	}
	return fact.Str("sample")
}

// Change returns the report with one signal changed.
func Change(r fact.Report, signal string, f func(*fact.Signal)) fact.Report {
	out := fact.Report{Signals: slices.Clone(r.Signals)}
	for i := range out.Signals {
		if out.Signals[i].Name == signal {
			out.Signals[i].Facts = slices.Clone(out.Signals[i].Facts)
			f(&out.Signals[i])
		}
	}
	return out
}

// Set returns the report with the value of one fact, in any entry, changed.
func Set(r fact.Report, signal, field string, v fact.Value) fact.Report {
	return Change(r, signal, func(s *fact.Signal) {
		for i := range s.Facts {
			if s.Facts[i].Field == field {
				s.Facts[i].Value = v
			}
		}
	})
}

// State returns the report with a signal in a state that carries no facts.
func State(r fact.Report, signal string, state fact.State, why fact.Reason) fact.Report {
	return Change(r, signal, func(s *fact.Signal) { s.State, s.Reason, s.Facts = state, why, nil })
}

// Without returns the report without a signal.
func Without(r fact.Report, signal string) fact.Report {
	return fact.Report{Signals: slices.DeleteFunc(slices.Clone(r.Signals), func(s fact.Signal) bool { return s.Name == signal })}
}
