package tray

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/postern-zt/postern/testfixtures/desktop"
	"github.com/postern-zt/postern/testfixtures/lab"
)

const policy = `version: 1
providers:
  - {issuer: "${IDP}", client_id: postern, scopes: [openid, email]}
checks:
  edr-runs:
    expr: device.edr["local/test-edr"].running
    code: org/edr-not-running
    remedy: {text: Start the Test EDR again.}
apps:
  - {id: wiki, name: Wiki, gateway: dev, destinations: ["unix:${APPS}/wiki.sock"], ports: [80], checks: [edr-runs]}
  - {id: status, name: Status, gateway: dev, destinations: ["unix:${APPS}/status.sock"], ports: [80], posture: none}
`

// world is the real broker's side, with an agent that is not started yet and an
// endpoint security product that runs.
type world struct {
	*lab.World
	t     testing.TB
	agent *lab.Agent
	edr   lab.Product
	alive *lab.Running
}

// newWorld is one with leases so short that a test sees them end.
func newWorld(t testing.TB) *world { t.Helper(); return newWorldOf(t, 4*time.Second) }

func newWorldOf(t testing.TB, lease time.Duration) *world {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	log := &journal{}
	w := &world{World: lab.New(ctx, built, t.TempDir(), lease, log), t: t}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		cancel()
		if t.Failed() {
			t.Logf("the programs said:\n%s", log)
		}
	})
	ok(t, w.Start(policy))
	w.edr = must[lab.Product](t)(w.InstallEDR("local/test-edr", "Test EDR"))
	w.alive = must[*lab.Running](t)(w.StartEDR(w.edr))
	w.agent = must[*lab.Agent](t)(w.NewAgent("agent", w.edr))
	return w
}

// signIn goes through the sign-in page at an address as the sample person.
func (w *world) signIn(address string) {
	w.t.Helper()
	b := must[*lab.Browser](w.t)(lab.NewBrowser(w.Info.User, w.Info.Password))
	_, err := b.SignIn(w.t.Context(), address)
	ok(w.t, err)
}

// revoked is when the agent closed something last, by its own account.
func (w *world) revoked() time.Time {
	w.t.Helper()
	var at time.Time
	ok(w.t, desktop.Until("the agent to close something", desktop.Patience, func() (bool, error) {
		st, err := w.agent.Status(w.t.Context())
		if err != nil || st.LastRevocation == nil {
			return false, err
		}
		at = st.LastRevocation.At
		return true, nil
	}))
	return at
}

// journal keeps what programs say.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}
