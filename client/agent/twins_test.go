package agent

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/client/brokerclient"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/platform/watch"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/tunnel/engine"
	"github.com/postern-zt/postern/tunnel/plan"
)

// journal is what happened at all twins, in order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

// take gives the lines since the last call.
func (j *journal) take() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := j.lines
	j.lines = nil
	return lines
}

// brokerTwin decides over two applications: the wiki stands on the product
// running, payroll on the system's version. Hooks that are nil do the usual.
type brokerTwin struct {
	*journal
	clock clock.Clock

	mu       sync.Mutex
	record   brokerclient.Record
	session  brokerclient.Session
	sessions int
	sent     []brokerclient.Attestation
	skew     time.Duration
	ttl      time.Duration
	on       func(name string, e api.Event) // of the open stream
	streams  int

	onEnrol     func(ctx context.Context) error
	onProviders func(ctx context.Context) error
	onAttest    func(ctx context.Context, n int, usual func() api.Answer) (api.Answer, error)
	onEvents    func(ctx context.Context) error
	onRevoke    func(ctx context.Context) error
	onBegin     func() error
}

var errDown = &apiclient.Unreachable{Err: errors.New("connection refused")}

func (b *brokerTwin) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

func hook[T any](b *brokerTwin, f *T) T {
	b.mu.Lock()
	defer b.mu.Unlock()
	return *f
}

func (b *brokerTwin) Enrol(ctx context.Context) error {
	if b.Record().DeviceID != "" {
		return nil
	}
	if f := hook(b, &b.onEnrol); f != nil {
		if err := f(ctx); err != nil {
			return err
		}
	}
	b.set(func() { b.record.DeviceID = "dev_1" })
	return nil
}

func (b *brokerTwin) Record() brokerclient.Record { return hook(b, &b.record) }
func (b *brokerTwin) Skew() time.Duration         { return hook(b, &b.skew) }

