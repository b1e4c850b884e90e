package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/testfixtures/lab"
)

// quiet is how long nothing must answer for silence to count.
const quiet = 2 * time.Second

// unbroken is the longest pause that a stream of 50 ticks a second may have
// and still count as going on.
const unbroken = 500 * time.Millisecond

// driftClosed: the product is killed while the wiki is busy.
func (d *demo) driftClosed(ctx context.Context) (string, error) {
	wiki, board, err := d.twoStreams(ctx, "drift")
	if err != nil {
		return "", err
	}
	defer wiki.Close()
	defer board.Close()
	l, err := d.answered(ctx)
	if err != nil {
		return "", err
	}
	if a, err := d.agent.App(ctx, "wiki"); err != nil || a.State != localapi.AppOpen {
		return "", fmt.Errorf("before the drift the wiki is %s: %w", a.State, err)
	}
	board.MarkGap()
	if idle := d.world.Clock.Boot() - wiki.Seen().LastByte; idle > 100*time.Millisecond {
		return "", fmt.Errorf("the download is not busy: its last byte came %s ago", idle)
	}
	killed := d.world.Clock.Boot()
	if err := d.running.Kill(); err != nil {
		return "", err
	}
	seen, err := wiki.WaitEnd(ctx, 10*time.Second)
	if err != nil {
		return "", err
	}
	cut, err := d.world.WaitAppCut(ctx, "drift-wiki", 10*time.Second)
	if err != nil {
		return "", err
	}
	observed := fmt.Sprintf("after the kill: %s, client closed %.1f ms, gateway closed %.1f ms (%d MB had come)",
		lastByte(lab.Since(killed, seen.LastByte)), lab.Since(killed, seen.ErrorAt), lab.Since(killed, cut), seen.Bytes>>20)
	if seen.CleanStop {
		return observed, errors.New("the download ended as if it were whole, want an error")
	}
	if err := d.nowDenied(ctx); err != nil {
		return observed, err
	}
	if err := d.unanswered(ctx, l); err != nil {
		return observed, err
	}
	b := board.Seen()
	if b.Err != nil || b.Gap > unbroken {
		return observed, fmt.Errorf("the status board paused for %s: %w", b.Gap, b.Err)
	}
	return fmt.Sprintf("%s; the status board went on, longest pause %.0f ms; the second device's handshake stays unanswered after its lease", observed, float64(b.Gap)/1e6), nil
}

// lastByte says when the last byte was read; it may have been before the kill,
// when the gate was shut before the next one came.
func lastByte(ms float64) string {
	if ms < 0 {
		return fmt.Sprintf("no byte more (the last one %.1f ms before)", -ms)
	}
	return fmt.Sprintf("last byte read %.1f ms", ms)
}

// twoStreams starts a busy download from the wiki and a slow one from the
// status board.
func (d *demo) twoStreams(ctx context.Context, name string) (wiki, board *lab.Stream, err error) {
	w, err := d.agent.App(ctx, "wiki")
	if err != nil {
		return nil, nil, err
	}
	s, err := d.agent.App(ctx, "status")
	if err != nil {
		return nil, nil, err
	}
	if board, err = d.world.OpenStream(ctx, s.LocalAddress, "/slow", name+"-status"); err != nil {
		return nil, nil, err
	}
	if wiki, err = d.world.OpenStream(ctx, w.LocalAddress, "/download", name+"-wiki"); err != nil {
		board.Close()
		return nil, nil, err
	}
	err = lab.Until(ctx, patience, "a busy download", func() (bool, error) { return wiki.Seen().Bytes > 4<<20, wiki.Seen().Err })
	return wiki, board, err
}

// answered takes a fresh lease for the second device and shows that its
// handshake is answered while it lives. The device counts the lease from when
// it asked, the gateway from a moment that is no later than the answer: so long
// after its own end the device may still be answered.
func (d *demo) answered(ctx context.Context) (lab.Leased, error) {
	asked := d.world.Clock.Boot()
	l, _, err := d.second.Ask(ctx, "wiki")
	if err != nil {
		return l, fmt.Errorf("second device: %w", err)
	}
	l.Plan.Until += d.world.Clock.Boot() - asked
	_, err = l.Shake(ctx, d.world.Clock.Boot, quiet)
	if err != nil {
		err = fmt.Errorf("second device: a handshake under its lease stays unanswered: %w", err)
	}
	return l, err
}

// unanswered waits for the end of the second device's lease and shows that
// nothing answers any more.
func (d *demo) unanswered(ctx context.Context, l lab.Leased) error {
	t := d.world.Clock.NewTimer(l.Plan.Until)
	defer t.Stop()
	select {
	case <-t.C():
	case <-ctx.Done():
		return ctx.Err()
	}
	if took, err := l.Shake(ctx, d.world.Clock.Boot, quiet); err == nil {
		return fmt.Errorf("second device: after its lease a handshake was answered in %s", took)
	}
	return ctx.Err()
}

