//go:build linux

package vm

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	// What the machines run is built by another process, which go test does not
	// see. Importing it here too has go test run again whenever it changes.
	_ "github.com/postern-zt/postern/platform/machine"
	_ "github.com/postern-zt/postern/platform/watch"
	_ "github.com/postern-zt/postern/posture/collect"

	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/testfixtures/vm/tell"
)

// patience bounds the preparation and all machines. Warm, on two idle
// processors, half a minute is enough.
const patience = 8 * time.Minute

func TestMain(m *testing.M) {
	if os.Getenv("POSTERN_NO_VM") == "1" {
		fmt.Println("vm: left out, since POSTERN_NO_VM=1: no collector was tried on a machine with LUKS, TPM and Secure Boot")
		return
	}
	os.Exit(m.Run())
}

// TestMachines starts every machine and compares what it reports of itself.
func TestMachines(t *testing.T) {
	if err := check(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel) // not deferred: the machines go on when this function ends
	guest := filepath.Join(t.TempDir(), "guest")
	if err := build(ctx, guest); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	p, release, err := prepare(ctx, guest)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := release(); err != nil {
			t.Error(err)
		}
	})
	t.Logf("disks and kernel: %.1f s", time.Since(began).Seconds())
	for _, m := range machines() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			documents, err := m.start(ctx, p)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%.1f s from power on to power off", time.Since(began).Seconds())
			m.compare(t, documents)
		})
	}
}

// build compiles the guest. It reads the source first, so that go test knows it
// for an input.
func build(ctx context.Context, out string) error {
	source, err := filepath.Glob("guest/*.go")
	if err != nil {
		return err
	}
	for _, name := range source {
		if _, err := os.ReadFile(name); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", out, "./guest")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the guest: %w\n%s", err, text)
	}
	return nil
}

// machine is some hardware and what must come out of each step.
type machine struct {
	hardware
	steps []expected
}

// expected is one step: the cause of its event, and claims.
type expected struct {
	step, cause string
	claims      claims
}

// claims are values of facts by address, or "state reason" where there is none.
type claims map[string]string

func (m machine) compare(t *testing.T, documents []tell.Document) {
	for i, want := range m.steps {
		if i >= len(documents) {
			t.Fatalf("no step %s", want.step)
		}
		got := documents[i]
		if got.Step != want.step || got.Cause != want.cause {
			t.Errorf("step %s, cause %q; want %s, %q", got.Step, got.Cause, want.step, want.cause)
		}
		sane(t, got)
		for address, value := range want.claims {
			if text := look(got.Report, address); text != value {
				t.Errorf("%s: %s is %s, want %s", want.step, address, text, value)
			}
		}
		if want.cause == "" {
			t.Logf("%s: all signals read in %d ms", got.Step, got.Took)
		} else {
			t.Logf("%s: change %d ms, event after %d ms, report %d ms after that", got.Step, got.Change, got.Notice, got.Known-got.Notice)
		}
	}
	if extra := len(documents) - len(m.steps); extra > 0 {
		t.Errorf("%d steps more than expected", extra)
	}
}

// slowest is how long the machine may take from a change to a report with it.
// It is emulated, so this is no figure of the product.
const slowest = 15_000

// sane wants a whole report whose collectors came back.
func sane(t *testing.T, d tell.Document) {
	if err := d.Report.Validate(); err != nil {
		t.Errorf("%s: %v", d.Step, err)
	}
	if d.Known > slowest {
		t.Errorf("%s: known after %d ms", d.Step, d.Known)
	}
	for _, name := range []string{
		fact.SignalOS, fact.SignalPatch, fact.SignalDisk, fact.SignalFirewall, fact.SignalEDR, fact.SignalIntegrity,
		fact.SignalScreenLock, fact.SignalEnrolment, fact.SignalDevice, fact.SignalCustom,
	} {
		s, ok := d.Report.Signal(name)
		if !ok {
			t.Errorf("%s: no signal %s", d.Step, name)
		}
		late := slices.ContainsFunc(s.Facts, func(f fact.Fact) bool { return f.Reason.Transient() })
		if late || s.Reason.Transient() || s.Reason == fact.ReasonNotYetRead {
			t.Errorf("%s: %s did not come back: %+v", d.Step, name, s)
		}
	}
}

// look finds a fact by address, or by the name of a signal its state.
func look(r fact.Report, address string) string {
	signal, key, field, err := fact.SplitAddress(address)
	if err != nil {
		s, _ := r.Signal(address)
		return strings.TrimSpace(string(s.State) + " " + string(s.Reason))
	}
	s, ok := r.Signal(signal)
	if !ok {
		return "no such signal"
	}
	f, ok := s.Find(key, field)
	switch state := s.StateOf(f); {
	case !ok:
		return "not there"
	case state != fact.Observed:
		why := f.Reason
		if why == "" {
			why = s.Reason
		}
		return string(state) + " " + string(why)
	}
	return f.Value.String()
}
