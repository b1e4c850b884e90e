// Command postern-broker is the other side of Postern, which an organisation runs by itself.
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

	"github.com/postern-zt/postern/broker/policy"
	"github.com/postern-zt/postern/platform/buildinfo"
	"github.com/postern-zt/postern/platform/files"
	"github.com/postern-zt/postern/platform/osexec"
	"github.com/postern-zt/postern/platform/paths"
)

const usage = `postern-broker decides who may use which application, on which device, in which state.

usage: postern-broker COMMAND [flags]

  dev           try everything out on this machine: broker, provider, gateway, sample apps
  serve         run the broker
  gateway       run a gateway
  policy check  check a policy file
  version       print the version

postern-broker COMMAND --help tells a command's flags.
Exit codes: 0 ok, 1 error, 2 usage.
`

func main() {
	osexec.DieWithParent()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// streams of the program.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// errUsage is a mistake in the command line that was already explained.
var errUsage = errors.New("usage")

func run(ctx context.Context, args []string, in io.Reader, out, stderr io.Writer) int {
	s := streams{in, out, stderr}
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	var err error
	switch args[0] {
	case "dev":
		err = runDev(ctx, s, args[1:])
	case "serve":
		err = runServe(ctx, s, args[1:])
	case "gateway":
		err = runGateway(ctx, s, args[1:])
	case "policy":
		err = runPolicy(s, args[1:])
	case "version", "--version":
		err = runVersion(s, args[1:])
	case "help", "-h", "--help":
		fmt.Fprint(out, usage)
	default:
		fmt.Fprintf(stderr, "postern-broker: there is no command %q\n\n%s", args[0], usage)
		return 2
	}
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	}
	fmt.Fprintf(stderr, "postern-broker: %v\n", err)
	return 1
}

// flags makes a flag set whose mistakes are explained on stderr.
func (s streams) flags(name, synopsis string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(s.err)
	fs.Usage = func() {
		fmt.Fprintf(s.err, "usage: postern-broker %s\n\n", synopsis)
		fs.PrintDefaults()
	}
	return fs
}

// parse reads the flags and refuses what is left over.
func parse(fs *flag.FlagSet, args []string, operands int) error {
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return err
	}
	if err != nil {
		return errUsage
	}
	if fs.NArg() != operands {
		fs.Usage()
		return errUsage
	}
	return nil
}

// needed checks that flags without a sensible default were given.
func needed(fs *flag.FlagSet, names ...string) error {
	for _, n := range names {
		if fs.Lookup(n).Value.String() == "" {
			fmt.Fprintf(fs.Output(), "postern-broker %s: --%s is needed\n", fs.Name(), n)
			fs.Usage()
			return errUsage
		}
	}
	return nil
}

// defaultDev is where `dev` keeps its state unless told otherwise.
func defaultDev() string {
	if set, err := paths.User(); err == nil {
		return filepath.Join(set.State, "dev")
	}
	return ""
}

func runPolicy(s streams, args []string) error {
	if len(args) == 0 || args[0] != "check" {
		fmt.Fprint(s.err, "usage: postern-broker policy check FILE\n")
		return errUsage
	}
	fs := s.flags("policy check", "policy check [--json] FILE")
	asJSON := fs.Bool("json", false, "print one JSON object")
	if err := parse(fs, args[1:], 1); err != nil {
		return err
	}
	p, err := loadPolicy(fs.Arg(0))
	if *asJSON {
		return errors.Join(printJSON(s.out, verdictOn(fs.Arg(0), p, err)), err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s is right: %d applications, SHA-256 %s\n", fs.Arg(0), len(p.Apps()), p.Hash())
	return nil
}

// policyVerdict is what `policy check --json` prints.
type policyVerdict struct {
	File     string          `json:"file"`
	OK       bool            `json:"ok"`
	Apps     int             `json:"apps"`
	SHA256   string          `json:"sha256,omitempty"`
	Problems []policyProblem `json:"problems"`
}

type policyProblem struct {
	Line  int    `json:"line"` // from 1; 0: the file as a whole
	Where string `json:"where"`
	Text  string `json:"text"`
}

func verdictOn(file string, p *policy.Policy, err error) policyVerdict {
	v := policyVerdict{File: file, Problems: []policyProblem{}}
	var load *policy.LoadError
	switch {
	case errors.As(err, &load):
		for _, x := range load.Problems {
			v.Problems = append(v.Problems, policyProblem(x))
		}
	case err != nil:
		v.Problems = append(v.Problems, policyProblem{Text: err.Error()})
	default:
		v.OK, v.Apps, v.SHA256 = true, len(p.Apps()), p.Hash()
	}
	return v
}

func printJSON(w io.Writer, v any) error {
	return json.NewEncoder(w).Encode(v)
}

func runVersion(s streams, args []string) error {
	fs := s.flags("version", "version [--json]")
	asJSON := fs.Bool("json", false, "print one JSON object")
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	if *asJSON {
		return printJSON(s.out, map[string]string{"product": buildinfo.Product, "version": buildinfo.Version()})
	}
	fmt.Fprintln(s.out, buildinfo.Product, buildinfo.Version())
	return nil
}

func loadPolicy(path string) (*policy.Policy, error) {
	data, err := files.ReadLimited(path, 1<<20)
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	return policy.Load(path, data)
}
