package main

import (
	"context"

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
		Example:           "postern open wiki\npostern open wiki --print\npostern open --status",
		SuggestFor:        []string{"start", "launch", "browse", "go", "page"},
		ValidArgsFunction: a.completeApps,
		Args: func(c *cobra.Command, args []string) error {
			if f.status {
				return a.noArgs(c, args)
			}
			return a.oneApp(c, args)
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
	if err := a.session(s); err != nil {
		return 0, err
	}
	in := a.input(s)
	x, err := a.pick(view.New(in).Apps, name)
	if err != nil {
		return 0, err
	}
	if x.URL == "" {
		return 0, a.closedApp(in, x)
	}
	w := a.said().Open
	if !only {
		if err := browser.Open(ctx, x.URL); err != nil {
			if ctx.Err() != nil {
				return 0, err
			}
			return 0, &failure{Code: codeError, Message: fill(w.NoBrowser, "app", x.Name), Hint: fill(w.Yourself, "url", x.URL), exit: exitError}
		}
	}
	if a.json {
		return exitOK, a.writeJSON(map[string]string{"id": x.ID, "url": x.URL})
	}
	if only {
		return exitOK, a.print(plain(x.URL) + "\n")
	}
	return exitOK, a.print(a.clean(fill(w.Opened, "app", x.Name, "url", x.URL)) + "\n")
}

// closedApp says why there is nothing to open, and what helps.
func (a *app) closedApp(in view.Input, x view.App) error {
	w := a.said().Open
	f := &failure{Code: codeAppClosed, Hint: fill(w.Explain, "command", "postern explain "+x.ID), exit: exitError}
	if x.Good { // an application that is not for browsers
		f.Message, f.Hint = fill(w.NoPage, "app", x.Name), fill(w.Connect, "address", x.Address)
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
	if in.Status.Pause != nil {
		f.Hint = fill(w.EndPause, "command", "postern resume")
	}
	if code := exitOf(in.Status); code != exitOK {
		f.exit = code
	}
	return f
}
