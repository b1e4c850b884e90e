package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"

	"github.com/postern-zt/postern/testfixtures/lab"
)

// notMet is the exit code of a computer that does not meet every requirement:
// the status is as long then as it gets.
const notMet = 3

// commandLine measures how long a person waits for the status, a signed-in
// agent being there.
func commandLine(ctx context.Context, dir string, log io.Writer) ([]Line, error) {
	w, a, p, err := world(ctx, dir, "command-line", log)
	if w != nil {
		defer w.Close()
	}
	if err != nil {
		return nil, err
	}
	if _, err := w.StartEDR(p); err != nil {
		return nil, err
	}
	const n = 50
	var ours, peer []float64
	for i := range n + 5 { // the first few fill the caches
		began := w.Clock.Boot()
		res, err := a.Postern(ctx, "status")
		if err != nil {
			return nil, err
		}
		if res.Code != 0 && res.Code != notMet {
			return nil, fmt.Errorf("postern status ended with code %d: %s", res.Code, res.ErrOut)
		}
		took := lab.Since(began, w.Clock.Boot())
		began = w.Clock.Boot()
		if err := exec.CommandContext(ctx, "/bin/true").Run(); err != nil {
			return nil, err
		}
		if i >= 5 {
			ours, peer = append(ours, took), append(peer, lab.Since(began, w.Clock.Boot()))
		}
	}
	return []Line{
		{Name: "postern status, p50", Unit: "ms", Ours: percentile(ours, 0.5), Peer: percentile(peer, 0.5), N: n, note: "a program that does nothing"},
		{Name: "postern status, p99", Unit: "ms", Ours: percentile(ours, 0.99), Peer: percentile(peer, 0.99), N: n, note: "a program that does nothing"},
	}, nil
}
