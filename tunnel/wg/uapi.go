package wg

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.zx2c4.com/wireguard/device"
)

// peerSettings is one far end as WireGuard needs to know it.
type peerSettings struct {
	key       PublicKey
	psk       PresharedKey
	endpoint  netip.AddrPort // the zero value where the far end comes to us
	allowed   []netip.Prefix // replaces what was allowed before
	keepalive int            // seconds, 0 = off
}

// settingsText writes the text that configures a device, in WireGuard's
// cross-platform format (https://www.wireguard.com/xplatform/). It is the only
// place where secret keys become text; the text goes to the device and is
// dropped.
func settingsText(private *PrivateKey, peers ...peerSettings) string {
	var b strings.Builder
	line := func(name, value string) { b.WriteString(name + "=" + value + "\n") }
	if private != nil {
		line("private_key", hex.EncodeToString(private[:]))
	}
	for _, p := range peers {
		line("public_key", hex.EncodeToString(p.key[:]))
		line("preshared_key", hex.EncodeToString(p.psk[:]))
		if p.endpoint.IsValid() {
			line("endpoint", p.endpoint.String())
		}
		line("replace_allowed_ips", "true")
		for _, a := range p.allowed {
			line("allowed_ip", a.String())
		}
		line("persistent_keepalive_interval", strconv.Itoa(p.keepalive))
	}
	return b.String()
}

// newDevice makes a device from a link and a bind, configures it and brings
// it up. On an error everything is closed again.
func newDevice(l *link, b *udpBind, log *slog.Logger, settings string) (*device.Device, error) {
	d := device.NewDevice(l, b, deviceLogger(log))
	if err := d.IpcSet(settings); err != nil {
		d.Close()
		return nil, fmt.Errorf("configure wireguard: %w", err)
	}
	if err := d.Up(); err != nil {
		d.Close()
		return nil, fmt.Errorf("start wireguard: %w", err)
	}
	return d, nil
}

// deviceLogger passes the device's own words on at debug level, errors too:
// on a network the two are hard to tell apart. It never sees secret keys;
// public keys come shortened.
func deviceLogger(log *slog.Logger) *device.Logger {
	if log == nil {
		return &device.Logger{Verbosef: device.DiscardLogf, Errorf: device.DiscardLogf}
	}
	logf := func(format string, args ...any) {
		if log.Enabled(context.Background(), slog.LevelDebug) {
			log.Debug("wireguard: " + fmt.Sprintf(format, args...))
		}
	}
	return &device.Logger{Verbosef: logf, Errorf: logf}
}

// peerState is what a device says of one far end.
type peerState struct {
	key       PublicKey
	endpoint  netip.AddrPort
	handshake time.Time // zero: none yet
	rx, tx    uint64    // bytes on the outer network, handshakes included
}

// deviceState asks d about its peers.
func deviceState(d *device.Device) ([]peerState, error) {
	var r stateReader
	if err := d.IpcGetOperation(&r); err != nil {
		return nil, fmt.Errorf("read wireguard state: %w", err)
	}
	return r.peers, nil
}

// stateReader is an io.Writer that picks what it needs out of a device's
// answer as it passes. The secret keys in it are not copied.
type stateReader struct {
	peers       []peerState
	seconds, ns int64
}

// Write implements io.Writer; the device writes its whole answer in one call.
func (r *stateReader) Write(text []byte) (int, error) {
	for line := range bytes.Lines(text) {
		name, value, found := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte("="))
		if !found {
			continue
		}
		if err := r.take(string(name), value); err != nil {
			return 0, err
		}
	}
	return len(text), nil
}

func (r *stateReader) take(name string, value []byte) (err error) {
	if name == "public_key" {
		var p peerState
		if n, err := hex.Decode(p.key[:], value); err != nil || n != len(p.key) {
			return fmt.Errorf("public key of %d hex digits", len(value))
		}
		r.peers = append(r.peers, p)
		return nil
	}
	if len(r.peers) == 0 { // the device's own settings come first
		return nil
	}
	p := &r.peers[len(r.peers)-1]
	switch name {
	case "endpoint":
		p.endpoint, err = netip.ParseAddrPort(string(value))
	case "last_handshake_time_sec":
		r.seconds, err = strconv.ParseInt(string(value), 10, 64)
	case "last_handshake_time_nsec":
		r.ns, err = strconv.ParseInt(string(value), 10, 64)
		if r.seconds != 0 || r.ns != 0 {
			p.handshake = time.Unix(r.seconds, r.ns)
		}
	case "rx_bytes":
		p.rx, err = strconv.ParseUint(string(value), 10, 64)
	case "tx_bytes":
		p.tx, err = strconv.ParseUint(string(value), 10, 64)
	}
	return err
}
