package enrolment

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// windows puts together what the system's interfaces, its registry and
// dsregcmd say. A workgroup is not a domain.
func windows(ctx context.Context, r *evidence.Reading) fact.Signal {
	ask, askErr := askJoin(ctx, r.Machine())
	cloudKey := readCloudJoin(ctx, r.Machine())
	cloud, cloudOpposed := merged(ask.cloud, cloudKey.joined)
	found, why := dsreg{}, fact.ReasonNotFound
	if cloudOpposed || !cloud.known || cloud.yes {
		// A machine that is in no tenant has nothing more to tell.
		if out, err := evidence.Text(ctx, r.Machine(), "dsregcmd", "/status"); err == nil {
			found = parseDsreg(string(out))
		} else {
			why = evidence.ReasonOf(err)
		}
	}
	domain := ask.domain
	if !domain.known {
		domain = wmiDomain(ctx, r.Machine(), &ask)
	}
	membership{ask, cloudKey, found, domain, why}.report(r)
	management(ctx, r, ask)
	otherwise := fact.ReasonUnsupported
	if askErr != nil && evidence.ReasonOf(askErr) != fact.ReasonUnsupported {
		otherwise = evidence.ReasonOf(askErr)
	}
	r.Unknown("user_approved", "", fact.ReasonUnsupported)
	r.Unknown("automated", "", fact.ReasonUnsupported)
	return r.Signal(otherwise)
}

// joined is what AskJoin tells.
type joined struct {
	domain, cloud, registered, mdm answer
	domainName, tenant             string
}

func askJoin(ctx context.Context, m evidence.Machine) (joined, error) {
	data, err := m.Ask(ctx, evidence.AskJoin)
	if err == nil {
		j, parseErr := parseJoin(data)
		if parseErr == nil {
			return j, nil
		}
		err = &evidence.Error{Reason: fact.ReasonUnreadable, Op: "ask join", Err: parseErr}
	}
	none := failed(err)
	return joined{domain: none, cloud: none, registered: none, mdm: none}, err
}

// parseJoin reads the answer to AskJoin: NetGetJoinInformation,
// NetGetAadJoinInformation (DSREG_JOIN_TYPE: 1 joined, 2 registered) and
// IsDeviceRegisteredWithManagement.
func parseJoin(data []byte) (joined, error) {
	var in struct {
		Workgroup, Domain string
		AzureAD           *struct {
			Type     any    `json:"type"`
			TenantID string `json:"tenant_id"`
		} `json:"azure_ad"`
		MDMRegistered *bool `json:"mdm_registered"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return joined{}, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil || members == nil {
		return joined{}, errors.New("not an object")
	}
	const source = "NetGetAadJoinInformation"
	silent := unknown(fact.ReasonUnsupported)
	j := joined{domain: silent, cloud: silent, registered: silent, mdm: silent}
	if in.Domain != "" {
		j.domain, j.domainName = yesNo(true, "NetGetJoinInformation"), in.Domain
	} else if in.Workgroup != "" {
		j.domain = yesNo(false, "NetGetJoinInformation")
	}
	if _, told := members["azure_ad"]; told {
		kind := "none"
		if in.AzureAD != nil {
			kind = joinType(in.AzureAD.Type)
			j.tenant = in.AzureAD.TenantID
		}
		if kind != "" {
			j.cloud, j.registered = yesNo(kind == "device", source), yesNo(kind == "workplace", source)
		}
	}
	if in.MDMRegistered != nil {
		j.mdm = yesNo(*in.MDMRegistered, "IsDeviceRegisteredWithManagement")
	}
	return j, nil
}

// joinType is device, workplace or none; empty where the system does not know.
func joinType(v any) string {
	switch v := v.(type) {
	case nil:
		return "none"
	case float64:
		return map[float64]string{1: "device", 2: "workplace"}[v]
	case string:
		switch s := strings.ToLower(v); {
		case s == "" || s == "none":
			return "none"
		case s == "1" || strings.Contains(s, "device"):
			return "device"
		case s == "2" || strings.Contains(s, "workplace") || strings.Contains(s, "register"):
			return "workplace"
		}
	}
	return ""
}

// wmiDomain stands in for NetGetJoinInformation (Win32_ComputerSystem,
// "PartOfDomain").
func wmiDomain(ctx context.Context, m evidence.Machine, j *joined) answer {
	const class = "Win32_ComputerSystem"
	rows, err := m.WMI(ctx, `root\cimv2`, class)
	if err != nil || len(rows) != 1 {
		return j.domain
	}
	part, ok := rows[0].Bool("PartOfDomain")
	if !ok {
		return j.domain
	}
	if part {
		j.domainName, _ = rows[0].Text("Domain")
	}
	return yesNo(part, `root\cimv2:`+class)
}
