package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
	terminals "github.com/postern-zt/postern/platform/terminal"
)

// flagFor says how long a pause is.
const flagFor = "for"

func (a *app) pauseCommand() *cobra.Command {
	var length, reason string
	c := &cobra.Command{
		Use: "pause", Short: "close every application for a while, at your own wish",
		Long:       "Closes every application at once, for the time that you say, at most 24 hours. You stay signed in. Your organisation's log keeps that you did so and why: without --reason you are asked for it. End it before its time with: postern resume",
		Example:    "postern pause\n" + `postern pause --for 30m --reason "presenting"`,
		SuggestFor: []string{"stop", "disconnect", "disable", "close", "down"},
		Args:       a.noArgs,
		RunE: a.run(func(ctx context.Context, _ []string) (int, error) {
			lasts, ok := pauseOf(length, time.Now())
			if !ok {
				return 0, a.usage("postern pause", a.said().Usage.PauseLength)
			}
			why, err := a.reason(ctx, reason)
			if err != nil {
				return 0, err
			}
			return a.act(ctx, func(ctx context.Context, c *localapi.Client) (localapi.Status, error) {
				return c.Pause(ctx, localapi.PauseRequest{Reason: why, ForMS: lasts.Milliseconds()})
			})
		}),
	}
	c.Flags().StringVar(&length, flagFor, view.PauseHour, "how `long`: 15m, 1h, 4h, tomorrow")
	c.Flags().StringVar(&reason, "reason", "", "`why`, for your organisation's log")
	return c
}

// pauseOf is a length of a pause: one of those that menu and page offer, or any
// other time.
func pauseOf(length string, now time.Time) (time.Duration, bool) {
	if lasts, ok := view.PauseFor(length, now); ok {
		return lasts, true
	}
	lasts, err := time.ParseDuration(length)
	return lasts, err == nil && lasts > 0 && lasts <= localapi.MaxPauseMS*time.Millisecond
}

// reason asks the person why, if the flag does not say it.
func (a *app) reason(ctx context.Context, given string) (string, error) {
	if given = strings.TrimSpace(given); given != "" {
		return given, nil
	}
	none := a.usage("postern pause", a.said().Usage.PauseReason)
	if a.inTerm == nil || !terminals.Foreground(a.inTerm.file) {
		return "", none
	}
	fmt.Fprint(a.err, a.clean(a.said().Session.Why)+" ")
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	select {
	case line, ok := <-a.lines(ctx):
		if line = strings.TrimSpace(line); ok && line != "" {
			return line, nil
		}
		return "", none
	case <-ctx.Done():
		fmt.Fprintln(a.err)
		return "", ctx.Err()
	}
}

func (a *app) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "resume", Short: "end a pause",
		Long:       "Ends a pause before its time. What this computer may reach opens again by itself. Without a pause it does nothing.",
		Example:    "postern resume",
		SuggestFor: []string{"unpause", "continue", "connect", "enable", "up"},
		Args:       a.noArgs,
		RunE: a.run(func(ctx context.Context, _ []string) (int, error) {
			return a.act(ctx, func(ctx context.Context, c *localapi.Client) (localapi.Status, error) {
				s, err := c.Resume(ctx)
				if err != nil {
					return s, err
				}
				return a.settle(ctx, c, s), nil
			})
		}),
	}
}

// act asks for something and shows the status after it.
func (a *app) act(ctx context.Context, ask func(context.Context, *localapi.Client) (localapi.Status, error)) (int, error) {
	c := a.agent()
	defer c.Close()
	s, err := ask(ctx, c)
	if err != nil {
		return 0, err
	}
	s = named(s, c)
	if a.json {
		return exitOK, a.writeJSON(s)
	}
	p := a.page()
	p.head(view.New(a.input(s)))
	return exitOK, a.print(p.String())
}

func (a *app) timelineCommand() *cobra.Command {
	return &cobra.Command{
		Use: "timeline", Short: "list what happened in this session",
		Long:       "Lists what happened in this session, the newest last: when applications opened and closed, and why.",
		Example:    "postern timeline\npostern timeline --json | jq '.events[] | select(.event==\"closed\")'",
		SuggestFor: []string{"history", "events", "log", "logs"},
		Args:       a.noArgs,
		RunE: a.run(func(ctx context.Context, _ []string) (int, error) {
			c := a.agent()
			defer c.Close()
			t, err := c.Timeline(ctx)
			if err != nil {
				return 0, err
			}
			if a.json {
				return exitOK, a.writeJSON(t.Filled())
			}
			// The names of the applications are the status's.
			s, err := c.Status(ctx)
			if err != nil {
				return 0, err
			}
			return exitOK, a.print(a.timelineText(view.Timeline(t, a.input(s))))
		}),
	}
}

func (a *app) timelineText(events []view.Event) string {
	p := a.page()
	if len(events) == 0 {
		p.say(0, p.words.Session.NothingHappened)
	}
	rows := make([][]cell, len(events))
	for i, e := range events {
		// The newest last: that is where a terminal's cursor is.
		at := len(rows) - 1 - i
		colour := plainColour
		if e.Bad {
			colour = bad
		}
		rows[at] = []cell{{e.When, faint}, {coded(e.Text, e.Code), colour}}
	}
	p.table(0, rows)
	return p.String()
}
