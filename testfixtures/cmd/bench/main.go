// Command bench measures what the product promises, each figure beside a peer measured in the same run.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/postern-zt/postern/testfixtures/lab"
)

// Line is one figure. Ratio is ours divided by the peer's.
type Line struct {
	Name  string  `json:"name"`
	Unit  string  `json:"unit"`
	Ours  float64 `json:"ours"`
	Peer  float64 `json:"peer"`
	Ratio float64 `json:"ratio"`
	N     int     `json:"n"`
	note  string  // what the peer is, for people
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// rounds of the measurements that need many; POSTERN_BENCH_N sets another number.
func rounds() int {
	if n, err := strconv.Atoi(os.Getenv("POSTERN_BENCH_N")); err == nil && n > 0 {
		return n
	}
	return 200
}

func run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "postern-bench-")
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	for _, measure := range []func(context.Context, string, io.Writer) ([]Line, error){decisions, revocation, coldStart, commandLine} {
		lines, err := measure(ctx, dir, log)
		if err != nil {
			return fmt.Errorf("%w; logs are in %s", err, dir)
		}
		for _, l := range lines {
			l.Ratio = l.Ours / l.Peer
			l.print(os.Stdout)
		}
	}
	return os.RemoveAll(dir)
}

func (l Line) print(w io.Writer) {
	if os.Getenv("JSON") == "1" {
		json.NewEncoder(w).Encode(l)
		return
	}
	fmt.Fprintf(w, "%-34s %10.2f %-6s beside %10.2f (%s): ratio %.2f, n=%d\n", l.Name, l.Ours, l.Unit, l.Peer, l.note, l.Ratio, l.N)
}

// percentile of unsorted milliseconds.
func percentile(ms []float64, p float64) float64 {
	s := slices.Clone(ms)
	slices.Sort(s)
	return s[min(len(s)-1, int(float64(len(s))*p))]
}

// world starts broker, gateway and an agent that is signed in and has the wiki.
func world(ctx context.Context, dir, name string, log io.Writer) (*lab.World, *lab.Agent, lab.Product, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, nil, lab.Product{}, err
	}
	sub := filepath.Join(dir, name)
	if err := os.Mkdir(sub, 0o700); err != nil {
		return nil, nil, lab.Product{}, err
	}
	w := lab.New(ctx, filepath.Dir(exe), sub, 60*time.Second, log)
	if err := w.Start(worldPolicy); err != nil {
		return nil, nil, lab.Product{}, err
	}
	p, err := w.InstallEDR("local/bench-edr", "Bench EDR")
	if err != nil {
		return w, nil, p, err
	}
	a, err := w.NewAgent("agent", p)
	if err != nil {
		return w, nil, p, err
	}
	if err := a.Start(ctx); err != nil {
		return w, nil, p, err
	}
	_, err = a.Login(ctx)
	return w, a, p, err
}

const worldPolicy = `version: 1
providers:
  - {issuer: "${IDP}", client_id: postern, scopes: [openid, email]}
checks:
  edr-runs:
    expr: device.edr["local/bench-edr"].running
    code: org/edr-not-running
apps:
  - id: wiki
    name: Wiki
    gateway: dev
    destinations: ["unix:${APPS}/wiki.sock"]
    ports: [80]
    checks: [edr-runs]
`
