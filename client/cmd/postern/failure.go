package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/postern-zt/postern/client/localapi"
)

// failure is what a person is told: one sentence, a hint, a stable code.
type failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
	exit    int
	agent   bool // it helps to know which agent was asked
}

func (f *failure) Error() string { return f.Message }

// Codes of failures of the command line itself.
const (
	codeUsage      = "usage"
	codeError      = "error"
	codeNotRunning = "agent_not_running"
	codeNoAccess   = "socket_not_yours"
	codeCancelled  = "cancelled"
	codeTimedOut   = "timed_out"
	codeNoApp      = "no_such_app"
	codeManyApps   = "ambiguous_app"
	codeAppClosed  = "app_closed"
)

func usage(what, why string) error {
	return &failure{Code: codeUsage, Message: what + ": " + why + ".", Hint: "See: " + helpOf(what), exit: exitUsage}
}

// helpOf is the command that shows the help of a command path.
func helpOf(path string) string {
	const program = "postern"
	if len(path) > len(program) {
		return program + " help" + path[len(program):]
	}
	return program + " help"
}

// failureOf finds the words for any error.
func failureOf(err error) *failure {
	var f *failure
	var no *localapi.Refused
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &no):
		return refusedFailure(no)
	case errors.Is(err, localapi.ErrNotRunning):
		return &failure{Code: codeNotRunning, Message: "No agent is running here.", Hint: startHint(), exit: exitNotRunning, agent: true}
	case errors.Is(err, localapi.ErrNoAccess):
		return &failure{Code: codeNoAccess, Message: "The agent's socket belongs to another user of this computer.",
			Hint: "Run the command as that user, or choose another agent with --socket.", exit: exitError, agent: true}
	case errors.Is(err, context.Canceled):
		return &failure{Code: codeCancelled, Message: "Cancelled.", exit: exitError}
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{Code: codeTimedOut, Message: "The agent did not answer in time.",
			Hint: "Try again; if it stays, restart the agent.", exit: exitError, agent: true}
	}
	return &failure{Code: codeError, Message: fmt.Sprintf("It did not work: %v.", err), exit: exitError}
}

// refusedFailure is an agent's no.
func refusedFailure(no *localapi.Refused) *failure {
	f := &failure{Code: no.Code, Message: no.Message, Hint: no.Hint, exit: exitError}
	switch no.Code {
	case localapi.CodeSignedOut:
		f.exit = exitSignedOut
	case localapi.CodeBadAnswer, localapi.CodeNotOwner:
		f.agent = true
	}
	return f
}

func startHint() string {
	return "Start your own with: posternd --user, or ask your administrator to start the system's."
}

// tell says what went wrong and gives the exit code.
func (a *app) tell(err error) int {
	f := failureOf(err)
	if a.json && a.writeLine(map[string]*failure{"error": f}) == nil {
		return f.exit
	}
	message := f.Message
	if !strings.HasPrefix(message, "postern") { // wrong usage names the command
		message = "postern: " + message
	}
	fmt.Fprintf(a.err, "%s [%s]\n", plain(message), plain(f.Code))
	if f.agent {
		fmt.Fprintf(a.err, "agent: %s\n", plain(a.socketPath()))
	}
	if f.Hint != "" {
		fmt.Fprintf(a.err, "hint: %s\n", plain(f.Hint))
	}
	return f.exit
}

// warn tells something on standard error that is no reason to stop.
func (a *app) warn(format string, args ...any) {
	fmt.Fprintln(a.err, plain(fmt.Sprintf(format, args...)))
}
