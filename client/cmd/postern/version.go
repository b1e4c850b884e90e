package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/buildinfo"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "say which version this command and the agent have",
		Long:    "Says which version this command is, and which the agent is if it runs, where the agent was asked, and what it means if the two are of different levels.",
		Example: "postern version --json",
		Args:    noArgs,
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
	p := a.page()
	p.say(0, fmt.Sprintf("%s command %s, level %d", buildinfo.Product, buildinfo.Version(), localapi.API))
	switch {
	case err == nil:
		p.say(0, fmt.Sprintf("%s agent %s (%s), level %d", v.Product, v.Version, v.Scope, v.API))
		if text := levels(v.API); text != "" {
			p.say(0, text)
		}
	case errors.Is(err, localapi.ErrNotRunning):
		p.say(0, "No agent is running here.")
	default:
		p.say(0, "The agent's version is not known. "+failureOf(err).Message)
	}
	p.say(0, "asked at "+c.Socket())
	return a.print(p.String())
}

// levels says what it means that the agent is of another level.
func levels(agent int) string {
	switch {
	case agent < localapi.API:
		return "The agent is older than this command: check, pause, resume, timeline, sent and config need a newer one. Everything else works. Update the agent."
	case agent > localapi.API:
		return "The agent is newer than this command. Everything here works; update this command to see what is new."
	}
	return ""
}
