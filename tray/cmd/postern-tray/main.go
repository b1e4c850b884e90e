// Command postern-tray shows the agent's state on the desktop: an icon, a menu, notifications, and the status page.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/postern-zt/postern/platform/buildinfo"
	"github.com/postern-zt/postern/platform/files"
	"github.com/postern-zt/postern/tray/shell"
)

const usage = `postern-tray shows on your desktop how this computer stands, and why something is closed.

usage: postern-tray [--socket PATH] [--verbose]

  --socket PATH  the agent's socket, if it is not in the usual place
  --verbose      write more to standard error
  --version      print the version

On a desktop without tray icons use: postern open --status

Exit codes: 0 ended as asked, or it runs already; 1 error; 2 usage; 3 there is
no desktop session here.
`

// Exit codes.
const (
	exitOK        = 0
	exitError     = 1
	exitUsage     = 2
	exitNoDesktop = 3
)

func main() {
	s := openStreams()
	code := run(os.Args[1:], s.out, s.err, s.log)
	s.shut(code)
	os.Exit(code)
}

// options of the command line.
type options struct {
	socket  string
	verbose bool
}

// run is the program but for the end of its process. It must be called on the
// first thread (tray/shell).
func run(args []string, stdout, stderr, log io.Writer) int {
	fs := flag.NewFlagSet("postern-tray", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {}
	var o options
	fs.StringVar(&o.socket, "socket", "", "")
	fs.BoolVar(&o.verbose, "verbose", false, "")
	version := fs.Bool("version", false, "")
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return exitOK
	case err != nil || fs.NArg() > 0:
		fmt.Fprintln(stderr, "postern-tray: see postern-tray --help")
		return exitUsage
	case *version:
		fmt.Fprintln(stdout, buildinfo.Product, buildinfo.Version())
		return exitOK
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return exitOf(serve(ctx, o, logger(o, log)), stderr)
}

func logger(o options, to io.Writer) *slog.Logger {
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: level}))
}

// exitOf says what went wrong, and what helps.
func exitOf(err error, stderr io.Writer) int {
	var held *files.LockedError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &held):
		fmt.Fprintln(stderr, "postern-tray: it runs already on this desktop.")
		return exitOK
	case errors.Is(err, shell.ErrSessionBusGone): // the person logged out
		return exitOK
	case errors.Is(err, shell.ErrNoSessionBus):
		fmt.Fprintln(stderr, "postern-tray: there is no desktop session here.\nhint: use: postern status")
		return exitNoDesktop
	}
	fmt.Fprintf(stderr, "postern-tray: %v\n", err)
	return exitError
}
