package main

import (
	"context"
	"flag"
	"fmt"
	"strings"

	"github.com/postern-zt/postern/client/localapi"
)

func statusCommand() command {
	return command{
		name: "status", summary: "say how this computer stands, and what to do",
		help: `Says whether you are signed in, whether this computer meets the requirements, which
applications can be reached and, if not, why and how to fix it. The exit code is 3
when it does not meet the requirements and 4 when nobody is signed in.

Example: postern status --json | jq -r '.apps[] | select(.state=="ready") | .url'
`,
		prepare: func(a *app, _ *flag.FlagSet) func(context.Context) (int, error) {
			return func(ctx context.Context) (int, error) {
				s, err := a.status(ctx)
				if err != nil {
					return 0, err
				}
				if a.json {
					return exitOf(s), a.writeJSON(s)
				}
				return exitOf(s), a.print(a.statusText(s))
			}
		},
	}
}

func appsCommand() command {
	return command{
		name: "apps", summary: "list the applications",
		help: `Lists the applications with their state, where to open them and how long the present
lease lasts if nothing renews it. Exit codes are those of: postern status

Example: postern apps
`,
		prepare: func(a *app, _ *flag.FlagSet) func(context.Context) (int, error) {
			return func(ctx context.Context) (int, error) {
				s, err := a.status(ctx)
				if err != nil {
					return 0, err
				}
				if a.json {
					return exitOf(s), a.writeJSON(struct {
						Socket string         `json:"socket"`
						State  string         `json:"state"`
						Apps   []localapi.App `json:"apps"`
					}{s.Socket, s.State, s.Apps})
				}
				var b strings.Builder
				a.appsText(&b, s)
				return exitOf(s), a.print(b.String())
			}
		},
	}
}

func (a *app) status(ctx context.Context) (localapi.Status, error) {
	c := a.agent()
	defer c.Close()
	s, err := c.Status(ctx)
	s.Socket = c.Socket() // the one that was used, whatever the agent calls it
	return s.Filled(), err
}

func exitOf(s localapi.Status) int {
	switch s.State {
	case localapi.StateNotCompliant:
		return exitNotCompliant
	case localapi.StateSignedOut:
		return exitSignedOut
	}
	return exitOK
}

// headline is the one sentence for a state, with its colour.
func headline(s localapi.Status) (text, colour string) {
	switch s.State {
	case localapi.StateSignedOut:
		return "You are not signed in.", doubtful
	case localapi.StateStarting:
		return "You are signed in; the broker's first answer is not here yet.", doubtful
	case localapi.StateOffline:
		return "The broker cannot be reached; what is open stays open until its lease ends.", doubtful
	case localapi.StateCompliant:
		return "This computer meets the requirements.", good
	case localapi.StateLimited:
		return "This computer meets some requirements; access is limited.", doubtful
	case localapi.StateNotCompliant:
		return "This computer does not meet the requirements.", bad
	}
	return "The agent is in a state that this command does not know: " + s.State, bad
}

func (a *app) statusText(s localapi.Status) string {
	var b strings.Builder
	text, colour := headline(s)
	b.WriteString(a.paint(colour, plain(text)) + "\n")
	// Without a reason, "signed out" needs no more words than the two lines here.
	if s.Message != "" && s.Message != text && (s.State != localapi.StateSignedOut || len(s.Reasons) > 0) {
		say(&b, "%s", s.Message)
	}
	for _, code := range s.Reasons {
		a.because(&b, "", s, code)
	}
	if s.State == localapi.StateSignedOut {
		say(&b, "Sign in with: postern login")
	}
	b.WriteString("\n")
	a.table(&b, "", about(s))
	a.checksText(&b, s)
	b.WriteString("\n")
	a.appsText(&b, s)
	for _, f := range s.Forecast {
		b.WriteString("\n")
		say(&b, "%s will be required from %s (%s). %s", f.Name, f.From, f.Code, f.Remedy.Text)
	}
	if r := s.LastRevocation; r != nil {
		say(&b, "Last closed: %s at %s because of %s, within %.1f ms.", r.App, r.At.Local().Format("2006-01-02 15:04:05"), r.Cause, r.ClientMS)
	}
	return b.String()
}

