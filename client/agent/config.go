package agent

import (
	"context"
	"log/slog"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/client/brokerclient"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/signin"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// Broker is what the agent asks of the other side (client/brokerclient).
type Broker interface {
	Enrol(ctx context.Context) error
	Record() brokerclient.Record
	Providers(ctx context.Context) ([]api.Provider, error)
	Exchange(ctx context.Context, idToken, salt, owner string) (brokerclient.Session, error)
	Begin(s brokerclient.Session) error
	Session() (brokerclient.Session, bool)
	RememberApps(apps []api.AppInfo) error
	Forget() (handle string, err error)
	Revoke(ctx context.Context, handle string) error
	Attest(ctx context.Context, a brokerclient.Attestation) (api.Answer, time.Duration, error)
	Events(ctx context.Context, on func(name string, e api.Event)) error
	Skew() time.Duration
}

// Posture is the machine's collectors (posture/collect).
type Posture interface {
	Read(ctx context.Context) fact.Report
	Reread(ctx context.Context, signals ...string) (fact.Report, []fact.Change)
	Last() fact.Report
	Expire() (fact.Report, []fact.Change)
	NextExpiry() (time.Duration, bool)
	Signals() []string
	Inputs(signal string) evidence.Inputs
}

// Engine carries out which tunnels are wanted (tunnel/engine).
type Engine interface {
	Close()
	tunnels
}

// Config of an Agent.
type Config struct {
	Clock     clock.Clock
	Broker    Broker
	Posture   Posture
	Machine   evidence.Machine // for finding the processes to watch
	Catalogue []observe.EDRRow
	Observe   Observe
	Watch     Watch // nil where the system has none: the backstop poll then does alone
	SignIns   *signin.SignIns
	// NewEngine makes the engine of a session whose connections owner may use.
	NewEngine func(owner ipc.Peer, keys *Keys, onChange func()) Engine
	Owner     ipc.Peer // of a user's own agent; not known for the system's
	BrokerURL string
	Scope     string
	Version   string
	Socket    string
	KeyKind   string // where the device key lives
	Managed   localapi.Managed
	Settings  localapi.Config // effective settings, without secrets
	Pauses    PauseFile       // nil: a pause ends with the agent
	Log       *slog.Logger
}