func (b *brokerTwin) Providers(ctx context.Context) ([]api.Provider, error) {
	if f := hook(b, &b.onProviders); f != nil {
		if err := f(ctx); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// Exchange takes the subject for the ID token.
func (b *brokerTwin) Exchange(_ context.Context, idToken, _, owner string) (brokerclient.Session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sessions++
	return brokerclient.Session{Refresh: fmt.Sprint("handle-", b.sessions), Owner: owner, Person: api.Person{Issuer: "i", Subject: idToken}}, nil
}

func (b *brokerTwin) Begin(s brokerclient.Session) error {
	if f := hook(b, &b.onBegin); f != nil {
		if err := f(); err != nil {
			return err
		}
	}
	b.set(func() { b.session = s })
	b.add("begin %s", s.Person.Subject)
	return nil
}

func (b *brokerTwin) Session() (brokerclient.Session, bool) {
	s := hook(b, &b.session)
	return s, s.Refresh != ""
}

func (b *brokerTwin) RememberApps(apps []api.AppInfo) error {
	b.set(func() { b.session.Apps = apps })
	return nil
}

func (b *brokerTwin) Forget() (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.session.Refresh
	b.session = brokerclient.Session{}
	return h, nil
}

func (b *brokerTwin) Revoke(ctx context.Context, handle string) error {
	b.add("revoke %s", handle)
	if f := hook(b, &b.onRevoke); f != nil {
		return f(ctx)
	}
	return nil
}

func (b *brokerTwin) Attest(ctx context.Context, in brokerclient.Attestation) (api.Answer, time.Duration, error) {
	var apps []string
	for _, w := range in.Wanted {
		apps = append(apps, w.App)
	}
	b.add("attest %v", apps)
	b.mu.Lock()
	b.sent = append(b.sent, in)
	n := len(b.sent)
	f := b.onAttest
	b.mu.Unlock()
	sent := b.clock.Boot()
	if f == nil {
		return b.decide(in), sent, nil
	}
	a, err := f(ctx, n, func() api.Answer { return b.decide(in) })
	return a, sent, err
}

func (b *brokerTwin) attested() []brokerclient.Attestation {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.sent)
}

func (b *brokerTwin) decide(in brokerclient.Attestation) api.Answer {
	a := api.Answer{Verdict: api.TierAffirming, ReportDigest: in.Report.Digest(), AttestAfterMS: b.ttl.Milliseconds() / 2}
	for i, id := range []string{"payroll", "wiki"} {
		info := api.AppInfo{ID: id, Name: strings.ToUpper(id), Open: "http:/"}
		key := ""
		for _, w := range in.Wanted {
			if w.App == id {
				key = w.PublicKey
			}
		}
		stands := []string{"os_version.version", "edr[falcon].running"}[i]
		switch {
		case id == "wiki" && !running(in.Report):
			a.Denied = append(a.Denied, api.DeniedApp{App: info, Reasons: []string{"org/edr-not-running"}})
		case key == "":
			a.Denied = append(a.Denied, api.DeniedApp{App: info, Reasons: []string{api.ReasonNoTunnelKey}})
		default:
			a.Leases = append(a.Leases, granted(info, key, b.ttl, stands))
		}
	}
	return a
}

func granted(info api.AppInfo, key string, ttl time.Duration, stands string) api.Lease {
	far := base64.StdEncoding.EncodeToString(slices.Repeat([]byte{7}, 32))
	return api.Lease{ID: "lease-" + info.ID, App: info, TTLMS: ttl.Milliseconds(), StandsOn: []string{stands}, Tunnel: api.Tunnel{
		ID: "tunnel-" + key, PublicKey: key, PresharedKey: far, Addresses: []string{"100.64.0.2"}, Virtual: []string{"100.127.0.1"}, Ports: []int{80}, Primary: 80,
		Gateway: api.GatewayEndpoint{ID: "g", Epoch: "1", PublicKey: far, Endpoints: []string{"127.0.0.1:51820"}},
	}}
}

func (b *brokerTwin) Events(ctx context.Context, on func(string, api.Event)) error {
	b.set(func() { b.streams++; b.on = on })
	if f := hook(b, &b.onEvents); f != nil {
		return f(ctx)
	}
	<-ctx.Done()
	return nil
}

func (b *brokerTwin) say(name string, e api.Event) { hook(b, &b.on)(name, e) }

// machine is a Posture of two signals.
type machine struct {
	mu      sync.Mutex
	now     fact.Report // as the machine is
	last    fact.Report // as it was read
	reads   map[string]int
	blocked map[string]chan struct{} // signals whose reading hangs
	expiry  time.Duration
	inputs  map[string]evidence.Inputs
}

func healthy(at time.Time, runs bool) fact.Report {
	return fact.Report{Signals: []fact.Signal{
		{Name: fact.SignalOS, State: fact.Observed, Collector: "os@1", ObservedAt: at, Facts: []fact.Fact{{Field: "version", Value: fact.Str("12.1")}}},
		{Name: fact.SignalEDR, State: fact.Observed, Collector: "edr@1", ObservedAt: at, Facts: []fact.Fact{
			{Field: "installed", Key: "falcon", Value: fact.Bool(true)}, {Field: "running", Key: "falcon", Value: fact.Bool(runs)}}},
	}}
}

func unread(at time.Time) fact.Report {
	r := healthy(at, false)
	for i := range r.Signals {
		r.Signals[i].State, r.Signals[i].Reason, r.Signals[i].Facts = fact.Unknown, fact.ReasonNotYetRead, nil
	}
	return r
}

func running(r fact.Report) bool {
	s, _ := r.Signal(fact.SignalEDR)
	f, _ := s.Find("falcon", "running")
	on, _ := f.Value.AsBool()
	return on
}

func (m *machine) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

func (m *machine) Last() fact.Report {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

func (m *machine) Read(ctx context.Context) fact.Report {
	r, _ := m.Reread(ctx, m.Signals()...)
	return r
}

func (m *machine) Signals() []string { return []string{fact.SignalOS, fact.SignalEDR} }

func (m *machine) Inputs(signal string) evidence.Inputs {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.inputs[signal]
}

func (m *machine) Reread(ctx context.Context, signals ...string) (fact.Report, []fact.Change) {
	m.mu.Lock()
	var hangs []chan struct{}
	for _, s := range signals {
		m.reads[s]++
		if c := m.blocked[s]; c != nil {
			hangs = append(hangs, c)
		}
	}
	m.mu.Unlock()
	for _, c := range hangs {
		select {
		case <-c:
		case <-ctx.Done():
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.last
	after := fact.Report{Signals: slices.Clone(m.last.Signals)}
	for i, s := range after.Signals {
		if slices.Contains(signals, s.Name) {
			after.Signals[i], _ = m.now.Signal(s.Name)
		}
	}
	m.last = after
	return after, fact.Compare(before, after)
}

func (m *machine) Expire() (fact.Report, []fact.Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.last
	if m.expiry != 0 {
		m.expiry, m.last = 0, m.now
	}
	return m.last, fact.Compare(before, m.last)
}

func (m *machine) NextExpiry() (time.Duration, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.expiry, m.expiry != 0
}

func (m *machine) count(signal string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reads[signal]
}

// engineTwin says what is open.
type engineTwin struct {
	*journal
	who   string
	slow  func() // runs within Apply
	mu    sync.Mutex
	open  []plan.Tunnel
	known []engine.App
}

func (e *engineTwin) Apply(wanted []plan.Tunnel, apps []engine.App) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if slices.Equal(names(wanted), names(e.open)) {
		e.open, e.known = wanted, apps
		return
	}
	if e.slow != nil {
		e.slow()
	}
	e.open, e.known = wanted, apps
	e.add("%s open %v", e.who, names(wanted))
}

func names(ts []plan.Tunnel) []string {
	out := []string{}
	for _, t := range ts {
		out = append(out, t.App)
	}
	return out
}

func (e *engineTwin) tunnels() []plan.Tunnel {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.open)
}

func (e *engineTwin) Status() []engine.Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []engine.Status
	for _, a := range e.known {
		s := engine.Status{App: a.ID, Name: a.Name, State: engine.StateClosed, Primary: "127.0.0.1:1"}
		for _, t := range e.open {
			if t.App == a.ID {
				s.State, s.PublicKey = engine.StateReady, t.PublicKey.String()
			}
		}
		out = append(out, s)
	}
	return out
}

func (e *engineTwin) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.open = nil
	e.add("%s close", e.who)
}

