package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/postern-zt/postern/broker/issuer"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/testfixtures/lab"
)

// patience bounds everything that shall come about by itself.
const patience = 20 * time.Second

// enrol: the agent found the token in its settings and introduced itself.
func (d *demo) enrol(ctx context.Context) (string, error) {
	var s localapi.Status
	err := lab.Until(ctx, patience, "enrolment", func() (bool, error) {
		var err error
		s, err = d.agent.Status(ctx)
		return s.Device.Enrolled, err
	})
	return fmt.Sprintf("device %s, key in %s (proven: %s), hardware identity %s", s.Device.ID, s.Device.Key.Protection, s.Device.Key.Attested, hardware(s)), err
}

func hardware(s localapi.Status) string {
	if s.Device.HardwareID == "none" {
		return "none: " + s.Device.HardwareReason
	}
	return "known"
}

// signIn: `postern login` through the provider's pages.
func (d *demo) signIn(ctx context.Context) (string, error) {
	how, err := d.browse(ctx)
	if err != nil {
		return how, err
	}
	s, err := d.agent.Status(ctx)
	if err == nil && s.User == nil {
		err = errors.New("postern status names no user")
	}
	if err != nil {
		return how, err
	}
	return fmt.Sprintf("%s as %s; %s", how, s.User.Email, "code + PKCE, nonce committed to the device key, DPoP-bound tokens"), nil
}

// browse signs in and says what followed the pages.
func (d *demo) browse(ctx context.Context) (string, error) {
	switch d.browser {
	case withChromium:
		return d.signInWithChromium(ctx)
	case ownBrowser:
		fmt.Fprintf(d.say, "     Your browser opens. Sign in as %s with the password %s.\n", d.world.Info.User, d.world.Info.Password)
		return "your own browser", d.agent.LoginByHand(ctx)
	}
	_, err := d.agent.Login(ctx)
	return "a scripted browser followed the pages", err
}

// posture: what this machine is, as `postern posture` tells it.
func (d *demo) posture(ctx context.Context) (string, error) {
	var observed string
	err := lab.Until(ctx, patience, "every signal being read", func() (bool, error) {
		var err error
		observed, err = d.readPosture(ctx)
		return err == nil, err
	})
	return observed, err
}

// readPosture wants each of the five signals observed, absent or unknown, with
// its source, and a reason where it is unknown.
func (d *demo) readPosture(ctx context.Context) (string, error) {
	r, err := d.agent.Postern(ctx, "posture", "--json")
	if err != nil {
		return "", err
	}
	var read localapi.Reading
	if err := json.Unmarshal([]byte(r.Out), &read); err != nil {
		return "", fmt.Errorf("postern posture: %w: %s", err, r.ErrOut)
	}
	var parts []string
	for _, want := range []string{fact.SignalOS, fact.SignalPatch, fact.SignalDisk, fact.SignalFirewall, fact.SignalEDR} {
		sig, ok := read.Report.Signal(want)
		switch {
		case !ok:
			return "", fmt.Errorf("the report has no signal %s", want)
		case sig.Source == "" || sig.Reason == fact.ReasonNotYetRead:
			return "", fmt.Errorf("%s is %s (%s) from source %q", want, sig.State, sig.Reason, sig.Source)
		case sig.State == fact.Observed:
			parts = append(parts, fmt.Sprintf("%s observed", want))
		default:
			parts = append(parts, fmt.Sprintf("%s %s (%s)", want, sig.State, sig.Reason))
		}
	}
	return strings.Join(parts, ", "), nil
}

// attest: the broker verified and decided.
func (d *demo) attest(ctx context.Context) (string, error) {
	var s localapi.Status
	err := lab.Until(ctx, patience, "an answered attestation", func() (bool, error) {
		var err error
		s, err = d.agent.Status(ctx)
		return err == nil && len(s.Posture.Checks) == 3 && len(s.Apps) == 3, err
	})
	var checks []string
	for _, c := range s.Posture.Checks {
		checks = append(checks, c.Code+" "+c.Outcome)
	}
	return fmt.Sprintf("verdict %s: %s", s.Posture.Verdict, strings.Join(checks, ", ")), err
}

