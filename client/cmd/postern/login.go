package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/login"
	"github.com/postern-zt/postern/client/loopback"
	"github.com/postern-zt/postern/client/state"
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
		Example:    "postern login\npostern login --no-browser\npostern login --switch",
		SuggestFor: []string{"signin", "sign-in", "auth", "authenticate", "switch"},
		Args:       a.noArgs,
		RunE: a.run(func(ctx context.Context, _ []string) (int, error) {
			return exitOK, a.login(ctx, f)
		}),
	}
	c.Flags().BoolVar(&f.noBrowser, "no-browser", false, "print the link instead of opening it")
	c.Flags().BoolVar(&f.switchUser, "switch", false, "have the sign-in page ask who you are, to sign in as somebody else")
	return c
}

func (a *app) login(ctx context.Context, f loginFlags) error {
	c := a.agent()
	defer c.Close()
	if !f.switchUser {
		a.already(ctx, c)
	}
	st, err := a.signIn(ctx, login.Flow{Agent: c, Switch: f.switchUser, ByHand: f.noBrowser || remote(a.getenv)})
	switch {
	case errors.Is(err, context.Canceled):
		return &failure{Code: codeCancelled, Message: a.said().Session.Cancelled, exit: exitError}
	case err != nil:
		return err
	}
	return a.welcome(named(a.settle(ctx, c, st), c))
}

// signIn signs in with a browser here or, by hand, with a link that may be
// opened anywhere. Where no browser opens it begins anew by hand: the answer
// must then come in the address, which the person can copy.
func (a *app) signIn(ctx context.Context, f login.Flow) (localapi.Status, error) {
	noBrowser := false
	f.Show = func(ctx context.Context, at login.Page) error {
		if f.ByHand {
			return a.showLink(at.Anywhere)
		}
		err := a.openPage(ctx, at)
		noBrowser = err != nil && ctx.Err() == nil && !errors.Is(err, browser.ErrNotAllowed)
		return err
	}
	f.Await = func(ctx context.Context, r *loopback.Receiver, state string) (loopback.Result, error) {
		return a.await(ctx, r, state, f.ByHand)
	}
	st, err := f.Run(ctx)
	if noBrowser {
		a.warn("%s", a.said().Session.NoBrowser)
		f.ByHand = true
		return a.signIn(ctx, f)
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
	for undecided(s) {
		a.progress(a.said().Session.Asking)
		next, err := a.next(ctx, c, s)
		if err != nil {
			return s // what is known already is true still
		}
		s = next
	}
	return s
}

// undecided reports whether the broker has not answered for every application.
func undecided(s localapi.Status) bool {
	waits := func(x localapi.App) bool {
		return x.State == localapi.AppClosed && (len(x.Reasons) == 0 || slices.Equal(x.Reasons, []string{state.CausePaused}))
	}
	return s.State == localapi.StateStarting || s.User != nil && s.Pause == nil && slices.ContainsFunc(s.Apps, waits)
}

// already tells who is signed in: it may be that the person wants to be somebody
// else, or has not looked.
func (a *app) already(ctx context.Context, c *localapi.Client) {
	s, err := c.Status(ctx)
	if err != nil || a.session(s) != nil || a.json {
		return // what is wrong the sign-in itself will say
	}
	a.warn("%s", fill(a.said().Session.Already, "who", view.New(a.input(s)).Person))
}

// openPage brings the person to the sign-in page in a browser here.
func (a *app) openPage(ctx context.Context, at login.Page) error {
	a.warn("%s", a.said().Session.OpeningBrowser)
	if err := browser.Open(ctx, at.Here); err != nil {
		return err
	}
	a.warn("%s", a.said().Session.WaitingThere)
	return a.sayLink(at.Anywhere)
}

// showLink gives the person the link of the sign-in page.
func (a *app) showLink(url string) error {
	a.warn("%s", a.said().Session.OpenLink)
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
		p.say(0, fill(p.words.Session.SignedInAs, "who", v.Person))
	}
	p.head(v)
	return a.print(p.String())
}

func (a *app) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use: "logout", Short: "sign out and close every application",
		Long:       "Ends your session. Every application closes at once.",
		Example:    "postern logout",
		SuggestFor: []string{"signout", "sign-out", "logoff", "exit", "quit"},
		Args:       a.noArgs,
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
			return exitOK, a.print(a.clean(a.said().Session.SignedOut) + "\n")
		}),
	}
}

// remaining is what is left of a deadline, as minutes and seconds.
func remaining(d time.Duration) string {
	s := int(max(d, 0).Round(time.Second) / time.Second)
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