// about lists who, where and with which key.
func about(s localapi.Status) [][]cell {
	var rows [][]cell
	add := func(name, format string, args ...any) {
		rows = append(rows, []cell{{name, ""}, {fmt.Sprintf(format, args...), ""}})
	}
	if s.User != nil {
		add("Signed in as", "%s", person(*s.User))
	}
	switch {
	case s.Broker.URL == "":
		add("Broker", "none configured")
	case s.Broker.Reachable:
		add("Broker", "%s", s.Broker.URL)
	default:
		add("Broker", "%s (not reachable)", s.Broker.URL)
	}
	if skew := s.Broker.ClockSkewMS; skew > 60_000 || skew < -60_000 { // protocol, "Sign in"
		add("Clock", "%d s off the broker's", skew/1000)
	}
	if s.Device.Enrolled {
		add("Device", "%s", s.Device.ID)
	} else {
		add("Device", "not enrolled")
	}
	if k := s.Device.Key; k.Protection != "" {
		proven := k.Attested
		if proven == "" || proven == "none" {
			proven = "nothing"
		}
		add("Device key", "%s (proven to the broker: %s)", k.Protection, proven)
	}
	if s.Device.HardwareReason != "" {
		add("Hardware", "%s (%s)", s.Device.HardwareID, s.Device.HardwareReason)
	}
	add("Agent", "%s %s", s.Scope, s.Version)
	return rows
}

func person(u localapi.User) string {
	switch {
	case u.Name != "" && u.Email != "":
		return u.Name + " <" + u.Email + ">"
	case u.Email != "":
		return u.Email
	case u.Name != "":
		return u.Name
	}
	return u.Subject
}

// checksText lists what did not pass, with the fix.
func (a *app) checksText(b *strings.Builder, s localapi.Status) {
	for _, c := range s.Posture.Checks {
		if c.Outcome == "pass" {
			continue
		}
		mark, colour := "Required", bad
		if !c.Enforced {
			mark, colour = "Advised", doubtful
		}
		b.WriteString("\n" + a.paint(colour, mark) + ": " + plain(fmt.Sprintf("%s (%s)", c.Name, c.Code)) + "\n")
		if len(c.Missing) > 0 {
			say(b, "  could not be read: %s", strings.Join(c.Missing, ", "))
		}
		if c.Remedy.Text != "" {
			say(b, "  fix: %s", c.Remedy.Text)
		}
	}
}

// appsText lists the applications, with what stands in the way of each.
func (a *app) appsText(b *strings.Builder, s localapi.Status) {
	if len(s.Apps) == 0 {
		b.WriteString("No applications.\n")
		return
	}
	rows := make([][]cell, len(s.Apps))
	for i, p := range s.Apps {
		colour := doubtful
		switch p.State {
		case localapi.AppReady, localapi.AppOpen:
			colour = good
		case localapi.AppDenied:
			colour = bad
		}
		at := p.URL
		if at == "" {
			at = p.LocalAddress
		}
		rows[i] = []cell{{p.Name, strong}, {p.State, colour}, {at, ""}, {lease(p.LeaseRemainingMS), ""}}
	}
	var lines strings.Builder
	a.table(&lines, "", rows)
	for i, line := range strings.SplitAfter(strings.TrimSuffix(lines.String(), "\n"), "\n") {
		b.WriteString(strings.TrimSuffix(line, "\n") + "\n")
		for _, code := range s.Apps[i].Reasons {
			a.because(b, "  ", s, code)
		}
	}
}

// because explains a reason code: by the check of that code, else by the
// catalogue, else by the code alone.
func (a *app) because(b *strings.Builder, indent string, s localapi.Status, code string) {
	text, fix := sentence(code)
	for _, c := range s.Posture.Checks {
		if c.Code == code {
			text, fix = c.Name, c.Remedy.Text
		}
	}
	if text == "" {
		say(b, "%s%s", indent, code)
		return
	}
	say(b, "%s%s (%s)", indent, text, code)
	if fix != "" {
		say(b, "%s  fix: %s", indent, fix)
	}
}