// leaseOpen: the wiki through its tunnel, and by no other way.
func (d *demo) leaseOpen(ctx context.Context) (string, error) {
	page, took, err := d.openWiki(ctx)
	if err != nil {
		return "", err
	}
	if !strings.Contains(page, "sample app wiki") {
		return "", fmt.Errorf("the wiki answered %q", page)
	}
	sock := filepath.Join(d.world.Info.Apps, "wiki.sock")
	if err := lab.Refused(ctx, "unix", sock); err != nil {
		return "", fmt.Errorf("the app's socket is open to this user: %w", err)
	}
	other, err := d.leaseless(ctx)
	if err != nil {
		return "", err
	}
	if err := lab.Refused(ctx, "tcp", other); err != nil {
		return "", fmt.Errorf("an agent without a lease serves the wiki: %w", err)
	}
	if away, err := lab.OffLoopback(d.world.PIDs()); err != nil || len(away) > 0 {
		return "", fmt.Errorf("sockets that are not on loopback: %v %w", away, err)
	}
	return fmt.Sprintf("wiki fetched through its tunnel %.1f ms after the first try; its socket and a second agent's listener refuse; all sockets are on loopback", took), nil
}

// openWiki fetches the wiki as soon as it has a lease.
func (d *demo) openWiki(ctx context.Context) (page string, tookMS float64, err error) {
	began := d.world.Clock.Boot()
	err = lab.Until(ctx, patience, "the wiki", func() (bool, error) {
		a, err := d.agent.App(ctx, "wiki")
		if err != nil || a.LeaseRemainingMS == 0 {
			return false, errors.Join(err, fmt.Errorf("the wiki is %s %v", a.State, a.Reasons))
		}
		began = min(began, d.world.Clock.Boot())
		page, err = lab.Fetch(ctx, a.LocalAddress)
		return err == nil, err
	})
	return page, lab.Since(began, d.world.Clock.Boot()), err
}

// leaseless starts a second agent whose settings do not declare the product,
// so that it gets no lease, and returns its local address of the wiki.
func (d *demo) leaseless(ctx context.Context) (string, error) {
	a, err := d.world.NewAgent("agent-without-lease")
	if err != nil {
		return "", err
	}
	if err := a.Start(ctx); err != nil {
		return "", err
	}
	if _, err := a.Login(ctx); err != nil {
		return "", err
	}
	var addr string
	err = lab.Until(ctx, patience, "the second agent being denied", func() (bool, error) {
		x, err := a.App(ctx, "wiki")
		addr = x.LocalAddress
		return err == nil && x.State == localapi.AppDenied && addr != "", err
	})
	return addr, err
}

// denied: payroll, on any machine, here and at the gateway.
func (d *demo) denied(ctx context.Context) (string, error) {
	a, err := d.agent.App(ctx, "payroll")
	if err != nil {
		return "", err
	}
	if a.State != localapi.AppDenied || !slices.Contains(a.Reasons, "org/second-edr-not-running") || !slices.Contains(a.Reasons, "key-assurance-too-low") {
		return "", fmt.Errorf("payroll is %s %v", a.State, a.Reasons)
	}
	remedy, err := d.remedy(ctx, "org/second-edr-not-running")
	if err != nil {
		return "", err
	}
	if err := lab.Refused(ctx, "tcp", a.LocalAddress); err != nil {
		return "", err
	}
	if d.second, err = d.world.NewDevice("second-device", d.edr, d.other); err != nil {
		return "", err
	}
	if err := d.second.Join(ctx); err != nil {
		return "", fmt.Errorf("second device: %w", err)
	}
	l, _, err := d.second.Ask(ctx, "wiki")
	if err != nil {
		return "", fmt.Errorf("second device: %w", err)
	}
	reached, tried, err := reach(ctx, l)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("payroll: %s; remedy: %q; a second device reaches through its wiki tunnel exactly the wiki's %d of the apps' %d addresses", strings.Join(a.Reasons, ", "), remedy, reached, tried), nil
}

func (d *demo) remedy(ctx context.Context, code string) (string, error) {
	s, err := d.agent.Status(ctx)
	if err != nil {
		return "", err
	}
	for _, c := range s.Posture.Checks {
		if c.Code == code && c.Remedy.Text != "" {
			return c.Remedy.Text, nil
		}
	}
	return "", fmt.Errorf("no remedy for %s", code)
}

// reach tries every app's virtual addresses through a wiki tunnel.
func reach(ctx context.Context, l lab.Leased) (reached, tried int, err error) {
	var all []netip.Addr
	for n := int64(1); n <= 3; n++ {
		pair, err := issuer.Virtual(n)
		if err != nil {
			return 0, 0, err
		}
		all = append(all, pair...)
	}
	ok, err := l.Reachable(ctx, all, 2*time.Second)
	if err != nil {
		return 0, 0, err
	}
	for _, a := range ok {
		if !slices.Contains(l.Plan.Virtual, a) {
			return 0, 0, fmt.Errorf("the gateway let a wiki tunnel reach %s", a)
		}
	}
	if len(ok) != len(l.Plan.Virtual) {
		return 0, 0, fmt.Errorf("the wiki answered at %v only", ok)
	}
	return len(ok), len(all), nil
}
