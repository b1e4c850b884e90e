package main

import (
	"context"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/posture/catalogue"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// Who read the machine.
const (
	byAgent    = "agent"
	byItself   = "command"
	byReplay   = "replay"
	byRecorder = "recording"
)

// reading is what `postern posture --json` writes.
type reading struct {
	Socket  string `json:"socket,omitempty"`  // of the agent, if that read it
	Machine string `json:"machine,omitempty"` // the recorded machine that was read
	Record  string `json:"record,omitempty"`  // the folder that was written
	Reader  string `json:"reader"`
	localapi.Reading

	system evidence.System // of the machine that was read, for hints
}

// postureFlags are the command's own flags.
type postureFlags struct {
	local, all, list bool
	machine, record  string
}

func (a *app) postureCommand() *cobra.Command {
	var f postureFlags
	c := &cobra.Command{
		Use: "posture", Short: "show what is true of this computer, what is wrong with it and how to fix it",
		Long: `Shows for each signal whether something is wrong, why, and how to fix it. What is wrong comes first. With --all every fact is shown, where it was read and, where it is not known, why. In a narrow terminal, with --list and where ACCESSIBLE is set it is a list in place of a table, which a screen reader reads row by row. The agent is asked if it runs; otherwise this command reads the computer itself, as far as your own rights go. No rule of your organisation is applied and nothing is sent.

--machine reads a recorded machine instead, a folder or a zip of one, and gives the same report on every computer. --record writes such a folder of this computer: all that the signals read here, so look through it before you give it away.`,
		Example:    "postern posture\npostern posture --all\n" + privileged(runtime.GOOS) + "postern posture --local --record here && postern posture --machine here",
		SuggestFor: []string{"health", "doctor", "device", "signals", "facts"},
		Args:       a.noArgs,
		RunE:       a.run(func(ctx context.Context, _ []string) (int, error) { return a.posture(ctx, f) }),
	}
	c.Flags().BoolVar(&f.local, "local", false, "do not ask the agent")
	c.Flags().BoolVar(&f.all, "all", false, "show every fact")
	c.Flags().BoolVar(&f.list, "list", false, "write a list in place of a table")
	c.Flags().StringVar(&f.machine, "machine", "", "read the recorded machine in this `folder` or zip")
	c.Flags().StringVar(&f.record, "record", "", "write a recording of this computer to this new `folder`")
	for _, name := range []string{"machine", "record"} {
		// Only the first argument of such a flag could be misspelt.
		_ = c.MarkFlagDirname(name)
	}
	return c
}

// privileged is what stands before a command that is to have the system's
// rights; on Windows the window in which it is typed has them or has not.
func privileged(system string) string {
	if system == "windows" {
		return ""
	}
	return "sudo "
}

func (a *app) posture(ctx context.Context, f postureFlags) (int, error) {
	if f.machine != "" && f.record != "" {
		return 0, a.usage("postern posture", a.said().Posture.RecordAndMachine)
	}
	r, err := a.reading(ctx, f)
	switch {
	case err != nil:
		return 0, err
	case a.json:
		return exitOK, a.writeJSON(r)
	}
	p, in := a.page(), a.postureInput(ctx, r)
	p.lists = p.lists || f.list
	p.readBy(r)
	p.blank()
	if f.all {
		p.everyFact(r, catalogue.For(in.Language))
	} else {
		p.brief(r, in)
	}
	return exitOK, a.print(p.String())
}

// postureInput is what the reading is judged by: the policy's own answer, where
// this person is signed in on the computer that was read.
func (a *app) postureInput(ctx context.Context, r reading) view.Input {
	var s localapi.Status
	if r.Reader == byAgent {
		if now, err := a.status(ctx); err == nil && view.Whose(now) == view.NoTrouble {
			s = now
		}
	}
	in := a.input(s)
	in.Reading, in.System = &r.Reading, r.hintSystem()
	return in
}

// reading asks the agent, or reads a machine here.
func (a *app) reading(ctx context.Context, f postureFlags) (reading, error) {
	switch {
	case f.machine != "":
		return a.replay(ctx, f.machine)
	case f.record != "":
		return a.recordTo(ctx, f.record)
	case f.local:
		return a.readHere(ctx)
	}
	c := a.agent()
	defer c.Close()
	r, err := c.Posture(ctx)
	if err == nil {
		return reading{Socket: c.Socket(), Reader: byAgent, Reading: r, system: evidence.System(runtime.GOOS)}, nil
	}
	if ctx.Err() != nil {
		return reading{}, err
	}
	if !a.json {
		a.warn("%s", fill(a.said().Posture.ReadsItself, "why", a.failureOf(err).Message))
	}
	return a.readHere(ctx)
}

// hintSystem is the system whose hints fit: that of the machine that was read.
func (r reading) hintSystem() string {
	if r.system != "" {
		return string(r.system)
	}
	if s, ok := r.Report.Signal(fact.SignalOS); ok {
		if f, ok := s.Find("", "type"); ok {
			word, _ := f.Value.AsString()
			return map[string]string{fact.OSLinux: "linux", fact.OSWindows: "windows", fact.OSMac: "darwin"}[word]
		}
	}
	return runtime.GOOS
}
