package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/postern-zt/postern/client/view"
)

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check", Short: "read this computer again, now",
		Long:       "Has the agent read this computer again and ask the broker, and shows for each signal when it was read before, when now, and what changed. The exit code is that of: postern status",
		Example:    "postern check\npostern check && postern open wiki",
		SuggestFor: []string{"refresh", "recheck", "rescan", "scan", "reload"},
		Args:       a.noArgs,
		RunE: a.run(func(ctx context.Context, _ []string) (int, error) {
			c := a.agent()
			defer c.Close()
			a.progress(a.said().Status.Reading)
			k, err := c.Check(ctx)
			a.progress("")
			if err != nil {
				return 0, err
			}
			k.Status = named(k.Status, c)
			if a.json {
				return exitOf(k.Status), a.writeJSON(k.Filled())
			}
			in := a.whole(ctx, c, k.Status)
			p := a.page()
			p.proof(view.Reread(k, in))
			p.blank()
			p.status(view.New(in))
			return exitOf(k.Status), a.print(p.String())
		}),
	}
}

// proof shows that the machine was read again.
func (p *page) proof(v view.Proof) {
	p.title(strong, v.Says)
	if v.Told != "" {
		p.say(0, v.Told)
	}
	if len(v.Parts) == 0 {
		return
	}
	p.blank()
	// A row for each signal; what did not change has no third line.
	g := grid{lead: 1, columns: []column{{}}}
	for _, part := range v.Parts {
		row := line{cells: []cell{{part.Title, ""}}}
		for i, l := range part.Lines {
			row.cells = append(row.cells, cell{l.Value, ""})
			if i+2 > len(g.columns) {
				g.columns = append(g.columns, column{head: l.Name, label: l.Name + ":"})
			}
		}
		g.lines = append(g.lines, row)
	}
	g.columns[len(g.columns)-1].folds = byWords
	p.grid(g)
}

// progress says on a terminal what is going on, in a line that the next one
// replaces; "" takes it away.
func (a *app) progress(text string) {
	if moves(a.errTerm, a.getenv) {
		fmt.Fprint(a.err, "\r"+fit(a.clean(text), a.widthOf(a.errTerm)-1)+clearLine)
	}
}