// nowDenied: the agent says why, and its local address refuses.
func (d *demo) nowDenied(ctx context.Context) error {
	var a localapi.App
	err := lab.Until(ctx, patience, "the wiki being denied", func() (bool, error) {
		var err error
		a, err = d.agent.App(ctx, "wiki")
		return err == nil && a.State == localapi.AppDenied && slices.Contains(a.Reasons, "org/edr-not-running"), err
	})
	if err != nil {
		return fmt.Errorf("%w (the wiki is %s %v)", err, a.State, a.Reasons)
	}
	if err := lab.Refused(ctx, "tcp", a.LocalAddress); err != nil {
		return fmt.Errorf("a closed app answers: %w", err)
	}
	s, err := d.agent.Status(ctx)
	if err == nil && s.LastRevocation == nil {
		err = errors.New("postern status names no revocation")
	}
	return err
}

// repaired: the product starts again and the app is back, without a sign-in.
func (d *demo) repaired(ctx context.Context) (string, error) {
	before, err := d.agent.App(ctx, "wiki")
	if err != nil {
		return "", err
	}
	began := d.world.Clock.Boot()
	if d.running, err = d.world.StartEDR(d.edr); err != nil {
		return "", err
	}
	err = lab.Until(ctx, 2*time.Second, "the wiki coming back", func() (bool, error) {
		_, err := lab.Fetch(ctx, before.LocalAddress)
		return err == nil, err
	})
	took := lab.Since(began, d.world.Clock.Boot())
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("the wiki is back %.0f ms after the product started, at the same address, without a new sign-in", took), d.freshKeys(ctx)
}

// freshKeys: by the gateway's own record no tunnel key was used twice.
func (d *demo) freshKeys(ctx context.Context) error {
	s, err := d.agent.Status(ctx)
	if err != nil {
		return err
	}
	keys, err := d.world.GatewayKeys(s.Device.ID)
	if err != nil {
		return err
	}
	if len(keys) < 3 { // wiki and status, and wiki again
		return fmt.Errorf("the gateway's record has %d tunnels of the agent, want three or more", len(keys))
	}
	slices.Sort(keys)
	if len(slices.Compact(slices.Clone(keys))) != len(keys) {
		return errors.New("the gateway's record shows a tunnel key twice")
	}
	return nil
}

// bothEnds waits until a stream has ended at the reader and at the app's
// server, and tells when.
func (d *demo) bothEnds(ctx context.Context, s *lab.Stream, id string, from time.Duration) (string, error) {
	bound := lease + 3*time.Second
	seen, err := s.WaitEnd(ctx, bound)
	if err != nil {
		return "", err
	}
	cut, err := d.world.WaitAppCut(ctx, id, bound)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("client closed %.0f ms, gateway closed %.0f ms after it", lab.Since(from, seen.ErrorAt), lab.Since(from, cut)), nil
}

// brokerStopped: silence is closed, at both ends.
func (d *demo) brokerStopped(ctx context.Context) (string, error) {
	a, err := d.agent.App(ctx, "wiki")
	if err != nil {
		return "", err
	}
	s, err := d.world.OpenStream(ctx, a.LocalAddress, "/slow", "broker-stopped")
	if err != nil {
		return "", err
	}
	defer s.Close()
	stopped := d.world.Clock.Boot()
	if err := d.world.Command("stop broker"); err != nil {
		return "", err
	}
	observed, err := d.bothEnds(ctx, s, "broker-stopped", stopped)
	if err != nil {
		return observed, err
	}
	// The reader cannot tell which end closed first; the agent says that its
	// own clock did too.
	if a, err = d.agent.App(ctx, "wiki"); err != nil || a.State != localapi.AppClosed || !slices.Equal(a.Reasons, []string{"expired"}) {
		return observed, fmt.Errorf("with the broker stopped the wiki is %s %v: %w", a.State, a.Reasons, err)
	}
	started := d.world.Clock.Boot()
	if err := d.world.Command("start broker"); err != nil {
		return observed, err
	}
	_, _, err = d.openWiki(ctx)
	return fmt.Sprintf("the lease ran out by itself: %s; %.0f ms after the broker started the wiki is back", observed, lab.Since(started, d.world.Clock.Boot())), err
}

// agentKilled: the gateway needs no client to close.
func (d *demo) agentKilled(ctx context.Context) (string, error) {
	a, err := d.agent.App(ctx, "wiki")
	if err != nil {
		return "", err
	}
	s, err := d.world.OpenStream(ctx, a.LocalAddress, "/slow", "agent-killed")
	if err != nil {
		return "", err
	}
	defer s.Close()
	killed := d.world.Clock.Boot()
	if err := d.agent.Kill(); err != nil {
		return "", err
	}
	observed, err := d.bothEnds(ctx, s, "agent-killed", killed)
	if err != nil {
		return observed, err
	}
	started := d.world.Clock.Boot()
	if err := d.agent.Start(ctx); err != nil {
		return observed, err
	}
	if _, _, err = d.openWiki(ctx); err != nil {
		return observed, err
	}
	return fmt.Sprintf("the gateway closed by its own clock: %s; %.0f ms after the agent started the wiki is back without a sign-in", observed, lab.Since(started, d.world.Clock.Boot())), d.freshKeys(ctx)
}
