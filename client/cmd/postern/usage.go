package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usage is wrong usage of a command, which is named by its path.
func (a *app) usage(path, why string) *failure {
	return &failure{Code: codeUsage, Message: path + ": " + why, Hint: fill(a.said().Usage.See, "command", helpOf(path)), exit: exitUsage}
}

// helpOf is the command that shows the help of a command path.
func helpOf(path string) string {
	const program = "postern"
	if len(path) > len(program) {
		return program + " help" + path[len(program):]
	}
	return program + " help"
}

// flagError says what is wrong with a flag in plain words.
func (a *app) flagError(c *cobra.Command, err error) error {
	w := a.said().Usage
	var none *pflag.NotExistError
	var empty *pflag.ValueRequiredError
	var value *pflag.InvalidValueError
	switch {
	case errors.As(err, &none):
		name := none.GetSpecifiedName()
		f := a.usage(c.CommandPath(), fill(w.UnknownFlag, "flag", dashed(name)))
		var names []string
		for _, set := range []*pflag.FlagSet{c.LocalFlags(), c.InheritedFlags()} {
			set.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		}
		if near := nearest(name, names); len(name) > 1 && len(near) > 0 {
			f.Hint = fill(w.Meant, "list", dashed(near[0]))
		}
		return f
	case errors.As(err, &empty):
		return a.usage(c.CommandPath(), fill(w.NeedsValue, "flag", dashed(empty.GetSpecifiedName())))
	case errors.As(err, &value):
		return a.usage(c.CommandPath(), fill(w.BadValue, "flag", "--"+value.GetFlag().Name, "value", value.GetValue()))
	}
	return a.usage(c.CommandPath(), err.Error()+".")
}

func dashed(flag string) string {
	if len(flag) == 1 {
		return "-" + flag
	}
	return "--" + flag
}

// unknownCommand suggests the command that was meant.
func (a *app) unknownCommand(root *cobra.Command, name string) error {
	w := a.said().Usage
	f := a.usage("postern", fill(w.UnknownCommand, "name", name))
	if near := suggestions(root, name); len(near) > 0 {
		f.Hint = fill(w.Meant, "list", "postern "+strings.Join(near, ", postern "))
	}
	return f
}

// suggestions are the commands that somebody may have meant: by another word
// for them first, else by what is spelt alike.
func suggestions(root *cobra.Command, name string) []string {
	var names []string
	for _, c := range shown(root) {
		for _, word := range c.SuggestFor {
			if strings.EqualFold(word, name) {
				return []string{c.Name()}
			}
		}
		names = append(names, c.Name())
	}
	return nearest(name, names)
}

// noArgs takes no argument.
func (a *app) noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return a.usage(c.CommandPath(), fill(a.said().Usage.NoArgument, "word", args[0]))
	}
	return nil
}

// one takes exactly one argument.
func (a *app) one(none, more string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch len(args) {
		case 1:
			return nil
		case 0:
			return a.usage(c.CommandPath(), none)
		}
		return a.usage(c.CommandPath(), more)
	}
}

// oneApp takes exactly one application.
func (a *app) oneApp(c *cobra.Command, args []string) error {
	w := a.said().Usage
	return a.one(w.NoApp, w.OneApp)(c, args)
}
