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
		Long:    "Has the agent read this computer again and ask the broker, and shows for each signal when it was read before, when now, and what changed. The exit code is that of: postern status",
		Example: "postern check && postern open wiki",
		Args:    noArgs,
		RunE: a.run(func(ctx context.Context, _ []string) (int, error) {
			c := a.agent()
			defer c.Close()
			a.progress("Reading this computer …")
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
	head := []cell{{}}
	rows := [][]cell{nil}
	for _, part := range v.Parts {
		row := []cell{{part.Title, ""}}
		for i, line := range part.Lines {
			row = append(row, cell{line.Value, ""})
			if i+1 == len(head) {
				head = append(head, cell{line.Name, strong})
			}
		}
		rows = append(rows, row)
	}
	rows[0] = head
	p.table(0, rows)
}

// progress says on a terminal what is going on, in a line that the next one
// replaces; "" takes it away.
func (a *app) progress(text string) {
	if moves(a.errTerm, a.getenv) {
		fmt.Fprint(a.err, "\r"+text+clearLine)
	}
}
