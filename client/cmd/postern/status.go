package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
)

func (a *app) statusCommand() *cobra.Command {
	var watch bool
	c := &cobra.Command{
		Use: "status", Short: "say how this computer stands, and what to do",
		Long: `Says first whether you are signed in and how this computer stands, then what is wrong and how to fix it, then which applications are open. The exit code is 3 when this computer does not meet the requirements and 4 when nobody is signed in.

With --watch it goes on and shows each change, until Ctrl-C: on a terminal in place, otherwise one line for each change, with --json one JSON document on each line. It outlives a restart of the agent.`,
		Example:    "postern status\npostern status --watch\n" + `postern status --json | jq -r '.apps[] | select(.state=="ready") | .url'`,
		SuggestFor: []string{"state", "st", "info", "whoami", "who"},
		Args:       a.noArgs,
		RunE: a.run(func(ctx context.Context, _ []string) (int, error) {
			cl := a.agent()
			defer cl.Close()
			if watch {
				return exitOK, a.watch(ctx, cl)
			}
			s, err := cl.Status(ctx)
			if err != nil {
				return 0, err
			}
			s = named(s, cl)
			if a.json {
				return exitOf(s), a.writeJSON(s)
			}
			p := a.page()
			p.status(view.New(a.whole(ctx, cl, s)))
			if s.Foreign {
				p.say(0, p.words.Status.Foreign)
			}
			return exitOf(s), a.print(p.String())
		}),
	}
	c.Flags().BoolVarP(&watch, "watch", "w", false, "go on, and show each change")
	return c
}

func (a *app) appsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "apps", Short: "list the applications",
		Long:       "Lists the applications with their state, where to open them and how long the present lease lasts if nothing renews it. Exit codes are those of: postern status",
		Example:    "postern apps\npostern apps --json | jq -r '.apps[].id'",
		SuggestFor: []string{"app", "ls", "list", "applications"},
		Args:       a.noArgs,
		RunE: a.run(func(ctx context.Context, _ []string) (int, error) {
			s, err := a.status(ctx)
			if err != nil {
				return 0, err
			}
			if a.json {
				return exitOf(s), a.writeJSON(struct {
					Socket string         `json:"socket"`
					State  string         `json:"state"`
					Apps   []localapi.App `json:"apps"`
				}{s.Socket, s.State, s.Apps})
			}
			p, v := a.page(), view.New(a.input(s))
			if len(v.Apps) == 0 {
				p.head(v)
				if v.Trouble == view.NoTrouble && v.Person != "" {
					p.say(0, v.NoApps)
				}
				return exitOf(s), a.print(p.String())
			}
			p.apps(v, leases(s), func(view.Reason) bool { return true })
			return exitOf(s), a.print(p.String())
		}),
	}
}

// leases are the remaining times of the leases, by application.
func leases(s localapi.Status) map[string]string {
	out := map[string]string{}
	for _, p := range s.Apps {
		out[p.ID] = lease(p.LeaseRemainingMS)
	}
	return out
}

// lease is a remaining time for people, never longer than it is.
func lease(ms int64) string {
	if ms <= 0 {
		return ""
	}
	return (time.Duration(ms) * time.Millisecond).Truncate(time.Second).String()
}

// status is the whole view: what matters first, and nothing twice.
func (p *page) status(v view.View) {
	told := map[string]bool{} // codes and fixes that a fault tells of
	for _, f := range v.Faults {
		told[f.Code], told[f.Fix.Text] = true, true
	}
	h := v
	if told[h.Code] {
		h.Code = ""
	}
	if told[h.Hint] {
		h.Hint = ""
	}
	p.head(h)
	told[v.Code] = true
	for _, f := range v.Faults {
		p.blank()
		p.fault(v, f)
	}
	if v.Trouble != view.NoTrouble {
		return
	}
	p.blank()
	p.apps(v, nil, func(r view.Reason) bool { return !told[r.Code] && !r.Whole })
	p.past(v)
	p.rows(v.Notes)
	p.rows(v.About)
}

// past is what will be, and what was.
func (p *page) past(v view.View) {
	for _, c := range v.Coming {
		p.blank()
		p.mark(0, doubtful, p.words.Status.Coming, coded(c.Title+" "+c.When, c.Code))
		p.fix(v, 2, c.Fix)
	}
	if v.Closed != nil {
		p.blank()
		p.say(0, p.words.Status.LastClosed+" "+strings.Join(v.Closed.Apps, ", ")+", "+v.Closed.When+". "+v.Closed.Why)
	}
}

// head is the headline with what goes with it.
func (p *page) head(v view.View) {
	p.title(moodColours[v.Mood], coded(v.Headline, v.Code))
	for _, text := range []string{v.Detail, v.Hint, v.Ends, v.EndsNote} {
		if text != "" {
			p.say(0, text)
		}
	}
	switch {
	case v.Actions.Resume:
		p.say(0, p.words.Status.Resume)
	case v.Actions.SignIn && (v.Mood == view.MoodSignedOut || v.Ends != ""):
		p.say(0, p.words.Status.SignIn)
	}
}

// coded is a text with the stable code behind it, if that is not in it already.
func coded(text, code string) string {
	if code == "" || strings.Contains(text, code) {
		return text
	}
	return text + " (" + code + ")"
}

// fault is one thing that is wrong, with what helps.
func (p *page) fault(v view.View, f view.Fault) {
	word, colour := p.words.Status.Advised, doubtful
	switch {
	case f.Required:
		word, colour = p.words.Status.Required, bad
	case f.Unknown:
		word = p.words.Status.Unknown
	}
	p.mark(0, colour, word, coded(f.Title, f.Code))
	for _, why := range f.Why {
		p.say(2, why)
	}
	p.fix(v, 2, f.Fix)
	if len(f.Apps) > 0 {
		p.say(2, p.words.Status.Keeps+" "+strings.Join(f.Apps, ", "))
	}
}

func (p *page) fix(v view.View, indent int, f view.Fix) {
	if f.Text != "" {
		p.mark(indent, strong, p.words.Status.Fix, f.Text)
	}
}

// apps lists the applications, with what stands in the way of each, as far as
// that is to be told.
func (p *page) apps(v view.View, leases map[string]string, tell func(view.Reason) bool) {
	if len(v.Apps) == 0 {
		p.say(0, v.NoApps)
		return
	}
	rows := make([][]cell, len(v.Apps))
	for i, x := range v.Apps {
		rows[i] = []cell{{x.Name, strong}, {x.Says, appColour(x)}, {address(x), ""}, {leases[x.ID], faint}}
	}
	// Each row is followed by its reasons, so the columns are found first.
	t := p.columns(0, rows)
	for i, x := range v.Apps {
		t.write(rows[i])
		for _, w := range x.Why {
			if tell(w) {
				p.say(2, coded(w.Text, w.Code))
				p.fix(v, 4, w.Fix)
			}
		}
	}
}

func appColour(x view.App) string {
	switch {
	case x.Good:
		return good
	case x.State == localapi.AppDenied && !x.NotMine && !x.Paused:
		return bad
	}
	return doubtful
}

func address(x view.App) string {
	if x.URL != "" {
		return x.URL
	}
	return x.Address
}

// rows is a table of names and values, after an empty line.
func (p *page) rows(list []view.Row) {
	if len(list) == 0 {
		return
	}
	p.blank()
	rows := make([][]cell, len(list))
	for i, r := range list {
		rows[i] = []cell{{r.Name, faint}, {r.Value, ""}}
	}
	p.table(0, rows)
}
