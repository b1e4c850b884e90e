package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/postern-zt/postern/client/config"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/buildinfo"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/machine"
	"github.com/postern-zt/postern/platform/paths"
	"github.com/postern-zt/postern/posture/collect"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// Who read the machine.
const (
	byAgent  = "agent"
	byItself = "command"
)

// reading is what `postern posture --json` writes.
type reading struct {
	Socket string `json:"socket,omitempty"` // of the agent, if that read it
	Reader string `json:"reader"`           // byAgent or byItself
	localapi.Reading
}

func postureCommand() command {
	return command{
		name: "posture", summary: "show what is true of this computer, and where that was read",
		help: `Shows every signal with its state, its values, where they were read and, where
something is not known, why. The agent is asked if it runs; otherwise this command
reads the computer itself, as far as your own rights go. Nothing is judged and
nothing is sent.

Example: sudo postern posture --local
`,
		prepare: func(a *app, fs *flag.FlagSet) func(context.Context) (int, error) {
			local := fs.Bool("local", false, "do not ask the agent")
			return func(ctx context.Context) (int, error) {
				r, err := a.reading(ctx, *local)
				if err != nil {
					return 0, err
				}
				if a.json {
					return exitOK, a.writeJSON(r)
				}
				return exitOK, a.print(a.postureText(r))
			}
		},
	}
}

// reading asks the agent, or reads the machine here.
func (a *app) reading(ctx context.Context, local bool) (reading, error) {
	if !local {
		c := a.agent()
		defer c.Close()
		r, err := c.Posture(ctx)
		if err == nil {
			return reading{Socket: c.Socket(), Reader: byAgent, Reading: r}, nil
		}
		if ctx.Err() != nil {
			return reading{}, err
		}
		if !a.json {
			fmt.Fprintf(a.err, "%s This command reads the computer itself.\n", plain(failureOf(err).Message))
		}
	}
	rows, err := a.catalogue()
	if err != nil {
		return reading{}, err
	}
	c := collect.New(collect.Config{Machine: machine.New(machine.Config{}), Catalogue: rows, Clock: clock.System(), Version: buildinfo.Version()})
	return reading{Reader: byItself, Reading: localapi.Reading{Report: c.Read(ctx), Rights: ownRights()}}, ctx.Err()
}

// catalogue is what the user's own settings add to the shipped one. Settings
// that are wrong, or nowhere, are no reason to show nothing.
func (a *app) catalogue() ([]observe.EDRRow, error) {
	set, err := paths.User()
	if err == nil {
		var s config.Settings
		if s, err = config.Load(set, config.Overrides{}); err == nil {
			return s.Catalogue, nil
		}
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(a.err, "Your settings are left out: %s\n", plain(strings.TrimSpace(line)))
	}
	return observe.BuiltIn()
}

// ownRights are those of this process. On Windows, where there is no user id,
// it claims the lesser ones.
func ownRights() string {
	if os.Geteuid() == 0 {
		return localapi.RightsSystem
	}
	return localapi.RightsUser
}

func (a *app) postureText(r reading) string {
	var b strings.Builder
	who := "Read by the agent"
	if r.Reader == byItself {
		who = "Read by this command itself"
	}
	if r.Rights == localapi.RightsSystem {
		say(&b, "%s, with the system's rights.", who)
	} else {
		say(&b, "%s, with a user's rights: some signals may be out of reach.", who)
	}
	rows := [][]cell{{{"SIGNAL", strong}, {"STATE", strong}, {"VALUE", strong}, {"SOURCE", strong}, {"REASON", strong}}}
	var reasons []fact.Reason
	note := func(why fact.Reason) string {
		if why != "" && !slices.Contains(reasons, why) {
			reasons = append(reasons, why)
		}
		return string(why)
	}
	for _, s := range r.Report.Signals {
		rows = append(rows, []cell{{s.Name, ""}, stateCell(s.State), {seen(s), ""}, {s.Source, ""}, {note(s.Reason), ""}})
		for _, f := range s.Facts {
			value := ""
			if f.Value.IsSet() {
				value = f.Value.String()
			}
			name := "  " + strings.TrimPrefix(strings.TrimPrefix(fact.Address(s.Name, f.Key, f.Field), s.Name), ".")
			rows = append(rows, []cell{{name, ""}, stateCell(s.StateOf(f)), {value, ""}, {}, {note(f.Reason), ""}})
		}
	}
	var lines strings.Builder
	a.table(&lines, "", rows)
	b.WriteString(lines.String())
	for _, why := range reasons {
		text, fix := sentence(string(why))
		if text == "" {
			continue
		}
		say(&b, "%s: %s %s", why, text, fix)
	}
	return b.String()
}

// seen tells when a signal was read, and whether a list was cut.
func seen(s fact.Signal) string {
	var parts []string
	if !s.ObservedAt.IsZero() {
		parts = append(parts, "read "+s.ObservedAt.Local().Format(time.TimeOnly))
	}
	if s.Truncated {
		parts = append(parts, "list cut")
	}
	return strings.Join(parts, ", ")
}

func stateCell(s fact.State) cell {
	colour := bad
	switch s {
	case fact.Observed:
		colour = good
	case fact.Absent, fact.NotApplicable:
		colour = plainColour
	case fact.Unknown:
		colour = doubtful
	}
	return cell{string(s), colour}
}
