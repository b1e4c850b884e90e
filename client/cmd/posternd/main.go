// Command posternd is the agent: it reads this machine's posture and keeps tunnels open only while leases live.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/postern-zt/postern/platform/buildinfo"
	"github.com/postern-zt/postern/platform/osexec"
	"github.com/postern-zt/postern/platform/paths"
)

const usage = `posternd runs the Postern agent in the foreground until it is told to stop.
Without settings, or while they have a mistake, it says so to whoever asks it,
and goes on by itself when they are right.

usage: posternd [--user] [--state DIR] [--config FILE] [--socket PATH]

  --user         your own agent: no privileges, tunnels as local ports only
  --state DIR    keep state, settings and socket in DIR
  --config FILE  read settings from FILE
  --socket PATH  listen for the command line at PATH
  --check        only read the settings, and say what is wrong with them
  --version      print the version; with --json as one JSON object

Exit codes: 0 stopped as asked, 1 error, 2 usage. With --check 0 means that an
agent can go by the settings, 1 that it would wait for others.
Example: posternd --user
`

func main() {
	osexec.DieWithParent()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// options of the command line.
type options struct {
	user                  bool
	state, config, socket string
}

// run is the program but for the end of its process.
func run(args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("posternd", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {} // what was wrong is enough; --help says the rest
	var o options
	fs.BoolVar(&o.user, "user", false, "")
	fs.StringVar(&o.state, "state", "", "")
	fs.StringVar(&o.config, "config", "", "")
	fs.StringVar(&o.socket, "socket", "", "")
	check := fs.Bool("check", false, "")
	version, asJSON := fs.Bool("version", false, ""), fs.Bool("json", false, "")
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return 0
	case err != nil: // the flag set has said what is wrong
		fmt.Fprintln(stderr, "posternd: see posternd --help")
		return 2
	}
	if fs.NArg() > 0 {
		fmt.Fprintf(stderr, "posternd: unexpected argument %q; see posternd --help\n", fs.Arg(0))
		return 2
	}
	if *version && *asJSON {
		return printVersion(stdout)
	}
	if *version {
		fmt.Fprintln(stdout, buildinfo.Product, buildinfo.Version())
		return 0
	}
	if *check {
		return checkSettings(o, stdout, stderr)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, o, stderr); err != nil {
		fmt.Fprintf(stderr, "posternd: %v\n", err)
		return 1
	}
	return 0
}

// printVersion writes product and version as JSON and gives the exit code.
func printVersion(w io.Writer) int {
	if json.NewEncoder(w).Encode(map[string]string{"product": buildinfo.Product, "version": buildinfo.Version()}) != nil {
		return 1
	}
	return 0
}

// place finds the folders of this agent.
func place(o options) (paths.Set, error) {
	set := paths.System()
	if o.user && o.state == "" {
		var err error
		if set, err = paths.User(); err != nil {
			return set, err
		}
	}
	if o.state != "" {
		dir, err := filepath.Abs(o.state)
		if err != nil {
			return set, err
		}
		set = paths.InState(dir)
	}
	if o.socket != "" {
		path, err := filepath.Abs(o.socket)
		if err != nil {
			return set, err
		}
		set.Socket = path
	}
	return set, nil
}
