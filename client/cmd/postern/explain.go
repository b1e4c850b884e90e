package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
)

func (a *app) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use: "explain APP", Short: "say why an application is open or closed, and what to do",
		Long:              "Says why an application is open or closed, since when, what it needs of this computer, what of that is met and what is not, what will be needed from a date on, and what helps. What a requirement compares with is your organisation's and is not told. Exit codes are those of: postern status",
		Example:           "postern explain wiki\npostern explain wiki --json",
		SuggestFor:        []string{"why", "reason", "reasons", "blocked"},
		ValidArgsFunction: a.completeApps,
		Args:              a.oneApp,
		RunE: a.run(func(ctx context.Context, args []string) (int, error) {
			c := a.agent()
			defer c.Close()
			s, err := c.Status(ctx)
			if err != nil {
				return 0, err
			}
			s = named(s, c)
			if err := a.session(s); err != nil {
				return 0, err
			}
			in := a.told(ctx, c, s)
			x, err := a.pick(view.New(in).Apps, args[0])
			if err != nil {
				return 0, err
			}
			e := view.Explain(in, x.ID)
			if a.json {
				return exitOf(s), a.writeJSON(explanationOf(e))
			}
			p := a.page()
			p.explanation(view.New(in), e)
			return exitOf(s), a.print(p.String())
		}),
	}
}

// told is whole with what happened in the session, where the agent knows it.
func (a *app) told(ctx context.Context, c *localapi.Client, s localapi.Status) view.Input {
	in := a.whole(ctx, c, s)
	if s.API < localapi.API {
		return in
	}
	if t, err := c.Timeline(ctx); err == nil { // without it the view says less
		in.Timeline = &t
	}
	return in
}

func (p *page) explanation(v view.View, e view.Explanation) {
	p.title(appColour(e.App), e.Says)
	if e.Since != "" {
		p.say(0, e.Since)
	}
	p.needs(e.Unmet)
	p.needs(e.Met)
	p.needs(e.Later)
	if e.Note != "" {
		p.say(0, e.Note)
	}
	if len(e.Do)+len(e.Next) > 0 {
		p.blank()
	}
	for _, f := range e.Do {
		p.fix(v, 0, f)
	}
	for _, next := range e.Next {
		p.say(0, next)
	}
}

// explanation is what `postern explain --json` writes.
type explanation struct {
	App   string   `json:"app"`
	State string   `json:"state"`
	Says  string   `json:"says"`
	Since string   `json:"since"`
	Told  bool     `json:"told"` // unmet, met and later are all that the application asks for
	Unmet []need   `json:"unmet"`
	Met   []need   `json:"met"`
	Later []need   `json:"later"`
	Do    []string `json:"do"`
	Next  []string `json:"next"`
	Note  string   `json:"note"`
}

func explanationOf(e view.Explanation) explanation {
	out := explanation{App: e.App.ID, State: e.App.State, Says: e.Says, Since: e.Since, Note: e.Note,
		Told: e.Told, Unmet: needsOf(e.Unmet), Met: needsOf(e.Met), Later: needsOf(e.Later), Do: []string{}, Next: append([]string{}, e.Next...)}
	for _, f := range e.Do {
		out.Do = append(out.Do, f.Text)
	}
	return out
}
