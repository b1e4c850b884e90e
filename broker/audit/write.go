package audit

import (
	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/posture/fact"
)

// named is an OCSF object of which only names are known.
type named struct {
	Name string `json:"name,omitempty"`
	UID  string `json:"uid,omitempty"`
	Type string `json:"type,omitempty"`
}

// Authentication writes a sign-in or sign-out.
func (l *Log) Authentication(a Authentication) error {
	severity := informational
	if a.Refused != "" {
		severity = medium
	}
	e := struct {
		header
		User           *user    `json:"user"`
		Device         *device  `json:"device"`
		Service        named    `json:"service"`
		Session        *session `json:"session,omitempty"`
		AuthProtocol   string   `json:"auth_protocol"`
		AuthProtocolID int      `json:"auth_protocol_id"`
		IsRemote       bool     `json:"is_remote"`
		Unmapped       struct {
			ACR string `json:"acr,omitempty"`
		} `json:"unmapped,omitzero"`
	}{
		header: class{3002, "Authentication", []string{"Logon", "Logoff"}, true}.begin(a.Activity, severity),
		User:   person(a.Person), Device: a.Device.event(), Service: named{Name: "postern-broker"},
		Session: sessionOf(a.Session), AuthProtocol: "OpenID", AuthProtocolID: 4, IsRemote: true,
	}
	e.outcome(a.Refused)
	e.Unmapped.ACR = fact.Clip(a.ACR)
	if e.Session != nil && a.Activity == Logoff {
		e.Session.ExpirationReason = fact.Clip(a.Why)
	}
	return l.write(&e.header, &e)
}

// AuthorizeSession writes an access token given or refused.
func (l *Log) AuthorizeSession(a AuthorizeSession) error {
	severity := informational
	if a.Refused != "" {
		severity = medium
	}
	e := struct {
		header
		User       *user    `json:"user"`
		Device     *device  `json:"device"`
		Session    *session `json:"session,omitempty"`
		Privileges []string `json:"privileges"`
	}{
		header: class{3003, "Authorize Session", []string{"Assign Privileges"}, true}.begin(1, severity),
		User:   person(a.Person), Device: a.Device.event(), Session: sessionOf(a.Session),
		Privileges: append([]string{}, clip(a.Scopes)...),
	}
	e.outcome(a.Refused)
	if e.Session != nil {
		e.Session.ExpirationTime = a.Ends
	}
	return l.write(&e.header, &e)
}

type compliance struct {
	Control       string   `json:"control"`
	Standards     []string `json:"standards"`
	StatusID      int      `json:"status_id"`
	Status        string   `json:"status"`
	StatusCode    string   `json:"status_code,omitempty"`
	StatusDetails []string `json:"status_details,omitempty"`
}

type findingInfo struct {
	UID   string   `json:"uid"`
	Title string   `json:"title"`
	Types []string `json:"types"`
}

type remediation struct {
	Desc string `json:"desc"`
}

// ComplianceFinding writes what became of one check on one device.
func (l *Log) ComplianceFinding(f ComplianceFinding) error {
	e := struct {
		header
		Device      *device      `json:"device"`
		FindingInfo findingInfo  `json:"finding_info"`
		Compliance  compliance   `json:"compliance"`
		Remediation *remediation `json:"remediation,omitempty"`
		Resources   []named      `json:"resources"`
		Unmapped    struct {
			Enforced bool     `json:"enforced"`
			Apps     []string `json:"apps,omitempty"`
			Person   *user    `json:"user,omitempty"`
		} `json:"unmapped"`
	}{
		header:      class{2003, "Compliance Finding", []string{"Create", "Update", "Close"}, true}.begin(f.Activity, findingSeverity(f)),
		Device:      f.Device.event(),
		FindingInfo: findingInfo{UID: fact.Clip(f.Device.ID + "/" + f.Code), Title: fact.Clip(f.Name), Types: []string{"device posture"}},
		Compliance:  complianceOf(f),
		Resources:   []named{{UID: fact.Clip(f.Device.ID), Name: fact.Clip(f.Device.Name), Type: "device"}},
	}
	// A finding's status is how far its handling is, not a success.
	switch f.Activity {
	case Found:
		e.StatusID, e.Status = 1, "New"
	case Changed:
		e.StatusID, e.Status = 2, "In Progress"
	case Solved:
		e.StatusID, e.Status = 4, "Resolved"
	}
	if f.Remedy != "" {
		e.Remediation = &remediation{fact.Clip(f.Remedy)}
	}
	e.Unmapped.Enforced, e.Unmapped.Apps, e.Unmapped.Person = f.Enforced, clip(f.Apps), optional(f.Person)
	return l.write(&e.header, &e)
}

func findingSeverity(f ComplianceFinding) severityID {
	switch {
	case f.Activity == Solved || f.Outcome == api.Pass:
		return informational
	case f.Enforced:
		return medium
	}
	return low
}

