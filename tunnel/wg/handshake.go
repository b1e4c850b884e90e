package wg

import (
	"context"
	"errors"
	"time"

	"golang.zx2c4.com/wireguard/device"
)

// How long to wait for the answer to a handshake before the next try: first,
// and at most.
const (
	handshakeFirstWait = 300 * time.Millisecond
	handshakeLastWait  = 5 * time.Second
)

// Handshake starts a new WireGuard handshake now and waits until one has
// completed after the call, or for ctx. WireGuard by itself tries only every
// five seconds; here the waits are 0.3, 0.6, 1.2, … up to 5 s. Where the
// gateway answers, connections stand still for a round trip at most.
func (c *Client) Handshake(ctx context.Context) error {
	before := c.state().handshake
	for wait := handshakeFirstWait; ; wait = min(2*wait, handshakeLastWait) {
		peer := c.device.LookupPeer(device.NoisePublicKey(c.peer))
		if peer == nil {
			return errors.New("handshake: tunnel is closed")
		}
		c.initiate(peer)
		done, err := c.awaitHandshake(ctx, before, wait)
		if done || err != nil {
			return err
		}
	}
}

// initiate sends a handshake initiation. The device refuses a second one
// within five seconds; then its keys are expired, which lifts that rule.
func (c *Client) initiate(peer *device.Peer) {
	sent := c.bind.initiations.Load()
	// An error here is a socket that could not send; the next try may.
	_ = peer.SendHandshakeInitiation(false)
	if c.bind.initiations.Load() == sent {
		peer.ExpireCurrentKeypairs()
		_ = peer.SendHandshakeInitiation(false)
	}
}

// awaitHandshake looks for a handshake newer than before, at intervals that
// grow with the time waited. The device has no event for it.
func (c *Client) awaitHandshake(ctx context.Context, before time.Time, wait time.Duration) (bool, error) {
	start := time.Now()
	for {
		if c.state().handshake.After(before) {
			return true, nil
		}
		elapsed := time.Since(start)
		if elapsed >= wait {
			return false, nil
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(min(max(elapsed/8, time.Millisecond), 50*time.Millisecond)):
		}
	}
}
