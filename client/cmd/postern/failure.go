package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/postern-zt/postern/client/localapi"
)

// failure is what a person is told: one sentence, a hint, a stable code.
type failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
	exit    int
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
)

func usage(what, why string) error {
	return &failure{Code: codeUsage, Message: what + ": " + why + ".", Hint: "See: postern help", exit: exitUsage}
}

// failureOf finds the words for any error.
func failureOf(err error) *failure {
	var f *failure
	var no *localapi.Refused
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &no):
		f = &failure{Code: no.Code, Message: no.Message, Hint: no.Hint, exit: exitError}
		if no.Code == localapi.CodeSignedOut {
			f.exit = exitSignedOut
		}
		return f
	case errors.Is(err, localapi.ErrNotRunning):
		return &failure{Code: codeNotRunning, Message: "No agent is running here.", Hint: startHint(), exit: exitNotRunning}
	case errors.Is(err, localapi.ErrNoAccess):
		return &failure{Code: codeNoAccess, Message: "The agent's socket belongs to another user of this computer.",
			Hint: "Run the command as that user, or choose another agent with --socket.", exit: exitError}
	case errors.Is(err, context.Canceled):
		return &failure{Code: codeCancelled, Message: "Cancelled.", exit: exitError}
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{Code: codeTimedOut, Message: "The agent did not answer in time.", Hint: "Try again; if it stays, restart the agent.", exit: exitError}
	}
	return &failure{Code: codeError, Message: fmt.Sprintf("It did not work: %v.", err), exit: exitError}
}

func startHint() string {
	return "Start your own with: posternd --user, or ask your administrator to start the system's."
}

// tell says what went wrong and gives the exit code.
func (a *app) tell(err error) int {
	f := failureOf(err)
	if a.json {
		data, merr := json.Marshal(map[string]*failure{"error": f})
		if merr == nil {
			fmt.Fprintf(a.out, "%s\n", data)
			return f.exit
		}
	}
	fmt.Fprintf(a.err, "postern: %s [%s]\n", plain(f.Message), plain(f.Code))
	if f.Hint != "" {
		fmt.Fprintf(a.err, "hint: %s\n", plain(f.Hint))
	}
	return f.exit
}
