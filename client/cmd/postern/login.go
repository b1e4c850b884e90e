package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/login"
	"github.com/postern-zt/postern/client/loopback"
	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/platform/browser"
)

// firstAnswer is how long a person who watches waits for the broker's first
// answer after the sign-in.
const firstAnswer = 5 * time.Second

// loginFlags are the command's own flags.
type loginFlags struct{ noBrowser, switchUser bool }

func (a *app) loginCommand() *cobra.Command {
	var f loginFlags
	c := &cobra.Command{
		Use: "login", Short: "sign in with your browser",
		Long: `Opens your organisation's sign-in page in your browser and waits, at most five minutes, until you are signed in. Ctrl-C cancels. With --json the first line on standard output is {"url": …}, the last one the status after the sign-in.

With --no-browser, and over SSH without a display, the link is printed. Open it on any computer. If that is another one, the sign-in ends there at an address that does not open: copy that address from the browser, paste it into the terminal and press Enter.`,
		Example: "postern login --no-browser",
		Args:    noArgs,
		RunE: a.run(func(ctx context.Context, _ []string) (int, error) {
			return exitOK, a.login(ctx, f)
		}),
	}
	c.Flags().BoolVar(&f.noBrowser, "no-browser", false, "print the link instead of opening it")
	c.Flags().BoolVar(&f.switchUser, "switch", false, "sign out first, to sign in as somebody else")
	return c
}

func (a *app) login(ctx context.Context, f loginFlags) error {
	c := a.agent()
	defer c.Close()
	if f.switchUser {
		if err := a.leave(ctx, c); err != nil {
			return err
		}
	}
	st, err := a.signIn(ctx, c, f.noBrowser || remote(a.getenv))
	switch {
	case errors.Is(err, context.Canceled):
		return &failure{Code: codeCancelled, Message: "The sign-in was cancelled.", exit: exitError}
	case err != nil:
		return err
	}
	return a.welcome(named(a.settle(ctx, c, st), c))
}

// signIn signs in with a browser here or, by hand, with a link that may be
// opened anywhere. Where no browser opens it begins anew by hand: the answer
// must then come in the address, which the person can copy.
func (a *app) signIn(ctx context.Context, c *localapi.Client, byHand bool) (localapi.Status, error) {
	noBrowser := false
	st, err := login.Flow{
		Agent: c, ByHand: byHand,
		Show: func(ctx context.Context, url string) error {
			if byHand {
				return a.showLink(url)
			}
			err := a.openPage(ctx, url)
			noBrowser = err != nil && ctx.Err() == nil && !errors.Is(err, browser.ErrNotAllowed)
			return err
		},
		Await: func(ctx context.Context, r *loopback.Receiver, state string) (loopback.Result, error) {
			return a.await(ctx, r, state, byHand)
		},
	}.Run(ctx)
	if noBrowser {
		a.warn("No browser could be opened.")
		return a.signIn(ctx, c, true)
	}
	return st, err
}

// settle gives the broker a moment for its first answer, where a person waits
// and watches.
func (a *app) settle(ctx context.Context, c *localapi.Client, s localapi.Status) localapi.Status {
	if a.json || !moves(a.errTerm, a.getenv) {
		return s
	}
	ctx, stop := context.WithTimeout(ctx, firstAnswer)
	defer stop()
	defer a.progress("")
	for s.State == localapi.StateStarting {
		a.progress("Signed in. Asking your organisation …")
		next, err := a.next(ctx, c, s)
		if err != nil {
			return s // what is known already is true still
		}
		s = next
	}
	return s
}

// leave signs out whoever is signed in.
func (a *app) leave(ctx context.Context, c *localapi.Client) error {
	s, err := c.Status(ctx)
	if err != nil || s.User == nil {
		return err
	}
	if _, err := c.SignOut(ctx); err != nil {
		return err
	}
	a.warn("Signed out.")
	return nil
}

// openPage brings the person to the sign-in page in a browser here.
func (a *app) openPage(ctx context.Context, url string) error {
	a.warn("Opening your browser to sign in …")
	if err := browser.Open(ctx, url); err != nil {
		return err
	}
	a.warn("Waiting until you have signed in there. Ctrl-C cancels.")
	return a.sayLink(url)
}

// showLink gives the person the link of the sign-in page.
func (a *app) showLink(url string) error {
	a.warn("Open this link in a browser. Ctrl-C cancels.")
	if a.json {
		return a.sayLink(url)
	}
	return a.print(plain(url) + "\n")
}

// sayLink is the first line of what programs read.
func (a *app) sayLink(url string) error {
	if !a.json {
		return nil
	}
	return a.writeLine(map[string]string{"url": url})
}

// remote reports whether the person sits at another computer: a browser that
// was opened here would be on a screen that nobody looks at (ssh(1),
// "ENVIRONMENT"), as on macOS and Windows. With X11 forwarding there is a
// display, and $BROWSER is the person's own choice.
func remote(getenv func(string) string) bool {
	return getenv("SSH_CONNECTION") != "" && getenv("DISPLAY") == "" && getenv("WAYLAND_DISPLAY") == "" && getenv("BROWSER") == ""
}

func (a *app) welcome(s localapi.Status) error {
	if a.json {
		return a.writeLine(s) // one line, as the first was
	}
	v := view.New(a.input(s))
	p := a.page()
	if s.User != nil {
		p.say(0, "Signed in as "+v.Person+".")
	}
	p.head(v)
	return a.print(p.String())
}

func (a *app) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use: "logout", Short: "sign out and close every application",
		Long:    "Ends your session. Every application closes at once.",
		Example: "postern logout",
		Args:    noArgs,
		RunE: a.run(func(ctx context.Context, _ []string) (int, error) {
			c := a.agent()
			defer c.Close()
			s, err := c.SignOut(ctx)
			if err != nil {
				return 0, err
			}
			if a.json {
				return exitOK, a.writeJSON(named(s, c))
			}
			return exitOK, a.print("Signed out.\n")
		}),
	}
}

// remaining is what is left of a deadline, as minutes and seconds.
func remaining(d time.Duration) string {
	s := int(max(d, 0).Round(time.Second) / time.Second)
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
