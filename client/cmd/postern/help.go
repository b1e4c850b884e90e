package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

const exitCodes = `Exit codes:
  0  done
  1  error
  2  wrong usage
  3  this computer does not meet the requirements
  4  nobody is signed in
  5  no agent is running
`

const environment = `Environment:
  POSTERN_SOCKET  path of the agent's socket, if --socket is not given
  NO_COLOR        no colours, whatever its value
`

// printHelp writes the help of the program, or of the command that is named.
func (a *app) printHelp(names []string) error {
	if len(names) > 1 {
		return usage("postern help", "one command at a time")
	}
	if len(names) == 1 {
		for _, c := range commands() {
			if c.name == names[0] {
				return a.print(a.helpOf(c))
			}
		}
		return usage("postern help", fmt.Sprintf("no command %q", plain(names[0])))
	}
	var b strings.Builder
	b.WriteString("Postern lets this computer reach your organisation's applications while it meets the requirements.\n\n")
	b.WriteString("Usage: postern [flags] command [flags]\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-9s%s\n", c.name, c.summary)
	}
	b.WriteString("  help     show this, or the help of a command\n\nFlags of every command:\n")
	printFlags(&b, a.flags("postern"))
	b.WriteString("\n" + environment + "\n" + exitCodes + "\nExample: postern login && postern status\n")
	return a.print(b.String())
}

func (a *app) helpOf(c command) string {
	fs := a.flags(c.name)
	c.prepare(a, fs)
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: postern %s [flags]\n\n%s\nFlags:\n", c.name, c.help)
	printFlags(&b, fs)
	return b.String()
}

func printFlags(w io.Writer, fs *flag.FlagSet) {
	fs.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		name := "--" + f.Name
		if value != "" {
			name += " " + value
		}
		fmt.Fprintf(w, "  %-16s %s\n", name, text)
	})
	fmt.Fprintf(w, "  %-16s %s\n", "-h", "show this help")
}

func (a *app) print(text string) error {
	if _, err := io.WriteString(a.out, text); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
