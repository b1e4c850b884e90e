package main

import (
	"strings"
	"time"

	"github.com/postern-zt/postern/client/view"
)

// needs lists requirements with their state, and what each looks at.
func (p *page) needs(list []view.Need) {
	if len(list) == 0 {
		return
	}
	p.blank()
	rows := make([][]cell, len(list))
	for i, n := range list {
		name := n.Name
		if n.Outcome != "pass" { // a code says what is wrong
			name = coded(n.Name, n.Code)
		}
		rows[i] = []cell{{n.Says, outcomeColour(n.Outcome)}, {name, ""}}
	}
	t := p.columns(0, rows)
	for i, n := range list {
		t.write(rows[i])
		for _, why := range n.Why {
			p.say(t.before, why)
		}
		for _, line := range partLines(n) {
			p.say(t.before, line)
		}
	}
}

// partLines say what a requirement looks at; how each of several came out is
// said with it, and what the name says already is not said again.
func partLines(n view.Need) []string {
	var out []string
	for _, part := range n.Parts {
		switch {
		case len(n.Parts) > 1:
			out = append(out, part.Says+": "+part.Text)
		case !strings.EqualFold(part.Text, n.Name):
			out = append(out, part.Text)
		}
	}
	return out
}

func outcomeColour(outcome string) string {
	switch outcome {
	case "pass":
		return good
	case "fail":
		return bad
	}
	return doubtful
}

type need struct {
	Code    string     `json:"code"`
	Name    string     `json:"name"`
	Outcome string     `json:"outcome"`
	State   string     `json:"state"`
	From    *time.Time `json:"from,omitempty"` // of what is coming
	Why     []string   `json:"why"`
	Parts   []needPart `json:"parts"`
}

type needPart struct {
	Outcome string `json:"outcome"`
	Says    string `json:"says"`
}

func needsOf(list []view.Need) []need {
	out := []need{}
	for _, n := range list {
		x := need{Code: n.Code, Name: n.Name, Outcome: n.Outcome, State: n.State, Why: append([]string{}, n.Why...), Parts: []needPart{}}
		if !n.From.IsZero() {
			x.From = &n.From
		}
		for _, part := range n.Parts {
			x.Parts = append(x.Parts, needPart{part.Outcome, part.Text})
		}
		out = append(out, x)
	}
	return out
}
