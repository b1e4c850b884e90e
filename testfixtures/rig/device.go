package rig

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/client/brokerclient"
	"github.com/postern-zt/postern/client/signin"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/hwkey"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/platform/secret"
	"github.com/postern-zt/postern/posture/attest"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/testfixtures/lab"
	"github.com/postern-zt/postern/tunnel/wg"
)

// DeviceOptions of Device; what is empty is made anew.
type DeviceOptions struct {
	Key      hwkey.Key
	Clock    clock.Clock
	Hardware *attest.Hardware // nil: a machine of its own
	State    string           // folder; another device may have left its own there
}

// Device is a machine of a person, made of the rooms that the agent is made of.
type Device struct {
	T        testing.TB
	World    *World
	Key      hwkey.Key
	JKT      string
	Clock    clock.Clock
	Hardware attest.Hardware
	State    string // folder

	API     *apiclient.Client
	Broker  *brokerclient.Client
	SignIns *signin.SignIns
	Keys    map[string]wg.PrivateKey // by app
}

// Device makes a device that is not yet enrolled.
func (w *World) Device(o DeviceOptions) *Device {
	t := w.T
	t.Helper()
	d := &Device{T: t, World: w, Key: o.Key, Clock: o.Clock, State: o.State, Keys: map[string]wg.PrivateKey{}}
	var err error
	if d.Key == nil {
		d.Key, err = hwkey.NewMemory()
		must(t, err)
	}
	if d.Clock == nil {
		d.Clock = clock.System()
	}
	if d.State == "" {
		d.State = filepath.Join(t.TempDir(), "state")
	}
	d.Hardware = attest.Hardware{Serial: jws.Random(32), UUID: jws.Random(32)}
	if o.Hardware != nil {
		d.Hardware = *o.Hardware
	}
	d.JKT, err = jws.Thumbprint(d.Key.Public())
	must(t, err)
	d.API, err = apiclient.New(apiclient.Config{Base: w.URL, Roots: w.Roots, Key: d.Key, Clock: d.Clock})
	must(t, err)
	t.Cleanup(d.API.Close)
	kept, err := secret.OpenFile(filepath.Join(d.State, "secrets"))
	must(t, err)
	d.Broker, err = brokerclient.Open(brokerclient.Config{
		API: d.API, Key: d.Key, KeyKind: api.KeyFile, Version: "1.0.0", Secrets: kept, State: d.State, Clock: d.Clock, Scope: api.ScopeUser, Name: "laptop", Token: DeviceToken, Hardware: d.Hardware,
	})
	must(t, err)
	d.SignIns = signin.New(d.JKT, d.Clock.Boot, d.API.Now)
	return d
}

// Enrolled makes a device and enrols it.
func (w *World) Enrolled(o DeviceOptions) *Device {
	w.T.Helper()
	d := w.Device(o)
	must(w.T, d.Broker.Enrol(w.Context()))
	return d
}

// GatewayDevice makes a device that is enrolled as a gateway.
func (w *World) GatewayDevice() *Device {
	w.T.Helper()
	d := w.Device(DeviceOptions{})
	_, err := d.API.Discover(w.Context())
	must(w.T, err)
	_, err = d.API.Enrol(w.Context(), api.Enrolment{UEID: attest.NewUEID(), Name: "dev", Scope: api.ScopeGateway, KeyProtection: api.KeyFile, Token: GatewayToken})
	must(w.T, err)
	return d
}

// SignedIn makes a device, enrols it and signs the person in on it.
func (w *World) SignedIn(o DeviceOptions) *Device {
	w.T.Helper()
	d := w.Enrolled(o)
	d.SignIn()
	return d
}

// SignIn signs the person in with the provider's form and the broker.
func (d *Device) SignIn() {
	d.T.Helper()
	done := d.IDToken()
	s, err := d.Broker.Exchange(d.World.Context(), done.IDToken, done.Salt, "uid:0")
	must(d.T, err)
	must(d.T, d.Broker.Begin(s))
}

