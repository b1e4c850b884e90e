// Command demo shows the whole path on one machine, with the real programs, and checks what it shows from outside.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/postern-zt/postern/testfixtures/browser"
	"github.com/postern-zt/postern/testfixtures/lab"
)

//go:embed policy.yaml
var policy string

// lease is short so that the steps which wait for its end are.
const lease = 6 * time.Second

// Step is one line of the result.
type Step struct {
	Name     string  `json:"name"`
	OK       bool    `json:"ok"`
	MS       float64 `json:"ms"`
	Observed string  `json:"observed"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx))
}

func run(ctx context.Context) int {
	asJSON := os.Getenv("JSON") == "1"
	say := io.Writer(os.Stdout)
	if asJSON {
		say = os.Stderr
	}
	d, err := begin(ctx, say)
	if err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		return 1
	}
	defer d.end()
	ok := d.all(ctx)
	if asJSON {
		json.NewEncoder(os.Stdout).Encode(map[string][]Step{"steps": d.steps})
	} else {
		d.table()
	}
	if os.Getenv("KEEP") == "1" && ctx.Err() == nil {
		d.keep(ctx)
	}
	if !ok {
		fmt.Fprintf(os.Stderr, "demo: not every step was observed; logs are in %s\n", d.logPath)
		return 1
	}
	return 0
}

// demo is the state of the run.
type demo struct {
	say     io.Writer
	dir     string
	logPath string
	log     *os.File
	world   *lab.World
	agent   *lab.Agent
	second  *lab.Device
	edr     lab.Product
	other   lab.Product
	running *lab.Running
	browser string       // BROWSER: how to sign in
	kit     *browser.Kit // nil unless Chromium signs in
	steps   []Step
	failed  bool
}

// begin makes a folder of its own and starts the broker's side.
func begin(ctx context.Context, say io.Writer) (*demo, error) {
	dir, err := os.MkdirTemp("", "postern-demo-")
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	d := &demo{say: say, dir: dir, logPath: filepath.Join(dir, "log"), browser: os.Getenv("BROWSER")}
	if d.browser == ownBrowser {
		os.Unsetenv("BROWSER") // to xdg-open it is the name of a program
	}
	if d.log, err = os.Create(d.logPath); err != nil {
		return nil, err
	}
	d.world = lab.New(ctx, filepath.Dir(exe), dir, lease, d.log)
	if d.browser == withChromium {
		if err := d.prepareBrowser(ctx); err != nil {
			d.end()
			os.RemoveAll(dir)
			return nil, err
		}
	}
	fmt.Fprintf(say, "Starting broker, identity provider, gateway and three sample apps, on loopback, in %s …\n", dir)
	if err := d.world.Start(policy); err != nil {
		d.end()
		return nil, fmt.Errorf("%w\nthe log is in %s", err, d.logPath)
	}
	return d, d.products(ctx)
}

// products installs the demo's security product and declares a second one
// that is nowhere.
func (d *demo) products(ctx context.Context) error {
	var err error
	if d.edr, err = d.world.InstallEDR("local/demo-edr", "Demo EDR"); err != nil {
		return err
	}
	d.other = lab.Product{ID: "local/second-edr", Name: "Second EDR", Executable: d.world.File("second-edr"), SHA256: d.edr.SHA256}
	if d.running, err = d.world.StartEDR(d.edr); err != nil {
		return err
	}
	if d.agent, err = d.world.NewAgent("agent", d.edr, d.other); err != nil {
		return err
	}
	return d.agent.Start(ctx)
}

// end stops everything; the folder stays only when something went wrong.
func (d *demo) end() {
	if err := d.world.Close(); err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
	}
	if d.kit != nil {
		if err := d.kit.Close(); err != nil {
			fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		}
	}
	d.log.Close()
	if !d.failed && len(d.steps) > 0 {
		os.RemoveAll(d.dir)
	}
}

// all runs the steps in order; after one that failed the rest is not tried.
func (d *demo) all(ctx context.Context) bool {
	for _, s := range []struct {
		name string
		run  func(context.Context) (string, error)
	}{
		{"enrol", d.enrol}, {"sign-in", d.signIn}, {"posture", d.posture}, {"attest", d.attest}, {"lease-open", d.leaseOpen}, {"denied", d.denied},
		{"drift-closed", d.driftClosed}, {"repaired", d.repaired}, {"broker-stopped", d.brokerStopped}, {"agent-killed", d.agentKilled},
	} {
		if d.failed {
			d.steps = append(d.steps, Step{Name: s.name, Observed: "not tried, because a step before it failed"})
			continue
		}
		began := d.world.Clock.Boot()
		observed, err := s.run(ctx)
		step := Step{Name: s.name, OK: err == nil, MS: lab.Since(began, d.world.Clock.Boot()), Observed: observed}
		if err != nil {
			d.failed = true
			step.Observed = fmt.Sprintf("%s; FAILED: %v", observed, err)
		}
		d.steps = append(d.steps, step)
		fmt.Fprintf(d.say, "%s %-14s %8.0f ms  %s\n", mark(step.OK), step.Name, step.MS, step.Observed)
	}
	return !d.failed
}

func mark(ok bool) string {
	if ok {
		return "ok  "
	}
	return "FAIL"
}

func (d *demo) table() {
	fmt.Fprintf(d.say, "\n%-15s %-4s %10s\n", "STEP", "OK", "TOOK")
	for _, s := range d.steps {
		fmt.Fprintf(d.say, "%-15s %-4s %7.0f ms\n", s.Name, mark(s.OK), s.MS)
	}
}

// keep leaves everything running and says what to try.
func (d *demo) keep(ctx context.Context) {
	fmt.Fprintf(d.say, `
Everything goes on running until you press Ctrl-C. Try, in another terminal:
  export POSTERN_SOCKET=%s
  %s status
  %s apps
  curl the address that it shows for the wiki
  kill %d            # the demo's security product: the wiki closes, the status board stays
  %s status
`, d.agent.Socket(), d.bin("postern"), d.bin("postern"), d.running.PID(), d.bin("postern"))
	<-ctx.Done()
}

func (d *demo) bin(name string) string { return filepath.Join(d.world.Bin, name) }
