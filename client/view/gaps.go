package view

import (
	"github.com/postern-zt/postern/posture/fact"
)

// gaps are the facts of one signal or list entry that there is nothing to say
// of, put together by why: every system has a dozen that are of the others.
type gaps []gap

type gap struct {
	why, place string
	absent     bool
	lines      []Row
}

func (g *gaps) add(why, place string, absent bool, line Row) {
	for i := range *g {
		if one := &(*g)[i]; one.why == why {
			one.lines = append(one.lines, line)
			return
		}
	}
	*g = append(*g, gap{why, place, absent, []Row{line}})
}

// maxGap is how long a list of facts may be, in characters.
const maxGap = 1000

// told is one line for each gap, below a heading.
func (m *maker) told(heading string, list gaps) []Row {
	w := valuesIn(m.w.Language)
	var out []Row
	for _, g := range list {
		for i := range g.lines {
			g.lines[i].Name = m.below(heading, g.lines[i].Name)
		}
		line := g.lines[0]
		if len(g.lines) > 1 {
			line.Name, line.Value = w.NotThere, m.what(g)
			if !g.absent {
				line.Name, line.Value = w.NotKnown, Fill(w.For, "what", line.Value, "why", g.why)
			}
		}
		line.Name = g.place + line.Name
		out = append(out, line)
	}
	return out
}

// what are the facts by name.
func (m *maker) what(g gap) string {
	names := make([]string, len(g.lines))
	for i, line := range g.lines {
		names[i] = line.Name
	}
	return Cut(m.w.list(names), maxGap)
}

// gap is why there is nothing to say of a fact, "" when there is something.
func (m *maker) gap(s fact.Signal, f fact.Fact) string {
	switch s.StateOf(f) {
	case fact.Observed, fact.Conflict:
		return ""
	case fact.Absent:
		return m.w.Sent.NotThere
	}
	return m.whyUnknown(whyOf(s, f))
}

// whyOf is the reason of a fact, or of its signal.
func whyOf(s fact.Signal, f fact.Fact) fact.Reason {
	if f.Reason != "" {
		return f.Reason
	}
	return s.Reason
}

// whyUnknown says a reason as it stands after a colon.
func (m *maker) whyUnknown(why fact.Reason) string {
	if why == "" {
		return m.w.fragment(m.w.Fault.NotRead)
	}
	return m.w.fragment(m.because(string(why), nil).Text)
}
