package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/loopback"
	"github.com/postern-zt/postern/platform/browser"
)

// signInPatience is how long a person has for the sign-in page; giveUp how long
// the agent is asked to forget it.
const (
	signInPatience = 5 * time.Minute
	giveUp         = 3 * time.Second
)

func loginCommand() command {
	return command{
		name: "login", summary: "sign in with your browser",
		help: `Opens your organisation's sign-in page in your browser and waits, at most five
minutes, until you are signed in. Ctrl-C cancels. With --json the first line on
standard output is {"url": …}, the last one the status after the sign-in.

Example: postern login --no-browser
`,
		prepare: func(a *app, fs *flag.FlagSet) func(context.Context) (int, error) {
			noBrowser := fs.Bool("no-browser", false, "print the link instead of opening it")
			return func(ctx context.Context) (int, error) { return exitOK, a.login(ctx, *noBrowser) }
		},
	}
}

func (a *app) login(ctx context.Context, noBrowser bool) error {
	receiver, err := loopback.Listen()
	if err != nil {
		return err
	}
	defer receiver.Close()
	c := a.agent()
	defer c.Close()
	begun, err := c.StartSignIn(ctx, receiver.RedirectURI())
	if err != nil {
		return err
	}
	if err := a.show(ctx, begun.URL, noBrowser); err != nil {
		return errors.Join(err, a.cancel(ctx, c, begun.ID))
	}
	patience := signInPatience
	if ms := begun.ExpiresInMS; ms > 0 {
		patience = min(patience, time.Duration(ms)*time.Millisecond)
	}
	wait, stop := context.WithTimeout(ctx, patience)
	defer stop()
	res, err := receiver.Wait(wait, begun.State)
	if err != nil {
		return signInEnded(err, a.cancel(ctx, c, begun.ID))
	}
	st, err := c.FinishSignIn(ctx, localapi.Finish{ID: begun.ID, Code: res.Code, State: res.State,
		Iss: res.Iss, Error: res.Error, ErrorDescription: res.ErrorDescription})
	if res.Error != "" {
		return refusal(res) // the agent knows now; its answer says no more
	}
	if err != nil {
		return err
	}
	return a.welcome(st, c.Socket())
}

// show brings the person to the sign-in page.
func (a *app) show(ctx context.Context, url string, noBrowser bool) error {
	if a.json {
		data, err := json.Marshal(map[string]string{"url": url})
		if err != nil {
			return fmt.Errorf("write JSON: %w", err)
		}
		if err := a.print(string(data) + "\n"); err != nil {
			return err
		}
	}
	if !noBrowser {
		fmt.Fprintln(a.err, "Opening your browser to sign in …")
		err := browser.Open(ctx, url)
		if err == nil {
			fmt.Fprintln(a.err, "Waiting until you have signed in there. Ctrl-C cancels.")
			return nil
		}
		if errors.Is(err, browser.ErrNotAllowed) || ctx.Err() != nil {
			return err
		}
		fmt.Fprintln(a.err, "No browser could be opened.")
	}
	fmt.Fprintln(a.err, "Open this link in a browser on this computer. Ctrl-C cancels.")
	if a.json {
		return nil
	}
	return a.print(plain(url) + "\n")
}

// cancel gives the sign-in up, also when ctx has ended already.
func (a *app) cancel(ctx context.Context, c *localapi.Client, id string) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), giveUp)
	defer stop()
	_, err := c.CancelSignIn(ctx, id)
	return err
}

// signInEnded says why there was no redirect. That the agent could not be told
// changes nothing: the sign-in expires by itself.
func signInEnded(err, _ error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return &failure{Code: codeCancelled, Message: "The sign-in was cancelled.", exit: exitError}
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{Code: codeTimedOut, Message: "Nobody signed in within the time for it.", Hint: "Begin again with: postern login", exit: exitError}
	}
	return err
}

// refusal puts a provider's error into words (RFC 6749 section 4.1.2.1; OpenID
// Connect Core 1.0 section 3.1.2.6).
func refusal(res loopback.Result) error {
	f := &failure{Code: localapi.CodeSignInRefused, exit: exitError, Hint: "Ask your administrator, and give them this: " + res.Error}
	switch res.Error {
	case "access_denied":
		f.Message = "The sign-in page said that you may not sign in, or the sign-in was declined there."
	case "login_required", "interaction_required", "account_selection_required", "consent_required":
		f.Message = "The sign-in page needs you to do something that it did not ask for."
	case "temporarily_unavailable", "server_error":
		f.Message, f.Hint = "Your organisation's sign-in page has trouble of its own.", "Try again in a few minutes."
	case "unauthorized_client", "invalid_request", "invalid_scope", "unsupported_response_type", "invalid_client":
		f.Message = "Your organisation's sign-in page is not set up for Postern."
	default:
		f.Message = "Your organisation's sign-in page refused the sign-in."
	}
	if res.ErrorDescription != "" {
		f.Message += " It says: " + res.ErrorDescription
	}
	return f
}

func (a *app) welcome(s localapi.Status, socket string) error {
	s.Socket = socket
	if a.json {
		data, err := json.Marshal(s.Filled()) // one line, as the first was
		if err != nil {
			return fmt.Errorf("write JSON: %w", err)
		}
		return a.print(string(data) + "\n")
	}
	text, colour := headline(s)
	if s.User != nil {
		text = "Signed in as " + person(*s.User) + ". " + text
	}
	return a.print(a.paint(colour, plain(text)) + "\n")
}

func logoutCommand() command {
	return command{
		name: "logout", summary: "sign out and close every application",
		help: `Ends your session. Every application closes at once.

Example: postern logout
`,
		prepare: func(a *app, _ *flag.FlagSet) func(context.Context) (int, error) {
			return func(ctx context.Context) (int, error) {
				c := a.agent()
				defer c.Close()
				s, err := c.SignOut(ctx)
				if err != nil {
					return 0, err
				}
				if a.json {
					s.Socket = c.Socket()
					return exitOK, a.writeJSON(s.Filled())
				}
				return exitOK, a.print("Signed out.\n")
			}
		},
	}
}