// IDToken goes through the provider's form and returns the ID token it gave.
func (d *Device) IDToken() signin.Done {
	d.T.Helper()
	done, err := d.idToken(d.World.Context(), ClientID)
	must(d.T, err)
	return done
}

// IDTokenFor is IDToken by another client of the provider.
func (d *Device) IDTokenFor(client string) signin.Done {
	d.T.Helper()
	done, err := d.idToken(d.World.Context(), client)
	must(d.T, err)
	return done
}

func (d *Device) idToken(ctx context.Context, client string) (signin.Done, error) {
	brought := make(chan url.Values, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case brought <- r.URL.Query():
		default:
		}
		fmt.Fprint(w, "done")
	}))
	defer receiver.Close()
	started, err := d.SignIns.Start(ctx, api.Provider{Issuer: d.World.IDP, ClientID: client, Scopes: []string{"openid", "email", "profile"}}, signin.Request{Redirect: receiver.URL + "/callback"}, "uid:0")
	if err != nil {
		return signin.Done{}, err
	}
	browser, err := lab.NewBrowser(User, Password)
	if err != nil {
		return signin.Done{}, err
	}
	if _, err := browser.SignIn(ctx, started.URL); err != nil {
		return signin.Done{}, err
	}
	select {
	case q := <-brought:
		return d.SignIns.Finish(ctx, signin.Callback{ID: started.ID, Code: q.Get("code"), State: q.Get("state"), Issuer: q.Get("iss"), Error: q.Get("error")}, "uid:0")
	case <-ctx.Done():
		return signin.Done{}, errors.New("the provider sent the browser nowhere")
	}
}

// PublicKey is the device's tunnel key for an app, made when first asked for.
func (d *Device) PublicKey(app string) string {
	if _, ok := d.Keys[app]; !ok {
		k, err := wg.NewPrivateKey()
		must(d.T, err)
		d.Keys[app] = k
	}
	return d.Keys[app].Public().String()
}

// Wanted lists apps with their tunnel keys.
func (d *Device) Wanted(apps ...string) []attest.Wanted {
	var out []attest.Wanted
	for _, a := range apps {
		out = append(out, attest.Wanted{App: a, PublicKey: d.PublicKey(a)})
	}
	return out
}

// Healthy is a report of this device being well.
func (d *Device) Healthy() fact.Report { return Healthy(d.Clock.Now()) }

// Attest sends a whole report as the agent does.
func (d *Device) Attest(r fact.Report, apps ...string) (api.Answer, error) {
	a, _, err := d.Broker.Attest(d.World.Context(), brokerclient.Attestation{Report: r, Wanted: d.Wanted(apps...)})
	return a, err
}

// Renew sends a renewal where the broker holds the report, as the agent does.
func (d *Device) Renew(r fact.Report, digest string, apps ...string) (api.Answer, error) {
	a, _, err := d.Broker.Attest(d.World.Context(), brokerclient.Attestation{Report: r, Wanted: d.Wanted(apps...), LastDigest: digest})
	return a, err
}

// Lease attests being well and returns the lease of the app.
func (d *Device) Lease(app string) api.Lease {
	d.T.Helper()
	a, err := d.Attest(d.Healthy(), app)
	must(d.T, err)
	return LeaseOf(d.T, a, app)
}

// LeaseOf finds the lease of an app in an answer.
func LeaseOf(t testing.TB, a api.Answer, app string) api.Lease {
	t.Helper()
	for _, l := range a.Leases {
		if l.App.ID == app {
			return l
		}
	}
	t.Fatalf("no lease of %s in the answer; denied: %+v, checks: %+v", app, a.Denied, a.Checks)
	return api.Lease{}
}

// Refused reports why an answer denies an app; nil when it does not.
func Refused(a api.Answer, app string) []string {
	for _, d := range a.Denied {
		if d.App.ID == app {
			return d.Reasons
		}
	}
	return nil
}

// Soon is a time in which what is open answers, and what is shut has not.
const Soon = 1500 * time.Millisecond
