package agent

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/tunnel/engine"
)

// sameFace reports whether two states look the same to people, the counting
// down of leases excepted.
func sameFace(a, b state.State) bool {
	if a.Headline(a.Now) != b.Headline(b.Now) || a.Online != b.Online || a.BrokerError != b.BrokerError || a.Verdict != b.Verdict ||
		a.LastRevocation != b.LastRevocation || !sameApps(a, b) {
		return false
	}
	if !reflect.DeepEqual(a.Session.Person, b.Session.Person) || !reflect.DeepEqual(a.Rejection, b.Rejection) || !reflect.DeepEqual(a.Pause, b.Pause) ||
		!reflect.DeepEqual(a.Checks, b.Checks) || !reflect.DeepEqual(a.Needs, b.Needs) || !reflect.DeepEqual(a.Forecast, b.Forecast) {
		return false
	}
	for id, x := range a.Apps {
		y := b.Apps[id]
		if a.Live(id, a.Now) != b.Live(id, b.Now) || !slices.Equal(x.Denied, y.Denied) || x.ClosedCause != y.ClosedCause {
			return false
		}
	}
	return true
}

// Status is everything a person may be shown.
func (a *Agent) Status() localapi.Status {
	// The revision first: should something change meanwhile, what is told
	// under it is newer than it, never older.
	a.mu.Lock()
	rev, enrolErr, eng, reachable, skew := a.revision, a.enrolErr, a.engine, a.reachable, a.skew
	a.mu.Unlock()
	snap := a.snap.Load()
	s, now := snap.state, a.cfg.Clock.Boot()
	out := localapi.Status{
		Revision: rev, Version: a.cfg.Version, API: localapi.API, Managed: a.cfg.Managed, Scope: a.cfg.Scope, Socket: a.cfg.Socket, State: s.Headline(now),
		Broker: localapi.Broker{URL: a.cfg.BrokerURL, Reachable: reachable, ClockSkewMS: skew.Milliseconds()},
		Device: a.device(), Posture: posture(s, snap.observed),
	}
	out.Reasons, out.Message = explain(s, out.Device.Enrolled, enrolErr)
	if out.Message == "" {
		out.Message = a.pauseTrouble(s)
	}
	if s.Session.SignedIn {
		p := s.Session.Person
		out.User = &localapi.User{Subject: p.Subject, Email: p.Email, Name: p.Name}
		out.Apps = a.apps(s, eng, now)
		if kept, ok := a.cfg.Broker.Session(); ok && !kept.Ends.IsZero() {
			out.SessionEnds = kept.Ends.Add(skew)
		}
	}
	if p := s.Pause; p != nil {
		out.Pause = &localapi.Pause{Reason: p.Reason, Since: a.wall(p.Since, now), Until: a.wall(p.Until, now)}
	}
	for _, f := range s.Forecast {
		out.Forecast = append(out.Forecast, localapi.Forecast{Code: f.Code, Name: f.Name, From: f.From, Apps: f.Apps, Remedy: localapi.Remedy(f.Remedy)})
	}
	if r := s.LastRevocation; r != nil {
		out.LastRevocation = &localapi.Revocation{Cause: cause(*r), App: strings.Join(r.Apps, ","), At: a.wall(r.At, now), ClientMS: snap.clientMS, Code: r.Cause, Facts: r.Facts}
	}
	return out.Filled()
}

// wall is a moment of the boot clock on the wall clock.
func (a *Agent) wall(at, now time.Duration) time.Time { return a.cfg.Clock.Now().Add(at - now) }

func (a *Agent) device() localapi.Device {
	r := a.cfg.Broker.Record()
	return localapi.Device{
		ID: r.DeviceID, UEID: r.UEID, Enrolled: r.DeviceID != "", HardwareID: r.HardwareID, HardwareReason: r.HardwareReason,
		Key: localapi.Key{Protection: a.cfg.KeyKind, Attested: string(r.KeyAttested)},
	}
}

func posture(s state.State, observed time.Time) localapi.Posture {
	p := localapi.Posture{Verdict: string(s.Verdict), ObservedAt: observed}
	if p.Verdict == "" {
		p.Verdict = string(api.TierNone)
	}
	for _, c := range s.Checks {
		p.Checks = append(p.Checks, localapi.Check{Code: c.Code, Name: c.Name, Outcome: string(c.Outcome), Enforced: c.Enforced, Remedy: localapi.Remedy(c.Remedy), Missing: c.Missing,
			From: c.From, Parts: parts(c.Parts)})
	}
	return p
}

