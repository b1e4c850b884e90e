package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/platform/browser"
)

// openFlags are the command's own flags.
type openFlags struct{ print, status bool }

func (a *app) openCommand() *cobra.Command {
	var f openFlags
	c := &cobra.Command{
		Use: "open APP", Short: "open an application in your browser",
		Long: `Opens an application in your browser. It is named by its id or its name, or by the beginning of one if no other begins so. If it is closed, you are told why, and what helps. Without a browser, as over SSH, use --print.

With --status it opens the status page, which shows all that "postern status" does and more. The page is there until Ctrl-C, or until nobody has looked at it for five minutes. Its link works once.`,
		Example:           "postern open wiki",
		ValidArgsFunction: a.completeApps,
		Args: func(c *cobra.Command, args []string) error {
			if f.status {
				return noArgs(c, args)
			}
			return one("an application; see them with: postern apps")(c, args)
		},
		RunE: a.run(func(ctx context.Context, args []string) (int, error) {
			if f.status {
				return exitOK, a.openStatus(ctx, f.print)
			}
			return a.open(ctx, args[0], f.print)
		}),
	}
	c.Flags().BoolVar(&f.print, "print", false, "only print the address")
	c.Flags().BoolVar(&f.status, "status", false, "open the status page")
	return c
}

func (a *app) open(ctx context.Context, name string, only bool) (int, error) {
	s, err := a.status(ctx)
	if err != nil {
		return 0, err
	}
	in := a.input(s)
	x, err := pick(view.New(in).Apps, name)
	if err != nil {
		return 0, err
	}
	if x.URL == "" {
		return 0, closedApp(in, x)
	}
	if !only {
		if err := browser.Open(ctx, x.URL); err != nil {
			return 0, &failure{Code: codeError, Message: fmt.Sprintf("%s is open, but no browser could be started here (%v).", x.Name, err),
				Hint: "Open it yourself: " + x.URL, exit: exitError}
		}
	}
	if a.json {
		return exitOK, a.writeJSON(map[string]string{"id": x.ID, "url": x.URL})
	}
	if only {
		return exitOK, a.print(plain(x.URL) + "\n")
	}
	return exitOK, a.print(plain("Opened "+x.Name+": "+x.URL) + "\n")
}

// pick finds the application that a person means: by its id, its name, or the
// beginning of one, if only one begins so.
func pick(apps []view.App, name string) (view.App, error) {
	ways := []func(view.App) bool{
		func(x view.App) bool { return x.ID == name },
		func(x view.App) bool { return strings.EqualFold(x.ID, name) || strings.EqualFold(x.Name, name) },
		func(x view.App) bool { return begins(x.ID, name) || begins(x.Name, name) },
	}
	for _, is := range ways {
		var found []view.App
		for _, x := range apps {
			if is(x) {
				found = append(found, x)
			}
		}
		if len(found) == 1 {
			return found[0], nil
		}
		if len(found) > 1 {
			return view.App{}, &failure{Code: codeManyApps, Message: fmt.Sprintf("More than one application is meant by %q.", name),
				Hint: "Name one: " + strings.Join(ids(found), ", "), exit: exitError}
		}
	}
	return view.App{}, &failure{Code: codeNoApp, Message: fmt.Sprintf("There is no application %q.", name), Hint: meant(apps, name), exit: exitError}
}

func begins(s, prefix string) bool {
	return prefix != "" && strings.HasPrefix(strings.ToLower(s), strings.ToLower(prefix))
}

func ids(apps []view.App) []string {
	var out []string
	for _, x := range apps {
		out = append(out, x.ID)
	}
	return out
}

// meant suggests an application for a name that is none.
func meant(apps []view.App, name string) string {
	if len(apps) == 0 {
		return "You have no applications now; see: postern status"
	}
	byWord := map[string]string{}
	var words []string
	for _, x := range apps {
		byWord[x.ID], byWord[x.Name] = x.ID, x.ID
		words = append(words, x.ID, x.Name)
	}
	var near []string
	for _, w := range nearest(name, words) {
		if id := byWord[w]; len(near) == 0 || near[len(near)-1] != id {
			near = append(near, id)
		}
	}
	if len(near) > 0 {
		return "Did you mean: " + strings.Join(near, ", ")
	}
	return "See them with: postern apps"
}

// closedApp says why there is nothing to open, and what helps.
func closedApp(in view.Input, x view.App) error {
	f := &failure{Code: codeAppClosed, Hint: "See: postern explain " + x.ID, exit: exitError}
	if x.Good { // an application that is not for browsers
		f.Message, f.Hint = x.Name+" has no page to open.", "Connect to: "+x.Address
		return f
	}
	e := view.Explain(in, x.ID)
	f.Message = e.Says
	for _, do := range e.Do {
		if do.Text != "" {
			f.Hint = do.Text
			break
		}
	}
	if code := exitOf(in.Status); code != exitOK {
		f.exit = code
	}
	return f
}
