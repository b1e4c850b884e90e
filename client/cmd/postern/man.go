package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-zt/postern/platform/buildinfo"
)

func (a *app) manCommand(root *cobra.Command) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "man", Short: "write the manual pages", Hidden: true,
		Long:    "Writes a manual page for the program and one for each command into a folder, for packages.",
		Example: "postern man --dir debian/man",
		Args:    a.noArgs,
		RunE: a.run(func(context.Context, []string) (int, error) {
			if dir == "" {
				return 0, a.usage("postern man", a.said().Usage.ManFolder)
			}
			return exitOK, writeManual(root, dir)
		}),
	}
	c.Flags().StringVar(&dir, "dir", "", "`folder` to write to; it is made if it is missing")
	return c
}

// writeManual writes one page for the program and one for each command.
func writeManual(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write manual pages: %w", err)
	}
	for _, c := range append(shown(root), root) {
		path := filepath.Join(dir, pageName(c)+".1")
		if err := os.WriteFile(path, []byte(manual(c)), 0o644); err != nil {
			return fmt.Errorf("write manual pages: %w", err)
		}
	}
	return nil
}

func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// manual is the page of a command in the man macros (man(7)). It has no date,
// so that the same program gives the same page.
func manual(c *cobra.Command) string {
	var r roff
	c.InitDefaultHelpFlag()
	r.line(fmt.Sprintf(".TH %s 1 \"\" \"%s %s\" \"%s\"", roffText(strings.ToUpper(pageName(c))),
		buildinfo.Product, roffText(buildinfo.Version()), buildinfo.Product))
	r.section("NAME", roffText(pageName(c))+` \- `+roffText(c.Short))
	r.line(".SH SYNOPSIS")
	if c.HasParent() {
		r.line(".B " + roffText(useLine(c)))
	} else {
		r.line(".B postern [flags] command [flags]")
	}
	r.section("DESCRIPTION", roffParagraphs(c.Long))
	var commands, flags [][2]string
	if !c.HasParent() {
		for _, sub := range shown(c) {
			commands = append(commands, [2]string{sub.Name(), sub.Short})
		}
	}
	for _, f := range append(flagsOf(c.LocalFlags()), flagsOf(c.InheritedFlags())...) {
		flags = append(flags, [2]string{f.name, f.text})
	}
	r.list("COMMANDS", commands)
	r.list("OPTIONS", flags)
	r.list("ENVIRONMENT", variables)
	r.list("EXIT STATUS", codes)
	r.section("EXAMPLES", ".nf\n"+roffText(c.Example)+"\n.fi")
	if c.HasParent() {
		r.section("SEE ALSO", ".BR postern (1)")
	} else {
		var also []string
		for _, sub := range shown(c) {
			also = append(also, ".BR "+roffText(pageName(sub))+" (1)")
		}
		r.section("SEE ALSO", strings.Join(also, ",\n"))
	}
	return r.String()
}

// roff is a page under way.
type roff struct{ strings.Builder }

func (r *roff) line(s string) { r.WriteString(s + "\n") }

func (r *roff) section(name, body string) { r.line(".SH " + name + "\n" + body) }

func (r *roff) list(name string, rows [][2]string) {
	if len(rows) == 0 {
		return
	}
	r.line(".SH " + name)
	for _, row := range rows {
		r.line(".TP\n.B " + roffText(row[0]) + "\n" + roffText(row[1]))
	}
}

func roffParagraphs(text string) string {
	var out []string
	for par := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		out = append(out, roffText(strings.Join(strings.Fields(par), " ")))
	}
	return strings.Join(out, "\n.PP\n")
}

// roffText escapes what groff would read as its own: backslashes, hyphens that
// are to stay what they are for copying, and a dot or quote at the start.
func roffText(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", `\[u2026]`, "~", `\(ti`, "^", `\(ha`, "'", `\(aq`, "`", `\(ga`).Replace(s)
	if strings.HasPrefix(s, ".") {
		return `\&` + s
	}
	return s
}
