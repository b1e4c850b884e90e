package firewall

import (
	"context"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// layer is one key's values.
type layer struct {
	values  evidence.Registry
	manager string
}

// readRegistry reads the profiles as [MS-GPFAS] 2.2 describes their values. A
// group policy's stand over those of device management (Firewall CSP), and
// these over the local ones. The private profile is called standard.
func readRegistry(ctx context.Context, r *evidence.Reading) told {
	const local = `HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\`
	const policy = `HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall\`
	out := told{source: "registry", profiles: map[string]profile{}}
	keys := map[string]string{"domain": "DomainProfile", "private": "StandardProfile", "public": "PublicProfile"}
	for _, name := range profileNames() { // in one order, which the digest of the evidence shows
		key := keys[name]
		places := []struct{ key, manager string }{{policy + key, "group-policy"}}
		if name == "private" {
			places = append(places, struct{ key, manager string }{policy + "PrivateProfile", "group-policy"})
		}
		places = append(places, struct{ key, manager string }{local + `Mdm\` + key, "mdm"}, struct{ key, manager string }{local + key, ""})
		var layers []layer
		var why fact.Reason
		for _, p := range places {
			values, err := r.Machine().Registry(ctx, p.key)
			if err == nil {
				r.From(p.key)
				layers = append(layers, layer{values, p.manager})
			} else if reason := evidence.ReasonOf(err); reason != fact.ReasonNotFound {
				why = firstOf(why, reason)
			}
		}
		switch {
		case why != "":
			out.why = firstOf(out.why, why)
		case len(layers) == 0:
			out.why = firstOf(out.why, fact.ReasonNotFound)
		default:
			out.profiles[name] = mergeLayers(layers)
		}
	}
	if len(out.profiles) > 0 {
		out.why = ""
	}
	return out
}

// value is a switch of the first layer that has it. A value of another type,
// or one that is neither 0 nor 1, is there but not known.
func value(layers []layer, name string) (on *bool, there bool, manager string) {
	for _, l := range layers {
		if !l.values.Has(name) {
			continue
		}
		if n, ok := l.values.Number(name); ok && n <= 1 {
			b := n == 1
			on = &b
		}
		return on, true, l.manager
	}
	return nil, false, ""
}

// mergeLayers takes each value from the first layer that has it. EnableFirewall
// has no default that could be relied on: where it is missing, nothing is known
// of the profile. Without a DefaultInboundAction inbound traffic is blocked
// (Set-NetFirewallProfile: "Block" is the default on a computer), and without
// DoNotAllowExceptions there are exceptions.
func mergeLayers(layers []layer) profile {
	var p profile
	p.enabled, _, p.manager = value(layers, "EnableFirewall")
	if p.enabled == nil {
		return p
	}
	orElse := func(name string, otherwise bool) *bool {
		on, there, _ := value(layers, name)
		if !there {
			return &otherwise
		}
		return on
	}
	p.block = orElse("DefaultInboundAction", true)
	p.blockAll = orElse("DoNotAllowExceptions", false)
	if loud, _, _ := value(layers, "DisableStealthMode"); loud != nil {
		quiet := !*loud
		p.stealth = &quiet
	}
	return p
}
