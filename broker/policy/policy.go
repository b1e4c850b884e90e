// Package policy decides which applications a device and a person may use, from one file of rules and one posture report.
//
// It is pure: it reads the bytes it is given, has no clock and touches
// nothing. A Policy never changes after Load and may be used by many
// goroutines at once.
package policy

import (
	"slices"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/posture/observe"
)

// Reasons this room gives beside those of broker/api and the org/… codes.
const (
	// ReasonACR says that the sign-in was weaker than the app asks for
	// (RFC 9470); a new sign-in with the app's acr helps. Devices know it as
	// that of broker/api.
	ReasonACR = "sign-in-too-weak"
)

// Policy is one loaded file.
type Policy struct {
	hash       string
	providers  []api.Provider
	checks     []*check // in the order of the file
	apps       []*appRule
	exceptions []Exception
	schema     *schema
	literals   []literalKey // list entries that expressions name

	observations observe.Document
}

// App is one application as the file declares it. Slices are shared: read only.
type App struct {
	ID      string
	Name    string
	Open    string // scheme and path of what to open, "http:/" when the file does not say
	Gateway string // id of the gateway that serves it; empty: any

	// Destinations are tcp:host:port or unix:/path, one for each of Ports.
	// They are for the gateway and never for a client.
	Destinations []string
	Ports        []int // TCP ports at the app's virtual address
	Primary      int   // the port that Open means

	Groups []string // a person in any of them may have the app; empty: every signed-in person
	Checks []string // names of the checks that must pass

	MaxAge          time.Duration   // how old the oldest fact it stands on may be; 0: any age
	ACR             string          // authentication context the sign-in must have; empty: any
	MinKeyAssurance api.KeyAttested // lowest proven key protection; empty: any
	NoPosture       bool            // "posture: none": no check decides over it
}

// Info is what a client may know of the app.
func (a App) Info() api.AppInfo { return api.AppInfo{ID: a.ID, Name: a.Name, Open: a.Open} }

// Exception suspends one check for one device or one person until a date.
type Exception struct {
	Check     string
	Device    string // device id; empty when it is for a person
	Person    string // subject or e-mail address; empty when it is for a device
	Until     time.Time
	GrantedBy string
	Reason    string // for the audit log, not for clients
}

// Providers are the OpenID providers that people sign in with.
func (p *Policy) Providers() []api.Provider { return slices.Clone(p.providers) }

// Hash is the lower-case hex SHA-256 of the file.
func (p *Policy) Hash() string { return p.hash }

// Apps lists the applications in the order of the file.
func (p *Policy) Apps() []App {
	out := make([]App, 0, len(p.apps))
	for _, a := range p.apps {
		out = append(out, a.App)
	}
	return out
}

// App finds an application by id.
func (p *Policy) App(id string) (App, bool) {
	for _, a := range p.apps {
		if a.ID == id {
			return a.App, true
		}
	}
	return App{}, false
}

// check is one named rule.
type check struct {
	name    string
	code    string
	remedy  api.Remedy
	lenient bool      // unknown: pass
	report  bool      // enforce: report
	from    time.Time // in force from then on; zero: always
	expr    *expression
}

// appRule is an app with its checks.
type appRule struct {
	App
	checks []*check
}
