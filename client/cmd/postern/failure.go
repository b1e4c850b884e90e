package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/posture/catalogue"
)

// failure is what a person is told: one sentence, a hint, a stable code.
type failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
	detail  string // what the agent said of it, where the message is a translation
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

// failureOf finds the words for any error.
func (a *app) failureOf(err error) *failure {
	w := a.said().Fail
	var f *failure
	var no *localapi.Refused
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &no):
		return a.refusedFailure(no)
	case errors.Is(err, localapi.ErrNotRunning):
		return &failure{Code: codeNotRunning, Message: w.NotRunning, Hint: w.NotRunningHint, exit: exitNotRunning, agent: true}
	case brokeOff(err):
		return &failure{Code: codeNotRunning, Message: w.BrokeOff, Hint: w.BrokeOffHint, exit: exitNotRunning, agent: true}
	case errors.Is(err, localapi.ErrNoAccess):
		return &failure{Code: codeNoAccess, Message: w.NoAccess, Hint: w.NoAccessHint, exit: exitError, agent: true}
	case errors.Is(err, context.Canceled):
		return &failure{Code: codeCancelled, Message: w.Cancelled, exit: exitError}
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{Code: codeTimedOut, Message: w.TimedOut, Hint: w.TimedOutHint, exit: exitError, agent: true}
	}
	return &failure{Code: codeError, Message: fill(w.NotWorked, "why", err.Error()), exit: exitError}
}

// brokeOff reports whether the agent went away while it was asked.
func brokeOff(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// refusedFailure is an agent's no. Agents speak English; to others the
// catalogue's sentence is told, and the agent's own beside it.
func (a *app) refusedFailure(no *localapi.Refused) *failure {
	f := &failure{Code: no.Code, Message: sentence(no.Message), Hint: sentence(no.Hint), exit: exitError}
	switch no.Code {
	case localapi.CodeSignedOut:
		f.exit = exitSignedOut
	case localapi.CodeBadAnswer, localapi.CodeNotOwner:
		f.agent = true
	}
	w := a.said()
	if w.Language == catalogue.English {
		return f
	}
	if e, ok := catalogue.For(w.Language).Lookup(no.Code); ok {
		if original, _ := catalogue.Lookup(no.Code); original.Sentence != no.Message {
			f.detail = no.Message
		}
		f.Message, f.Hint = e.Sentence, e.Fix.For(runtime.GOOS)
	}
	return f
}

// known is a failure in the catalogue's words.
func (a *app) known(code string, exit int) *failure {
	e, _ := catalogue.For(a.said().Language).Lookup(code) // every code is there: testfixtures/codes
	return &failure{Code: code, Message: e.Sentence, Hint: e.Fix.For(runtime.GOOS), exit: exit}
}

// sentence begins with a capital; one that ends with a command or an address has
// no full stop.
func sentence(text string) string {
	r, n := utf8.DecodeRuneInString(text)
	if n == 0 {
		return text
	}
	return string(unicode.ToUpper(r)) + text[n:]
}

// tell says what went wrong and gives the exit code.
func (a *app) tell(err error) int {
	f := a.failureOf(err)
	if a.json && a.writeLine(map[string]*failure{"error": f}) == nil {
		return f.exit
	}
	message := f.Message
	if !strings.HasPrefix(message, "postern") { // wrong usage names the command
		message = "postern: " + message
	}
	w := a.said().Fail
	a.warn("%s [%s]", message, f.Code)
	if f.detail != "" {
		a.warn("%s", fill(w.Detail, "text", f.detail))
	}
	if f.agent {
		a.warn("%s", fill(w.Agent, "path", a.socketPath()))
	}
	if f.Hint != "" {
		a.warn("%s", fill(w.Hint, "text", f.Hint))
	}
	return f.exit
}

// warn tells something on standard error that is no reason to stop.
func (a *app) warn(format string, args ...any) {
	width := 0
	if a.errTerm != nil {
		width = a.widthOf(a.errTerm)
	}
	text := fold(a.clean(fmt.Sprintf(format, args...)), width)
	fmt.Fprintln(a.err, strings.Join(text, "\n"))
}

// clean makes a text fit to be shown to this person.
func (a *app) clean(text string) string {
	p := page{ascii: asciiOnly(a.getenv)}
	return p.plain(text)
}
