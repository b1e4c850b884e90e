package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/postern-zt/postern/testfixtures/lab"
)

const within = 20 * time.Second

// revocation kills the product again and again under a busy download. The peer
// is the shortest time in which anybody can learn of a death: until the kernel
// has told the killed process's own parent (wait4(2)).
func revocation(ctx context.Context, dir string, log io.Writer) ([]Line, error) {
	w, a, p, err := world(ctx, dir, "revocation", log)
	if w != nil {
		defer w.Close()
	}
	if err != nil {
		return nil, err
	}
	n := rounds()
	var lastByte, client, gateway, floor []float64
	for i := range n {
		r, err := w.StartEDR(p)
		if err != nil {
			return nil, err
		}
		s, id, err := busy(ctx, w, a, i)
		if err != nil {
			return nil, fmt.Errorf("round %d: %w", i, err)
		}
		waited := make(chan time.Duration, 1)
		go func() {
			r.Wait()
			waited <- w.Clock.Boot()
		}()
		killed := w.Clock.Boot()
		if err := r.Kill(); err != nil {
			return nil, err
		}
		seen, err := s.WaitEnd(ctx, within)
		if err != nil {
			return nil, fmt.Errorf("round %d: %w", i, err)
		}
		cut, err := w.WaitAppCut(ctx, id, within)
		if err != nil {
			return nil, fmt.Errorf("round %d: %w", i, err)
		}
		floor = append(floor, lab.Since(killed, <-waited))
		// A last byte from before the kill is no delay at all.
		lastByte = append(lastByte, max(0, lab.Since(killed, seen.LastByte)))
		client = append(client, lab.Since(killed, seen.ErrorAt))
		gateway = append(gateway, lab.Since(killed, cut))
	}
	var out []Line
	for _, q := range []struct {
		name string
		p    float64
	}{{"p50", 0.50}, {"p99", 0.99}} {
		peer := percentile(floor, q.p)
		for _, m := range []struct {
			name string
			ms   []float64
		}{{"kill to last byte", lastByte}, {"kill to client closed", client}, {"kill to gateway closed", gateway}} {
			out = append(out, Line{Name: m.name + " " + q.name, Unit: "ms", Ours: percentile(m.ms, q.p), Peer: peer, N: n, note: "kernel tells the parent"})
		}
	}
	return out, nil
}

// busy waits for the wiki's lease and starts a download that flows.
func busy(ctx context.Context, w *lab.World, a *lab.Agent, round int) (*lab.Stream, string, error) {
	var s *lab.Stream
	id := fmt.Sprintf("r%d", round)
	try := 0
	err := lab.Until(ctx, within, "the wiki", func() (bool, error) {
		x, err := a.App(ctx, "wiki")
		if err != nil || x.LeaseRemainingMS == 0 {
			return false, err
		}
		try++
		id = fmt.Sprintf("r%d-%d", round, try)
		s, err = w.OpenStream(ctx, x.LocalAddress, "/download", id)
		return err == nil, err
	})
	if err != nil {
		return nil, "", err
	}
	return s, id, lab.Until(ctx, within, "a busy download", func() (bool, error) { return s.Seen().Bytes > 2<<20, s.Seen().Err })
}

// coldStart measures from starting the agent, which has a session, to the
// first byte of a page through its tunnel. The peer starts a program of the
// same language that does nothing but print its version.
func coldStart(ctx context.Context, dir string, log io.Writer) ([]Line, error) {
	w, a, p, err := world(ctx, dir, "cold-start", log)
	if w != nil {
		defer w.Close()
	}
	if err != nil {
		return nil, err
	}
	if _, err := w.StartEDR(p); err != nil {
		return nil, err
	}
	var addr string
	err = lab.Until(ctx, within, "the wiki", func() (bool, error) {
		x, err := a.App(ctx, "wiki")
		if err != nil || x.LeaseRemainingMS == 0 {
			return false, err
		}
		addr = x.LocalAddress
		_, err = lab.Fetch(ctx, addr)
		return err == nil, err
	})
	if err != nil {
		return nil, err
	}
	const n = 20
	var ours, peer []float64
	for range n {
		if err := a.Stop(); err != nil {
			return nil, err
		}
		began := w.Clock.Boot()
		if err := a.Launch(); err != nil {
			return nil, err
		}
		err := lab.Until(ctx, within, "the first byte", func() (bool, error) {
			_, err := lab.Fetch(ctx, addr)
			return err == nil, err
		})
		if err != nil {
			return nil, err
		}
		ours = append(ours, lab.Since(began, w.Clock.Boot()))
		began = w.Clock.Boot()
		if _, err := a.Postern(ctx, "version"); err != nil {
			return nil, err
		}
		peer = append(peer, lab.Since(began, w.Clock.Boot()))
	}
	return []Line{{Name: "cold start to first byte p50", Unit: "ms", Ours: percentile(ours, 0.5), Peer: percentile(peer, 0.5), N: n, note: "postern version"}}, nil
}