func complianceOf(f ComplianceFinding) compliance {
	c := compliance{
		Control: fact.Clip(f.Code), Standards: []string{"access policy"},
		StatusID: 0, Status: "Unknown", StatusCode: string(f.Outcome), StatusDetails: clip(f.Missing),
	}
	switch f.Outcome {
	case api.Pass:
		c.StatusID, c.Status = 1, "Pass"
	case api.Unclear:
		c.StatusID, c.Status = 2, "Warning" // "did not yield a result due to missing information"
	case api.Fail:
		c.StatusID, c.Status = 3, "Fail"
	}
	return c
}

type endpoint struct {
	UID     string `json:"uid,omitempty"`
	SvcName string `json:"svc_name,omitempty"`
}

// TunnelActivity writes a tunnel opened, closed or renewed.
func (l *Log) TunnelActivity(a TunnelActivity) error {
	e := struct {
		header
		Device       *device  `json:"device"`
		User         *user    `json:"user,omitempty"`
		Session      *session `json:"session,omitempty"`
		DstEndpoint  endpoint `json:"dst_endpoint"`
		ProtocolName string   `json:"protocol_name"`
		TunnelType   string   `json:"tunnel_type"`
		TunnelTypeID int      `json:"tunnel_type_id"`
		Unmapped     struct {
			Tunnel    string `json:"tunnel_uid"`
			PublicKey string `json:"wireguard_public_key"`
			Lease     string `json:"lease_uid"`
			LeaseEnds int64  `json:"lease_ends,omitempty"` // Unix milliseconds
		} `json:"unmapped"`
	}{
		header: class{4014, "Tunnel Activity", []string{"Open", "Close", "Renew"}, false}.begin(a.Activity, informational),
		Device: a.Device.event(), User: optional(a.Person), Session: sessionOf(a.Session),
		DstEndpoint:  endpoint{fact.Clip(a.Gateway), fact.Clip(a.App)},
		ProtocolName: "WireGuard", TunnelType: "Split Tunnel", TunnelTypeID: 1,
	}
	e.outcome("")
	e.StatusCode, e.StatusDetail = fact.Clip(a.Cause), clipDetail(a.Detail)
	e.Unmapped.Tunnel, e.Unmapped.PublicKey = fact.Clip(a.Tunnel), fact.Clip(a.PublicKey)
	e.Unmapped.Lease, e.Unmapped.LeaseEnds = fact.Clip(a.Lease), a.LeaseEnds
	return l.write(&e.header, &e)
}

type securityState struct {
	StateID int    `json:"state_id"`
	State   string `json:"state"`
}

type actor struct {
	User user `json:"user"`
}

// DeviceChange writes a change of a device's verdict or record.
func (l *Log) DeviceChange(c DeviceChange) error {
	id, level := securityLevel(c.After)
	severity := informational
	if id == atRisk || c.State != "" && c.State != "active" {
		severity = medium
	}
	e := struct {
		header
		Device         *device         `json:"device"`
		Actor          *actor          `json:"actor,omitempty"`
		PrevLevel      string          `json:"prev_security_level,omitempty"`
		PrevLevelID    int             `json:"prev_security_level_id"`
		Level          string          `json:"security_level,omitempty"`
		LevelID        int             `json:"security_level_id"`
		SecurityStates []securityState `json:"security_states,omitempty"`
		State          string          `json:"state,omitempty"`
		StateID        int             `json:"state_id"`
	}{
		header: class{5019, "Device Config State Change", []string{"Log"}, false}.begin(1, severity),
		Device: c.Device.event(), Level: level, LevelID: id, State: fact.Clip(c.State),
	}
	e.outcome("")
	e.StatusCode = fact.Clip(c.Cause)
	e.PrevLevelID, e.PrevLevel = securityLevel(c.Before)
	if c.After != "" && c.After != api.TierNone {
		compliant := id == secure
		e.Device.IsCompliant = &compliant
	}
	if c.After == api.TierContraindicated {
		e.SecurityStates = []securityState{{23, "Compliance failure"}}
	}
	if c.State != "" {
		e.StateID = 1 // Disabled
		if c.State == "active" {
			e.StateID = 2 // Enabled
		}
	}
	if c.By != "" {
		e.Actor = &actor{user{Name: fact.Clip(c.By)}}
	}
	return l.write(&e.header, &e)
}

// OCSF's security levels in use; 0 is Unknown.
const (
	secure = 1
	atRisk = 2
)

func securityLevel(t api.Tier) (int, string) {
	switch t {
	case api.TierAffirming:
		return secure, "Secure"
	case api.TierWarning, api.TierContraindicated:
		return atRisk, "At Risk"
	}
	return 0, "Unknown"
}
