package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/broker/audit"
	"github.com/postern-zt/postern/broker/dev"
	"github.com/postern-zt/postern/broker/gateway"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/files"
	"github.com/postern-zt/postern/platform/hwkey"
	"github.com/postern-zt/postern/platform/secret"
	"github.com/postern-zt/postern/posture/attest"
	"github.com/postern-zt/postern/tunnel/wg"
)

// gatewayOptions of `gateway`.
type gatewayOptions struct {
	state, broker, ca, name, listen, tokenFile, apps, appsLog string
}

func runGateway(ctx context.Context, s streams, args []string) error {
	var o gatewayOptions
	fs := s.flags("gateway", "gateway --broker URL --name NAME --listen ADDR --state DIR [flags]")
	fs.StringVar(&o.state, "state", "", "folder of the gateway's keys and record")
	fs.StringVar(&o.broker, "broker", "", "the broker's address, https://host[:port]")
	fs.StringVar(&o.ca, "broker-ca", "", "PEM file of the authorities that the broker's certificate must come from; the system's otherwise")
	fs.StringVar(&o.name, "name", "", "what the policy's apps call this gateway")
	fs.StringVar(&o.listen, "listen", "", "UDP address for WireGuard, address:port, as agents reach it")
	fs.StringVar(&o.tokenFile, "enrolment-token-file", "", "file with the enrolment token; needed the first time")
	fs.StringVar(&o.apps, "sample-apps", "", "also serve the sample apps on sockets in this folder, for trying things out")
	fs.StringVar(&o.appsLog, "sample-apps-log", "", "file for the sample apps' own account of their connections")
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	if err := needed(fs, "state", "broker", "name", "listen"); err != nil {
		return err
	}
	return serveGateway(ctx, s, o)
}

func serveGateway(ctx context.Context, s streams, o gatewayOptions) error {
	log := slog.New(slog.NewTextHandler(s.err, nil)).With("program", "gateway")
	if err := files.MkdirOwnerOnly(o.state); err != nil {
		return err
	}
	lock, err := files.Lock(filepath.Join(o.state, "gateway.lock"), "postern-broker gateway "+o.name)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	cfg, err := gatewayConfig(o, log)
	if err != nil {
		return err
	}
	defer cfg.Audit.Close()
	gw, err := gateway.New(cfg)
	if err != nil {
		return err
	}
	fmt.Fprintln(s.out, "ready")
	log.Info("gateway runs", "name", o.name, "udp", gw.Addr())
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 2)
	parts := 1
	go func() { ended <- gw.Run(ctx) }()
	if o.apps != "" {
		parts++
		go func() { ended <- dev.ServeApps(ctx, o.apps, o.appsLog, cfg.Clock) }()
	}
	var result error
	for range parts {
		result = errors.Join(result, <-ended)
		cancel()
	}
	return result
}

// gatewayConfig reads or makes what the gateway is: device key, WireGuard key,
// identifier.
func gatewayConfig(o gatewayOptions, log *slog.Logger) (gateway.Config, error) {
	cfg := gateway.Config{Name: o.name, Clock: clock.System(), Log: log}
	var err error
	if cfg.Listen, err = netip.ParseAddrPort(o.listen); err != nil {
		return cfg, fmt.Errorf("--listen: %w", err)
	}
	key, _, err := hwkey.OpenFile(o.state)
	if err != nil {
		return cfg, err
	}
	cfg.Key = key
	kept, err := secret.OpenFile(filepath.Join(o.state, "secrets"))
	if err != nil {
		return cfg, err
	}
	ueid, err := keep(kept, "ueid", func() ([]byte, error) { return []byte(attest.NewUEID()), nil })
	if err != nil {
		return cfg, err
	}
	wgKey, err := keep(kept, "wireguard", func() ([]byte, error) {
		k, err := wg.NewPrivateKey()
		return k[:], err
	})
	if err != nil {
		return cfg, err
	}
	if len(wgKey) != len(cfg.WireGuard) {
		return cfg, fmt.Errorf("the WireGuard key in %s is damaged; remove it to make a new one", o.state)
	}
	cfg.UEID, cfg.WireGuard = string(ueid), wg.PrivateKey(wgKey)
	if o.tokenFile != "" {
		token, err := files.ReadOwnerOnly(o.tokenFile, 4096)
		if err != nil {
			return cfg, fmt.Errorf("read enrolment token: %w", err)
		}
		cfg.Token = strings.TrimSpace(string(token))
	}
	roots, err := readRoots(o.ca)
	if err != nil {
		return cfg, err
	}
	if cfg.Client, err = apiclient.New(apiclient.Config{Base: o.broker, Roots: roots, Key: key, Clock: cfg.Clock}); err != nil {
		return cfg, err
	}
	cfg.Audit, err = audit.Open(filepath.Join(o.state, "audit.jsonl"), audit.MaxFile, time.Now)
	return cfg, err
}

// keep returns a secret, made on first use.
func keep(s secret.Store, name string, make func() ([]byte, error)) ([]byte, error) {
	v, err := s.Get(name)
	if !errors.Is(err, secret.ErrNotFound) {
		return v, err
	}
	if v, err = make(); err != nil {
		return nil, err
	}
	return v, s.Set(name, v)
}

func readRoots(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	data, err := files.ReadLimited(path, 1<<20)
	if err != nil {
		return nil, fmt.Errorf("read the broker's authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("read the broker's authorities: %s holds no certificate", path)
	}
	return pool, nil
}
