package lab

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/client/brokerclient"
	"github.com/postern-zt/postern/client/loopback"
	"github.com/postern-zt/postern/client/signin"
	"github.com/postern-zt/postern/platform/hwkey"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/platform/machine"
	"github.com/postern-zt/postern/platform/secret"
	"github.com/postern-zt/postern/posture/attest"
	"github.com/postern-zt/postern/posture/collect"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
	"github.com/postern-zt/postern/tunnel/plan"
	"github.com/postern-zt/postern/tunnel/wg"
)

// Device plays a whole device inside this process, from the product's own
// rooms, with keys of its own: it can then try at the gateway what the real
// agent would never try.
type Device struct {
	world   *World
	api     *apiclient.Client
	broker  *brokerclient.Client
	signins *signin.SignIns
	posture *collect.Collector
}

// NewDevice makes a device that is not enrolled yet.
func (w *World) NewDevice(name string, products ...Product) (*Device, error) {
	key, err := hwkey.NewMemory()
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(w.Info.BrokerCA)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	token, err := os.ReadFile(w.Info.Token)
	if err != nil {
		return nil, err
	}
	d := &Device{world: w}
	if d.api, err = apiclient.New(apiclient.Config{Base: w.Info.Broker, Roots: roots, Key: key, Clock: w.Clock}); err != nil {
		return nil, err
	}
	state := w.File(name)
	if err := os.Mkdir(state, 0o700); err != nil {
		return nil, err
	}
	d.broker, err = brokerclient.Open(brokerclient.Config{API: d.api, Key: key, KeyKind: api.KeyProtection(key.Protection()), Version: "demo", Secrets: secret.NewMemory(), State: state, Clock: w.Clock, Scope: api.ScopeUser, Name: name, Token: string(token)})
	if err != nil {
		return nil, err
	}
	jkt, err := jws.Thumbprint(key.Public())
	if err != nil {
		return nil, err
	}
	d.signins = signin.New(jkt, w.Clock.Boot, d.api.Now)
	var rows []observe.EDRRow
	for _, p := range products {
		rows = append(rows, observe.EDRRow{ID: p.ID, Name: p.Name, Linux: []observe.Program{{Executable: p.Executable, SHA256: p.SHA256}}, Origin: fact.OriginUserSettings})
	}
	d.posture = collect.New(collect.Config{Machine: machine.New(machine.Config{Commands: machine.Commands()}), Catalogue: rows, Clock: w.Clock, Version: "demo"})
	return d, nil
}

// Join enrols the device and signs the sample person in on it.
func (d *Device) Join(ctx context.Context) error {
	if err := d.broker.Enrol(ctx); err != nil {
		return err
	}
	providers, err := d.broker.Providers(ctx)
	if err != nil || len(providers) == 0 {
		return fmt.Errorf("ask for identity providers: %w", err)
	}
	r, err := loopback.Listen()
	if err != nil {
		return err
	}
	defer r.Close()
	const owner = "demo"
	s, err := d.signins.Start(ctx, providers[0], signin.Request{Redirect: r.RedirectURI(), FormPost: true}, owner)
	if err != nil {
		return err
	}
	b, err := NewBrowser(d.world.Info.User, d.world.Info.Password)
	if err != nil {
		return err
	}
	browsed := make(chan error, 1)
	go func() {
		_, err := b.SignIn(ctx, s.URL)
		browsed <- err
	}()
	back, err := r.Wait(ctx, s.State)
	if err = errors.Join(err, <-browsed); err != nil {
		return err
	}
	done, err := d.signins.Finish(ctx, signin.Callback{ID: s.ID, Code: back.Code, State: back.State, Issuer: back.Iss}, owner)
	if err != nil {
		return err
	}
	session, err := d.broker.Exchange(ctx, done.IDToken, done.Salt, owner)
	if err != nil {
		return err
	}
	return d.broker.Begin(session)
}

// Leased is one tunnel that this device may open, with its key.
type Leased struct {
	Plan plan.Tunnel
	Key  wg.PrivateKey
	Sent time.Duration // boot time of the request; the lease counts from here
}

// Ask attests this machine's posture and asks for one app with a fresh key.
func (d *Device) Ask(ctx context.Context, app string) (Leased, api.Answer, error) {
	key, err := wg.NewPrivateKey()
	if err != nil {
		return Leased{}, api.Answer{}, err
	}
	answer, sent, err := d.broker.Attest(ctx, brokerclient.Attestation{Report: d.posture.Read(ctx), Wanted: []attest.Wanted{{App: app, PublicKey: key.Public().String()}}})
	if err != nil {
		return Leased{}, answer, err
	}
	for _, l := range answer.Leases {
		if l.App.ID == app {
			p, err := plan.FromLease(l, 1, sent+time.Duration(l.TTLMS)*time.Millisecond)
			return Leased{Plan: p, Key: key, Sent: sent}, answer, err
		}
	}
	return Leased{}, answer, fmt.Errorf("no lease for %s: %v", app, answer.Denied)
}

// Open opens the tunnel of a lease, whether or not the lease still lives: the
// gateway is what must not answer.
func (l Leased) Open() (*wg.Client, error) {
	var allowed []netip.Prefix
	for _, v := range []string{"100.112.0.0/16", "fd50:6f73:7465:2::/64"} { // all virtual addresses, not only the app's own
		allowed = append(allowed, netip.MustParsePrefix(v))
	}
	c, err := wg.OpenClient(wg.ClientConfig{
		PrivateKey: l.Key, PeerKey: wg.PublicKey(l.Plan.Gateway.PublicKey), PSK: wg.PresharedKey(l.Plan.Preshared), Endpoint: l.Plan.Gateway.Endpoints[0], Addresses: l.Plan.Addresses, AllowedIPs: allowed,
	})
	if err != nil {
		return nil, err
	}
	c.Gate().Open()
	return c, nil
}

// Shake opens the tunnel anew and reports how long a handshake took to be
// answered; an error means that none was within the time.
func (l Leased) Shake(ctx context.Context, clockNow func() time.Duration, within time.Duration) (time.Duration, error) {
	c, err := l.Open()
	if err != nil {
		return 0, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	began := clockNow()
	err = c.Handshake(ctx)
	return clockNow() - began, err
}

// Reachable tries TCP port 80 at each address through the tunnel, side by
// side, and returns those that answered.
func (l Leased) Reachable(ctx context.Context, addrs []netip.Addr, within time.Duration) ([]netip.Addr, error) {
	c, err := l.Open()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	type result struct {
		addr netip.Addr
		err  error
	}
	results := make(chan result, len(addrs))
	for _, a := range addrs {
		go func() {
			var conn net.Conn
			conn, err := c.DialTCP(ctx, netip.AddrPortFrom(a, 80))
			if err == nil {
				conn.Close()
			}
			results <- result{a, err}
		}()
	}
	var ok []netip.Addr
	for range addrs {
		if r := <-results; r.err == nil {
			ok = append(ok, r.addr)
		}
	}
	return ok, nil
}
