// Command postern is the command line: sign in and out, see what the agent sees, and open what it opens.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"github.com/postern-zt/postern/platform/locale"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := standard().main(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// Exit codes.
const (
	exitOK           = 0
	exitError        = 1
	exitUsage        = 2
	exitNotCompliant = 3
	exitSignedOut    = 4
	exitNotRunning   = 5
)

// app is one run of the program.
type app struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string

	// Which of the three are terminals; nil for those that are not.
	inTerm, outTerm, errTerm *terminal

	colour bool          // on out
	words  func() *words // in the person's language; nil before main

	socket string // --socket
	json   bool   // --json

	exit int   // what the command that ran wants as exit code
	late error // of writing help, for which cobra has no way back
}

// standard is the app of this process.
func standard() *app {
	a := &app{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv,
		inTerm: terminalOf(os.Stdin), outTerm: terminalOf(os.Stdout), errTerm: terminalOf(os.Stderr),
	}
	a.colour = wantsColour(a.outTerm, a.getenv)
	return a
}

// main runs the command that args name and gives the exit code.
func (a *app) main(ctx context.Context, args []string) int {
	// Wrong usage is told in JSON too, wherever in the line the flag stands.
	mine := args
	if end := slices.Index(args, "--"); end >= 0 {
		mine = args[:end]
	}
	a.json = slices.Contains(mine, "--json")
	a.words = sync.OnceValue(func() *words { return speak(locale.Of(a.getenv)) })
	root := a.root()
	root.SetArgs(append([]string{}, args...)) // nil would stand for os.Args
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = a.late
	}
	if err != nil {
		return a.tell(err)
	}
	return a.exit
}
