package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
)

const codeNothingSent = "nothing_sent"

func (a *app) sentCommand() *cobra.Command {
	var raw bool
	c := &cobra.Command{
		Use: "sent", Short: "show what last left this computer",
		Long:       "Shows what this computer last told your organisation's broker about itself, in words, and what never leaves it. With --raw the signed claims are shown as they were sent (RFC 9711, JSON).",
		Example:    "postern sent\npostern sent --raw | jq .",
		SuggestFor: []string{"privacy", "report", "evidence"},
		Args:       a.noArgs,
		RunE: a.run(func(ctx context.Context, _ []string) (int, error) {
			c := a.agent()
			defer c.Close()
			s, err := c.Sent(ctx)
			switch {
			case err != nil:
				return 0, err
			case raw:
				return exitOK, a.rawClaims(s)
			case a.json:
				return exitOK, a.writeJSON(s)
			}
			st, err := c.Status(ctx)
			if err != nil {
				return 0, err
			}
			p, in := a.page(), a.input(st)
			p.posted(view.Sent(s, in))
			return exitOK, a.print(p.String())
		}),
	}
	c.Flags().BoolVar(&raw, "raw", false, "print the claims as they were signed")
	return c
}

// rawClaims prints the claims, made readable but not changed: JSON that was
// decoded and written anew could look other than what was signed.
func (a *app) rawClaims(s localapi.Sent) error {
	if len(s.Claims) == 0 {
		return &failure{Code: codeNothingSent, Message: a.said().Session.NothingSent, Hint: a.said().Session.NothingSentHint, exit: exitError}
	}
	var out bytes.Buffer
	if err := json.Indent(&out, s.Claims, "", "  "); err != nil {
		return fmt.Errorf("read claims: %w", err)
	}
	text := out.String()
	if a.outTerm != nil {
		text = harmless(text)
	}
	return a.print(text + "\n")
}

func (p *page) posted(s view.Posted) {
	p.title(strong, s.Says)
	for _, part := range s.Parts {
		p.blank()
		p.title(strong, part.Title)
		p.lines(part.Lines)
	}
	if len(s.Stays) > 0 {
		p.blank()
		p.title(strong, p.words.Status.Stays)
	}
	for _, stays := range s.Stays {
		p.mark(0, "", "-", stays)
	}
}

// lines is a table of what was said of one signal.
func (p *page) lines(list []view.Row) {
	rows := make([][]cell, len(list))
	for i, r := range list {
		rows[i] = []cell{{r.Name, ""}, {r.Value, ""}}
	}
	p.table(2, rows)
}
