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
		Long:    "Shows the settings that the agent goes by, and where each comes from. Without an agent the settings file is read by this command, as far as you may: yours if you have one, else the system's. Secrets are not shown.",
		Example: `postern config --json | jq -r '.settings[] | "\(.name)\t\(.origin)"'`,
		Args:    noArgs,
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
					a.warn("%s This command reads the settings file itself.", failureOf(err).Message)
				}
				if s, err = settingsHere(); err != nil {
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
func settingsHere() (effective, error) {
	set := paths.System()
	if own, err := paths.User(); err == nil {
		if _, err := os.Stat(own.Config); !errors.Is(err, fs.ErrNotExist) {
			set = own
		}
	}
	loaded, err := config.Load(set, config.Overrides{})
	if err != nil {
		text := strings.ReplaceAll(strings.TrimPrefix(err.Error(), "read settings: "), "\n", " ")
		return effective{}, &failure{Code: codeSettings, Message: "The settings cannot be read. " + text, exit: exitError,
			Hint: "Put that right in " + set.Config + ", or ask your administrator."}
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
	p.say(0, "Settings file: "+c.File)
	p.blank()
	rows := [][]cell{{{"SETTING", strong}, {"VALUE", strong}, {"ORIGIN", strong}, {"SOURCE", strong}}}
	for _, s := range c.Settings {
		value := cell{s.Value, ""}
		if s.Value == "" {
			value = cell{"(none)", faint}
		}
		rows = append(rows, []cell{{s.Name, ""}, value, {s.Origin, ""}, {s.Source, faint}})
	}
	p.table(0, rows)
	for _, w := range c.Warnings {
		p.blank()
		p.mark(0, doubtful, "warning:", w)
	}
}
