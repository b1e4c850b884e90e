package enrolment

import (
	"context"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// fleet looks for Fleet's agent, which writes its node key when the server has
// accepted it. The key is a secret: that it is there is enough.
func fleet(ctx context.Context, m evidence.Machine) membershipFile {
	const key = "/opt/orbit/secret-orbit-node-key.txt"
	info, err := m.Stat(ctx, key)
	if err != nil {
		return unreadable(err)
	}
	if info.Size == 0 {
		return membershipFile{}
	}
	f := membershipFile{kind: complete, source: key}
	for _, path := range []string{"/etc/default/orbit", "/etc/sysconfig/orbit"} {
		if values, err := settings(ctx, m, path, "orbit_fleet_url"); err == nil {
			f.address = values.get("", "orbit_fleet_url")
			return f
		}
	}
	return f
}

// landscape looks for Canonical's agent. Its configuration names a service;
// whether that accepted the machine is in a file that holds its secrets, so
// this stays unknown.
func landscape(ctx context.Context, m evidence.Machine) membershipFile {
	const path = "/etc/landscape/client.conf"
	values, err := settings(ctx, m, path, "url", "account_name")
	if err != nil {
		return unreadable(err)
	}
	if values.get("client", "account_name") == "" {
		return membershipFile{}
	}
	return membershipFile{kind: configured, why: fact.ReasonNotRegistered, source: path, address: values.get("client", "url")}
}

// intune looks for what Microsoft's portal for Linux writes into the home of
// the person who enrolled the machine: device_hint once it is in management,
// aad_device_hint once it is registered with the tenant.
func intune(ctx context.Context, m evidence.Machine) membershipFile {
	const portal = "/opt/microsoft/intune"
	if _, err := m.Stat(ctx, portal); err != nil {
		return unreadable(err)
	}
	people, err := m.Sessions(ctx)
	if err != nil {
		return unreadable(err)
	}
	if len(people) == 0 {
		return membershipFile{kind: blocked, why: fact.ReasonNobody}
	}
	best := membershipFile{}
	for _, p := range people {
		for _, folder := range []string{"/.config/intune", "/.local/state/intune"} {
			if !strings.HasPrefix(p.Home, "/") {
				continue
			}
			f := intuneFile(ctx, m, strings.TrimRight(p.Home, "/")+folder+"/registration.toml")
			if f.kind > best.kind || f.entra && !best.entra && best.kind != complete {
				best = f
			}
		}
	}
	return best
}

func intuneFile(ctx context.Context, m evidence.Machine, path string) membershipFile {
	values, err := settings(ctx, m, path, "device_hint", "aad_device_hint", "authority_hint")
	if err != nil {
		return unreadable(err)
	}
	f := membershipFile{source: "registration.toml of Intune"}
	if isGUID(values.get("", "device_hint")) {
		f.kind = complete
	}
	if f.entra = isGUID(values.get("", "aad_device_hint")); f.entra {
		at := strings.TrimRight(values.get("", "authority_hint"), "/")
		if at = at[strings.LastIndexByte(at, '/')+1:]; isGUID(at) {
			f.tenant = strings.ToLower(at)
		}
	}
	return f
}
