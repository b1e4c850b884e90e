package audit

import (
	"unicode/utf8"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/posture/fact"
)

// Device names a device in an event.
type Device struct {
	ID       string
	Name     string // as the device calls itself
	Platform string // linux, windows, darwin
}

// Activities of Authentication.
const (
	Logon  = 1
	Logoff = 2
)

// Authentication is a person's sign-in or sign-out (class 3002).
type Authentication struct {
	Activity int // Logon, Logoff
	Person   api.Person
	Device   Device
	Session  string // id, if there is one
	ACR      string // authentication context class that the provider stated
	Refused  string // code; "" for success
	Why      string // of a sign-out: code
}

// AuthorizeSession is an access token given or refused (class 3003).
type AuthorizeSession struct {
	Person  api.Person
	Device  Device
	Session string
	Scopes  []string // given, or asked for when refused
	Ends    int64    // of the session, Unix milliseconds
	Refused string   // code; "" for success
}

// Activities of ComplianceFinding.
const (
	Found   = 1 // Create
	Changed = 2 // Update
	Solved  = 3 // Close
)

// ComplianceFinding is a check that a device stopped passing, fails in another
// way, or passes again (class 2003).
type ComplianceFinding struct {
	Activity int // Found, Changed, Solved
	Device   Device
	Person   api.Person
	Code     string // of the check; with the device it names the finding
	Name     string // of the check
	Outcome  api.Outcome
	Enforced bool     // false: reported only
	Missing  []string // fact addresses that were not known
	Apps     []string // ids of the applications that closed for it
	Remedy   string
}

// Activities of TunnelActivity.
const (
	TunnelOpen  = 1
	TunnelClose = 2
	TunnelRenew = 3
)

// TunnelActivity is a tunnel opened, closed or renewed (class 4014).
type TunnelActivity struct {
	Activity  int // TunnelOpen, TunnelClose, TunnelRenew
	Cause     string
	Detail    string // in words, such as the reason a person gave
	Tunnel    string // id
	App       string // id
	Gateway   string // id
	Device    Device
	Person    api.Person
	Session   string
	PublicKey string // the device's WireGuard key, base64
	Lease     string // id
	LeaseEnds int64  // Unix milliseconds
}

// DeviceChange is a change of a device's verdict or of its record (class 5019).
type DeviceChange struct {
	Device        Device
	Before, After api.Tier // verdict; "" where it is not about the verdict
	State         string   // of the record after the change: active, revoked, …
	Cause         string   // code
	By            string   // the administrator or program that did it, if one did
}

type device struct {
	UID      string `json:"uid,omitempty"`
	Name     string `json:"name,omitempty"`
	Hostname string `json:"hostname,omitempty"`
	TypeID   int    `json:"type_id"` // 0 Unknown: a laptop is not told from a desktop
	OS       *osys  `json:"os,omitempty"`
	// IsCompliant is left out where nothing was decided.
	IsCompliant *bool `json:"is_compliant,omitempty"`
}

type osys struct {
	Name   string `json:"name"`
	TypeID int    `json:"type_id"`
}

func (d Device) event() *device {
	e := &device{UID: fact.Clip(d.ID), Name: fact.Clip(d.Name)}
	switch d.Platform {
	case "windows":
		e.OS = &osys{"Windows", 100}
	case "linux":
		e.OS = &osys{"Linux", 200}
	case "darwin":
		e.OS = &osys{"macOS", 300}
	}
	return e
}

type user struct {
	UID    string  `json:"uid,omitempty"`
	Name   string  `json:"name"`
	Email  string  `json:"email_addr,omitempty"`
	Full   string  `json:"full_name,omitempty"`
	Domain string  `json:"domain,omitempty"` // the provider that vouches for the uid
	TypeID int     `json:"type_id"`          // 1 User, 0 Unknown
	Groups []group `json:"groups,omitempty"`
}

type group struct {
	Name string `json:"name"`
}

// person is the user of an event. OCSF wants one even when nobody is known.
func person(p api.Person) *user {
	if p.Subject == "" {
		return &user{Name: "unknown"}
	}
	u := &user{
		UID: fact.Clip(p.Subject), Name: fact.Clip(p.Email), Email: fact.Clip(p.Email),
		Full: fact.Clip(p.Name), Domain: fact.Clip(p.Issuer), TypeID: 1,
	}
	if u.Name == "" {
		u.Name = u.UID
	}
	for _, g := range p.Groups[:min(len(p.Groups), fact.MaxEntries)] {
		u.Groups = append(u.Groups, group{fact.Clip(g)})
	}
	return u
}

// optional is person where OCSF can do without.
func optional(p api.Person) *user {
	if p.Subject == "" {
		return nil
	}
	return person(p)
}

type session struct {
	UID              string `json:"uid,omitempty"`
	ExpirationTime   int64  `json:"expiration_time,omitempty"` // Unix milliseconds
	ExpirationReason string `json:"expiration_reason,omitempty"`
}

func sessionOf(id string) *session {
	if id == "" {
		return nil
	}
	return &session{UID: fact.Clip(id)}
}

func clip(all []string) []string {
	var out []string
	for _, s := range all[:min(len(all), fact.MaxEntries)] {
		out = append(out, fact.Clip(s))
	}
	return out
}

// maxDetail is how many bytes of a detail are kept: a person's reason for a
// pause may have 200 characters, in any script (posture/attest, MaxPause).
const maxDetail = 800

func clipDetail(s string) string {
	if len(s) <= maxDetail {
		return s
	}
	n := maxDetail
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
