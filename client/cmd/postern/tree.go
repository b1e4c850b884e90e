package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

// Groups of the commands in the help.
const (
	groupDaily   = "daily"
	groupMachine = "machine"
	groupAccess  = "access"
	groupRest    = "rest"
)

// action is what a command does: the exit code, or an error to tell.
type action func(ctx context.Context, args []string) (int, error)

// run gives an action the shape that cobra wants.
func (a *app) run(do action) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		code, err := do(c.Context(), args)
		a.exit = code
		return err
	}
}

// root is the tree of all commands.
func (a *app) root() *cobra.Command {
	// What cobra would do for a program that was started from the Explorer: tell
	// the person to go away, and wait.
	cobra.MousetrapHelpText = ""
	cobra.EnableCommandSorting = false // the order of the help is ours
	root := &cobra.Command{
		Use:           "postern",
		Short:         "reach your organisation's applications, and see why not",
		Long:          "Postern lets this computer reach your organisation's applications while it meets the requirements.",
		Example:       "postern login && postern status",
		SilenceErrors: true, // told in one way only: failure.go
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
	}
	var version bool
	root.Flags().BoolVar(&version, "version", false, "what the command version says")
	root.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case len(args) == 0 && version:
			return a.version(c.Context())
		case len(args) == 0:
			return a.alone(root)
		}
		return a.unknownCommand(root, args[0])
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.PersistentFlags().StringVar(&a.socket, "socket", "", "`path` of the agent's socket")
	root.PersistentFlags().BoolVar(&a.json, "json", a.json, "write JSON to standard output")
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(a.flagError)
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { a.late = a.print(a.helpText(c)) })
	root.SetHelpCommand(a.helpCommand(root))
	root.AddGroup(
		&cobra.Group{ID: groupDaily, Title: "Every day"}, &cobra.Group{ID: groupMachine, Title: "This computer"},
		&cobra.Group{ID: groupAccess, Title: "Your access"}, &cobra.Group{ID: groupRest, Title: "The rest"})
	a.grow(root)
	return root
}

// grow adds the commands, each to its group, in the order of the help.
func (a *app) grow(root *cobra.Command) {
	for _, g := range []struct {
		id       string
		commands []*cobra.Command
	}{
		{groupDaily, []*cobra.Command{a.statusCommand(), a.appsCommand(), a.openCommand(), a.explainCommand()}},
		{groupMachine, []*cobra.Command{a.postureCommand(), a.checkCommand(), a.timelineCommand(), a.sentCommand()}},
		{groupAccess, []*cobra.Command{a.loginCommand(), a.logoutCommand(), a.pauseCommand(), a.resumeCommand()}},
		{groupRest, []*cobra.Command{a.configCommand(), a.versionCommand(), a.completionCommand(root), a.manCommand(root)}},
	} {
		for _, c := range g.commands {
			c.GroupID = g.id
			c.DisableFlagsInUseLine = true
			if c.ValidArgsFunction == nil && c.ValidArgs == nil {
				c.ValidArgsFunction = cobra.NoFileCompletions
			}
			root.AddCommand(c)
		}
	}
}

// alone is the program without a command: people get the help, and scripts an
// error.
func (a *app) alone(root *cobra.Command) error {
	none := a.usage("postern", a.said().Usage.NoCommand)
	if !a.json && a.errTerm != nil {
		fmt.Fprintln(a.err, a.helpText(root))
	}
	return none
}