// oldest is when the oldest signal of a report was read.
func oldest(r fact.Report) time.Time {
	var t time.Time
	for i, s := range r.Signals {
		if i == 0 || s.ObservedAt.Before(t) {
			t = s.ObservedAt
		}
	}
	return t
}

// cause is the first fact that got worse, or the code of whoever closed.
func cause(r state.Revocation) string {
	if len(r.Facts) > 0 {
		return r.Cause + ": " + strings.Join(r.Facts, ", ")
	}
	return r.Cause
}

// explain says in one sentence why it does not go further.
func explain(s state.State, enrolled bool, enrolErr error) ([]string, string) {
	var no *apiclient.Rejected
	switch {
	case !enrolled && errors.As(enrolErr, &no):
		return []string{no.Code}, sentence("The broker did not take this device", no.Detail)
	case !enrolled && enrolErr != nil:
		return []string{localapi.CodeUnreachable}, sentence("This device is not enrolled yet", enrolErr.Error())
	case s.Rejection != nil:
		return []string{s.Rejection.Code}, sentence("The broker refused", s.Rejection.Text)
	case !s.Session.SignedIn && enrolErr != nil:
		return []string{localapi.CodeUnreachable}, sentence("Nobody is signed in, and the broker cannot be asked", enrolErr.Error())
	case !s.Session.SignedIn:
		return nil, "Nobody is signed in. Run `postern login`."
	case !s.Online:
		return []string{localapi.CodeUnreachable}, sentence("The broker cannot be asked; applications stay open until their leases end", s.BrokerError)
	}
	return nil, ""
}

// sentence joins what is the matter and why.
func sentence(what, why string) string {
	if why = strings.TrimRight(why, ". "); why == "" {
		return what + "."
	}
	return what + ": " + why + "."
}

func (a *Agent) apps(s state.State, eng Engine, now time.Duration) []localapi.App {
	local := map[string]engine.Status{}
	if eng != nil {
		for _, e := range eng.Status() {
			local[e.App] = e
		}
	}
	var out []localapi.App
	for _, id := range slices.Sorted(maps.Keys(s.Apps)) {
		x, e := s.Apps[id], local[id]
		app := localapi.App{ID: id, Name: x.Info.Name, State: localapi.AppClosed, LocalAddress: e.Primary, Reasons: x.Denied, Needs: needs(s, id)}
		switch {
		case s.Live(id, now):
			app.State, app.URL = e.State, address(x.Info.Open, e.Primary)
			app.LeaseRemainingMS = (x.Lease.Until - now).Milliseconds()
			app.TunnelPublicKey, app.RxBytes, app.TxBytes = e.PublicKey, int64(e.Rx), int64(e.Tx)
		case slices.Equal(x.Denied, []string{api.ReasonNoTunnelKey}):
			// The application was not known until now; its key is on its way.
			app.State, app.Reasons = localapi.AppConnecting, nil
		case len(x.Denied) > 0:
			app.State = localapi.AppDenied
		case x.ClosedCause != "":
			app.Reasons = []string{x.ClosedCause}
		}
		if app.State == "" {
			app.State = localapi.AppConnecting
		}
		out = append(out, app)
	}
	return out
}

// address puts an app's local address between the scheme and the path of what
// the policy says to open.
func address(open, local string) string {
	if local == "" {
		return ""
	}
	scheme, path, ok := strings.Cut(open, ":")
	if !ok || scheme == "" {
		scheme, path = "http", "/"
	}
	if path != "" && path[0] != '/' { // it would become a part of the port, or make of that a user
		path = "/"
	}
	return scheme + "://" + local + path
}

// WaitChange returns when the revision is another than after.
func (a *Agent) WaitChange(ctx context.Context, after int64) localapi.Status {
	for {
		a.mu.Lock()
		rev, changed := a.revision, a.changed
		a.mu.Unlock()
		if rev != after {
			return a.Status()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return a.Status()
		}
	}
}

// Posture is what was last read of this machine.
func (a *Agent) Posture(context.Context) (localapi.Reading, error) {
	rights := localapi.RightsUser
	if ipc.Self().Class == ipc.ClassAdministrator {
		rights = localapi.RightsSystem
	}
	return localapi.Reading{Report: a.cfg.Posture.Last(), Rights: rights}, nil
}
