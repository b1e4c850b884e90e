package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/postern-zt/postern/client/localapi"
)

// codes says what an exit code means, and variables what the environment sets;
// help and manual pages show both.
var (
	codes = [][2]string{
		{"0", "done"}, {"1", "error"}, {"2", "wrong usage"}, {"3", "this computer does not meet the requirements"},
		{"4", "nobody is signed in"}, {"5", "no agent is running"},
	}
	variables = [][2]string{
		{localapi.EnvSocket, "path of the agent's socket, if --socket is not given"},
		{"NO_COLOR", "no colours, whatever its value"},
		{"COLUMNS", "how wide lines may be; else as wide as the terminal"},
		{"ACCESSIBLE", "lists in place of tables, whatever its value, as for a screen reader"},
		{"LANG, LC_ALL", "the language, English or German, and whether there is more than ASCII"},
	}
)

// helpWidth is how wide help is at most: longer lines read badly.
const helpWidth = 92

func (a *app) helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "show this, or the help of a command", GroupID: groupRest, DisableFlagsInUseLine: true,
		Long:    "Shows what there is, or what a command does, with an example.",
		Example: "postern help login\npostern login --help",
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			var names []cobra.Completion
			for _, c := range shown(root) {
				names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: a.run(func(_ context.Context, args []string) (int, error) {
			if len(args) > 1 {
				return 0, a.usage("postern help", a.said().Usage.OneCommand)
			}
			c := root
			if len(args) == 1 {
				var err error
				if c, _, err = root.Find(args); err != nil || c == root {
					return 0, a.unknownCommand(root, args[0])
				}
			}
			return exitOK, a.print(a.helpText(c))
		}),
	}
}

// shown are the commands that people are told of.
func shown(root *cobra.Command) []*cobra.Command {
	var out []*cobra.Command
	for _, g := range root.Groups() {
		for _, c := range root.Commands() {
			if c.GroupID == g.ID && !c.Hidden {
				out = append(out, c)
			}
		}
	}
	return out
}

// helpText is the help of the program, or of one command.
func (a *app) helpText(c *cobra.Command) string {
	p := a.page()
	p.width = min(max(p.width, 0), helpWidth)
	if p.width == 0 {
		p.width = helpWidth
	}
	if c.HasParent() {
		p.say(0, "Usage: "+useLine(c))
		p.blank()
	}
	p.paragraphs(c.Long)
	if !c.HasParent() {
		p.blank()
		p.say(0, "Usage: postern [flags] command [flags]")
		commandsText(p, c)
	}
	// Cobra adds its flag of help when a command runs; here it may not have.
	c.InitDefaultHelpFlag()
	flagsText(p, "Flags", c.LocalNonPersistentFlags())
	if c.HasParent() {
		flagsText(p, "Flags of every command", c.InheritedFlags())
	} else {
		flagsText(p, "Flags of every command", c.PersistentFlags())
		pairs(p, "Environment", variables)
		pairs(p, "Exit codes", codes)
	}
	p.blank()
	p.say(0, "Examples:")
	for example := range strings.Lines(c.Example) {
		// A command is not folded: it is there to be copied.
		p.WriteString("  " + p.plain(strings.TrimSpace(example)) + "\n")
	}
	return p.String()
}

func useLine(c *cobra.Command) string { return c.UseLine() + " [flags]" }

func commandsText(p *page, root *cobra.Command) {
	for _, g := range root.Groups() {
		var rows [][2]string
		for _, c := range shown(root) {
			if c.GroupID == g.ID {
				rows = append(rows, [2]string{c.Name(), c.Short})
			}
		}
		pairs(p, g.Title, rows)
	}
}

// flagsText lists flags by their name.
func flagsText(p *page, title string, set *pflag.FlagSet) {
	var rows [][2]string
	for _, f := range flagsOf(set) {
		rows = append(rows, [2]string{f.name, f.text})
	}
	pairs(p, title, rows)
}

// flagLine is a flag as help and manual pages show it.
type flagLine struct{ name, text string }

func flagsOf(set *pflag.FlagSet) []flagLine {
	var out []flagLine
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, text := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if value != "" {
			name += " " + value
		}
		if f.Name == "help" {
			text = "show this help"
		}
		out = append(out, flagLine{name, text})
	})
	return out
}

// pairs lists names with what they mean, below a title; nothing if there are
// none.
func pairs(p *page, title string, list [][2]string) {
	if len(list) == 0 {
		return
	}
	rows := make([][]cell, len(list))
	for i, r := range list {
		rows[i] = []cell{{r[0], ""}, {r[1], ""}}
	}
	p.blank()
	p.say(0, title+":")
	p.table(2, rows)
}

func (a *app) print(text string) error {
	if _, err := io.WriteString(a.out, text); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// paragraphs writes a text whose paragraphs stand between empty lines.
func (p *page) paragraphs(text string) {
	for i, par := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			p.blank()
		}
		p.say(0, strings.Join(strings.Fields(par), " "))
	}
}
