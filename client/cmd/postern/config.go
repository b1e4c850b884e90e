package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-zt/postern/client/config"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/paths"
)

// effective is what `postern config --json` writes.
type effective struct {
	Socket string `json:"socket,omitempty"` // of the agent, if that told them
	Reader string `json:"reader"`           // byAgent or byItself
	localapi.Config
}

func (a *app) configCommand() *cobra.Command {
	return &cobra.Command{
		Use: "config", Short: "show the settings, and where each comes from",
		Long:       "Shows the settings that the agent goes by, and where each comes from. Without an agent the settings file is read by this command, as far as you may: yours if you have one, else the system's. Secrets are not shown.",
		Example:    "postern config\n" + `postern config --json | jq -r '.settings[] | "\(.name)\t\(.origin)"'`,
		SuggestFor: []string{"settings", "configuration", "set", "preferences"},
		Args:       a.noArgs,
		RunE: a.run(func(ctx context.Context, _ []string) (int, error) {
			c := a.agent()
			defer c.Close()
			s := effective{Socket: c.Socket(), Reader: byAgent}
			var err error
			if s.Config, err = c.Config(ctx); err != nil {
				if ctx.Err() != nil {
					return 0, err
				}
				if !a.json {
					a.warn("%s", fill(a.said().Config.ReadsItself, "why", a.failureOf(err).Message))
				}
				if s, err = a.settingsHere(); err != nil {
					return 0, err
				}
			}
			s.Config = s.Config.Filled()
			if a.json {
				return exitOK, a.writeJSON(s)
			}
			p := a.page()
			p.settings(s.Config)
			return exitOK, a.print(p.String())
		}),
	}
}

// settingsHere reads the settings file that an agent of this user would go by,
// or the system's if there is none.
func (a *app) settingsHere() (effective, error) {
	set := paths.System()
	if own, err := paths.User(); err == nil {
		if _, err := os.Stat(own.Config); !errors.Is(err, fs.ErrNotExist) {
			set = own
		}
	}
	loaded, err := config.Load(set, config.Overrides{})
	if err != nil {
		text := strings.ReplaceAll(strings.TrimPrefix(err.Error(), "read settings: "), "\n", " ")
		w := a.said().Config
		return effective{}, &failure{Code: codeSettings, Message: fill(w.Unreadable, "why", text), exit: exitError,
			Hint: fill(w.UnreadableHint, "path", set.Config)}
	}
	return effective{Reader: byItself, Config: configOf(loaded)}, nil
}

const codeSettings = "settings_unreadable"

// configOf tells loaded settings as the agent tells them.
func configOf(s config.Settings) localapi.Config {
	out := localapi.Config{File: s.File}
	for _, e := range s.Effective() {
		out.Settings = append(out.Settings, localapi.Setting{Name: e.Key, Value: e.Value, Origin: string(e.Origin), Source: e.Source})
	}
	for _, w := range s.Warnings {
		out.Warnings = append(out.Warnings, w.String())
	}
	return out
}

func (p *page) settings(c localapi.Config) {
	w := p.words.Config
	p.say(0, fill(w.File, "path", c.File))
	p.blank()
	g := grid{lead: 2, columns: []column{
		{head: w.Setting}, {head: w.Value, folds: byWords}, {head: w.Origin, label: w.LabelOrigin}, {head: w.Source, label: w.LabelSource, folds: byWords}}}
	for _, s := range c.Settings {
		value, source := cell{s.Value, ""}, cell{s.Source, faint}
		if s.Value == "" {
			value = cell{w.None, faint}
		}
		if s.Source == c.File { // that is said above
			source.text = ""
		}
		g.lines = append(g.lines, line{cells: []cell{{s.Name, ""}, value, {w.origin(s.Origin), ""}, source}})
	}
	g.trim()
	p.grid(g)
	for _, warning := range c.Warnings {
		p.blank()
		p.mark(0, doubtful, w.Warning, warning)
	}
}

// origin is the word for where a value comes from; a newer agent may know more
// places.
func (w configWords) origin(of string) string {
	switch of {
	case "managed":
		return w.Managed
	case string(config.OriginFile):
		return w.FromFile
	case string(config.OriginDefault):
		return w.Default
	}
	return of
}
