package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/buildinfo"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "say which version this command and the agent have",
		Long:       "Says which version this command is, and which the agent is if it runs, where the agent was asked, and what it means if the two are of different levels.",
		Example:    "postern version\npostern version --json",
		SuggestFor: []string{"about", "ver"},
		Args:       a.noArgs,
		RunE: a.run(func(ctx context.Context, _ []string) (int, error) {
			return exitOK, a.version(ctx)
		}),
	}
}

func (a *app) version(ctx context.Context) error {
	c := a.agent()
	defer c.Close()
	v, err := c.Version(ctx)
	if err == nil && v.API == 0 {
		v.API = 1 // it had no number
	}
	if a.json {
		out := struct {
			Product string            `json:"product"`
			Version string            `json:"version"`
			API     int               `json:"api"`
			Socket  string            `json:"socket"`
			Agent   *localapi.Version `json:"agent"` // null when none answers
		}{buildinfo.Product, buildinfo.Version(), localapi.API, c.Socket(), nil}
		if err == nil {
			out.Agent = &v
		}
		return a.writeJSON(out)
	}
	w := a.said().Version
	p := a.page()
	p.say(0, fill(w.Command, "product", buildinfo.Product, "version", buildinfo.Version(), "level", strconv.Itoa(localapi.API)))
	switch {
	case err == nil:
		p.say(0, fill(w.Agent, "product", v.Product, "version", v.Version, "scope", v.Scope, "level", strconv.Itoa(v.API)))
		if v.API < localapi.API {
			p.say(0, w.Older)
		}
		if v.API > localapi.API {
			p.say(0, w.Newer)
		}
	case errors.Is(err, localapi.ErrNotRunning):
		p.say(0, w.NoAgent)
	default:
		p.say(0, fill(w.AgentUnknown, "why", a.failureOf(err).Message))
	}
	p.say(0, fill(w.Asked, "path", c.Socket()))
	return a.print(p.String())
}
