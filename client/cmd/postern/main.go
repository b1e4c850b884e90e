// Command postern is the command line: sign in and out, and see what the agent sees.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	a := &app{out: os.Stdout, err: os.Stderr, getenv: os.Getenv, colour: colours(os.Stdout, os.Getenv)}
	code := a.main(ctx, os.Args[1:])
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
	out, err io.Writer
	getenv   func(string) string
	colour   bool // on out

	socket string // --socket
	json   bool   // --json
}

// command is one verb.
type command struct {
	name, summary string
	help          string // what it does, and an example
	// prepare declares the command's own flags and gives what runs it, which
	// returns the exit code or an error to tell.
	prepare func(a *app, fs *flag.FlagSet) func(context.Context) (int, error)
}

func commands() []command {
	return []command{loginCommand(), logoutCommand(), statusCommand(), appsCommand(), postureCommand(), versionCommand()}
}

// main runs the command that args name and gives the exit code.
func (a *app) main(ctx context.Context, args []string) int {
	code, err := a.dispatch(ctx, args)
	if err != nil {
		return a.tell(err)
	}
	return code
}

func (a *app) dispatch(ctx context.Context, args []string) (int, error) {
	fs := a.flags("postern")
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return exitOK, a.printHelp(nil)
	} else if err != nil {
		return 0, usage("postern", err.Error())
	}
	if fs.NArg() == 0 {
		return 0, usage("postern", "no command given")
	}
	name, rest := fs.Arg(0), fs.Args()[1:]
	if name == "help" {
		return exitOK, a.printHelp(rest)
	}
	for _, c := range commands() {
		if c.name == name {
			return a.runCommand(ctx, c, rest)
		}
	}
	return 0, usage("postern", fmt.Sprintf("no command %q", plain(name)))
}

func (a *app) runCommand(ctx context.Context, c command, args []string) (int, error) {
	fs := a.flags(c.name)
	run := c.prepare(a, fs)
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return exitOK, a.printHelp([]string{c.name})
	} else if err != nil {
		return 0, usage("postern "+c.name, err.Error())
	}
	if fs.NArg() > 0 {
		return 0, usage("postern "+c.name, fmt.Sprintf("nothing may follow the flags, but %q does", plain(fs.Arg(0))))
	}
	return run(ctx)
}

// flags is a set with the global flags, which may stand before or after the
// command. A value given before is the default after.
func (a *app) flags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // errors are told in one way only
	fs.StringVar(&a.socket, "socket", a.socket, "`path` of the agent's socket")
	fs.BoolVar(&a.json, "json", a.json, "write JSON to standard output")
	return fs
}