// watchTwin is a Watch whose events a test makes.
type watchTwin struct {
	events chan watch.Event
	mu     sync.Mutex
	pids   []int
	paths  []string
	files  []string
	filter bool   // the packet filter is watched
	then   func() // after processes were set
	filed  func() // after files were set
}

func (w *watchTwin) Events() <-chan watch.Event { return w.events }
func (w *watchTwin) SetExecutables(_ string, paths []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paths = paths
	return nil
}
func (w *watchTwin) SetProcesses(_ string, pids []int, _ map[int]string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pids = pids
	if w.then != nil {
		w.then()
	}
	return nil
}

func (w *watchTwin) SetFiles(_ string, paths []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files = paths
	if w.filed != nil {
		w.filed()
	}
	return nil
}

func (w *watchTwin) SetFirewall(string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.filter = true
	return nil
}

func (w *watchTwin) SetRegistry(string, []string) error { return errors.ErrUnsupported }
func (w *watchTwin) SetServices(string, []string) error { return errors.ErrUnsupported }
func (w *watchTwin) SetSecurityCenter(string) error     { return errors.ErrUnsupported }
func (w *watchTwin) SetMounts(string) error             { return errors.ErrUnsupported }
func (w *watchTwin) SetUevents(string) error            { return errors.ErrUnsupported }

func (w *watchTwin) watched() []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pids
}

var kim, lee = ipc.Peer{Known: true, UID: 1}, ipc.Peer{Known: true, UID: 2}
