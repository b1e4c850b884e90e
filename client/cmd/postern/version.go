package main

import (
	"context"
	"errors"
	"flag"
	"strings"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/buildinfo"
)

func versionCommand() command {
	return command{
		name: "version", summary: "say which version this command and the agent have",
		help: `Says which version this command is, and which the agent is if it runs.

Example: postern version --json
`,
		prepare: func(a *app, _ *flag.FlagSet) func(context.Context) (int, error) {
			return func(ctx context.Context) (int, error) { return exitOK, a.version(ctx) }
		},
	}
}

func (a *app) version(ctx context.Context) error {
	c := a.agent()
	defer c.Close()
	v, err := c.Version(ctx)
	if a.json {
		out := struct {
			Product string            `json:"product"`
			Version string            `json:"version"`
			Socket  string            `json:"socket"`
			Agent   *localapi.Version `json:"agent"` // null when none answers
		}{buildinfo.Product, buildinfo.Version(), c.Socket(), nil}
		if err == nil {
			out.Agent = &v
		}
		return a.writeJSON(out)
	}
	var b strings.Builder
	say(&b, "%s command %s", buildinfo.Product, buildinfo.Version())
	switch {
	case err == nil:
		say(&b, "%s agent %s (%s)", v.Product, v.Version, v.Scope)
	case errors.Is(err, localapi.ErrNotRunning):
		b.WriteString("No agent is running here.\n")
	default:
		say(&b, "The agent's version is not known. %s", failureOf(err).Message)
	}
	return a.print(b.String())
}
