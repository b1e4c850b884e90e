package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/audit"
	"github.com/postern-zt/postern/broker/dev"
	"github.com/postern-zt/postern/broker/devidp"
	"github.com/postern-zt/postern/broker/server"
	"github.com/postern-zt/postern/broker/store"
	"github.com/postern-zt/postern/platform/files"
)

func runDev(ctx context.Context, s streams, args []string) error {
	fs := s.flags("dev", "dev [--state DIR] [--policy FILE] [--lease DURATION] [--json]")
	o := dev.Options{Commands: s.in, Out: s.out, Err: s.err}
	fs.StringVar(&o.State, "state", defaultDev(), "folder of everything `dev` keeps")
	fs.StringVar(&o.Policy, "policy", "", "policy file; ${IDP} and ${APPS} in it stand for the provider's address and the sample apps' folder")
	fs.DurationVar(&o.Lease, "lease", server.DefaultLease, "length of a lease")
	fs.BoolVar(&o.JSON, "json", false, "say everything on standard output as JSON objects, one a line")
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	if err := needed(fs, "state"); err != nil {
		return err
	}
	var err error
	if o.State, err = filepath.Abs(o.State); err != nil {
		return err
	}
	return dev.Run(ctx, o)
}

// serveOptions of `serve`.
type serveOptions struct {
	state, policy, issuer, listen, cert, key, tokens, provider string
	lease                                                      time.Duration
}

func runServe(ctx context.Context, s streams, args []string) error {
	var o serveOptions
	fs := s.flags("serve", "serve --issuer URL --listen ADDR --cert FILE --key FILE --policy FILE --state DIR [flags]")
	fs.StringVar(&o.state, "state", "", "folder of the database and the audit log")
	fs.StringVar(&o.policy, "policy", "", "policy file; it is read again when it changes")
	fs.StringVar(&o.issuer, "issuer", "", "this broker's address as agents see it, https://host[:port]")
	fs.StringVar(&o.listen, "listen", "", "address to listen on, host:port")
	fs.StringVar(&o.cert, "cert", "", "TLS certificate chain, PEM")
	fs.StringVar(&o.key, "key", "", "TLS private key, PEM")
	fs.StringVar(&o.tokens, "enrolment-tokens", "", "file of enrolment tokens, one a line: user|system|gateway, a space, the token")
	fs.DurationVar(&o.lease, "lease", server.DefaultLease, "length of a lease, 2s to 10m")
	fs.StringVar(&o.provider, "sample-provider", "", "also serve a small OpenID provider at this loopback address, for trying things out")
	if err := parse(fs, args, 0); err != nil {
		return err
	}
	if err := needed(fs, "state", "policy", "issuer", "listen", "cert", "key"); err != nil {
		return err
	}
	if o.lease < 2*time.Second || o.lease > 10*time.Minute {
		return fmt.Errorf("--lease %s: want 2s to 10m", o.lease)
	}
	if u, err := url.Parse(o.issuer); err != nil || u.Scheme != "https" || u.Host == "" || (u.Path != "" && u.Path != "/") {
		return fmt.Errorf("--issuer %q: want https://host[:port]", o.issuer)
	}
	o.issuer = strings.TrimRight(o.issuer, "/")
	return serve(ctx, s, o)
}

func serve(ctx context.Context, s streams, o serveOptions) error {
	log := slog.New(slog.NewTextHandler(s.err, nil)).With("program", "broker")
	if err := files.MkdirOwnerOnly(o.state); err != nil {
		return err
	}
	p, err := loadPolicy(o.policy)
	if err != nil {
		return err
	}
	st, err := store.OpenSQLite(ctx, filepath.Join(o.state, "broker.db"))
	if err != nil {
		return err
	}
	defer st.Close()
	if err := addTokens(ctx, st, o.tokens); err != nil {
		return err
	}
	events, err := audit.Open(filepath.Join(o.state, "audit.jsonl"), audit.MaxFile, time.Now)
	if err != nil {
		return err
	}
	defer events.Close()
	srv, err := server.New(ctx, server.Config{Issuer: o.issuer, Store: st, Policy: p, Now: time.Now, Lease: o.lease, Audit: events, Log: log})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	parts := 3
	ended := make(chan error, 4)
	go func() { ended <- srv.Run(ctx) }()
	go func() { ended <- followPolicy(ctx, o.policy, p.Hash(), srv, log) }()
	go func() { ended <- listenHTTPS(ctx, s, o, srv, log) }()
	if o.provider != "" {
		parts++
		go func() { ended <- sampleProvider(ctx, o.provider) }()
	}
	var result error
	for range parts {
		result = errors.Join(result, <-ended)
		cancel()
	}
	return result
}

// listenHTTPS serves until the context ends.
func listenHTTPS(ctx context.Context, s streams, o serveOptions, srv *server.Server, log *slog.Logger) error {
	cert, err := tls.LoadX509KeyPair(o.cert, o.key)
	if err != nil {
		return fmt.Errorf("read TLS certificate: %w", err)
	}
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	hs := &http.Server{
		Handler: srv.Handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13},
		ErrorLog:  slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	stopped := context.AfterFunc(ctx, func() {
		srv.Close()
		end, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if hs.Shutdown(end) != nil {
			hs.Close()
		}
	})
	defer stopped()
	fmt.Fprintln(s.out, "ready")
	log.Info("broker runs", "issuer", o.issuer)
	if err := hs.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// followPolicy reads the policy file again when its content changes. A wrong
// one is refused whole, and the one in force stays.
func followPolicy(ctx context.Context, path, hash string, srv *server.Server, log *slog.Logger) error {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	var refused string
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		p, err := loadPolicy(path)
		switch {
		case err != nil && err.Error() != refused:
			refused = err.Error()
			log.Error("the changed policy is refused; the one before stays in force", "error", err)
		case err == nil && p.Hash() != hash:
			if err := srv.SetPolicy(ctx, p); err != nil {
				log.Error("put policy in force", "error", err)
				continue
			}
			hash, refused = p.Hash(), ""
			log.Info("policy in force", "sha256", hash)
		}
	}
}

// tokenLife of tokens from a file: an administrator takes them out by hand.
const tokenLife = 365 * 24 * time.Hour

// enrolmentToken is one line of the token file.
type enrolmentToken struct{ scope, token, note string }

// readTokens reads a token file that nobody else may read.
func readTokens(path string) ([]enrolmentToken, error) {
	data, err := files.ReadOwnerOnly(path, 1<<20)
	if err != nil {
		return nil, fmt.Errorf("read enrolment tokens: %w", err)
	}
	var out []enrolmentToken
	for n, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		scope, token, _ := strings.Cut(strings.TrimSpace(line), " ")
		if (scope != api.ScopeUser && scope != api.ScopeSystem && scope != api.ScopeGateway) || len(token) < 16 {
			return nil, fmt.Errorf("enrolment tokens %s:%d: want user, system or gateway, a space, and a token of 16 characters or more", path, n+1)
		}
		out = append(out, enrolmentToken{scope, token, fmt.Sprintf("%s:%d", filepath.Base(path), n+1)})
	}
	return out, nil
}

// addTokens takes over enrolment tokens; only their hashes are kept.
func addTokens(ctx context.Context, st store.Store, path string) error {
	if path == "" {
		return nil
	}
	tokens, err := readTokens(path)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		err := st.AddEnrolmentToken(ctx, store.Hash(t.token), t.note, t.scope, 1_000_000, time.Now().Add(tokenLife).UnixMilli())
		if err != nil && !errors.Is(err, store.ErrExists) {
			return fmt.Errorf("keep enrolment token: %w", err)
		}
	}
	return nil
}

// sampleProvider serves the development provider until the context ends.
func sampleProvider(ctx context.Context, addr string) error {
	l, err := devidp.Listen(addr)
	if err != nil {
		return err
	}
	idp, err := devidp.New(devidp.Config{Issuer: "http://" + l.Addr().String(), Clients: dev.SampleClients(), Users: dev.SampleUsers()})
	if err != nil {
		return err
	}
	hs := &http.Server{Handler: idp, ReadHeaderTimeout: 10 * time.Second}
	stopped := context.AfterFunc(ctx, func() { hs.Close() })
	defer stopped()
	if err := hs.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
