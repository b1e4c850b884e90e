package firewall

import (
	"context"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// windows reads the three profiles of Windows Defender Firewall from the
// registry, where a group policy's value stands over the local one (MS-GPFAS,
// 2.2), and whether its service runs. All profiles have to be on: which one is
// in use changes with the network.
func windows(ctx context.Context, r *evidence.Reading) fact.Signal {
	m := r.Machine()
	out, err := m.Run(ctx, "sc", "query", "mpssvc")
	if err != nil {
		return r.Conclude(fact.Unknown, evidence.ReasonOf(err))
	}
	r.From("sc query mpssvc")
	running, why := parseServiceRunning(string(out))
	if why != "" {
		return r.Conclude(fact.Unknown, why)
	}
	if !running {
		return observe(r, fact.InboundAccept)
	}
	inbound := fact.InboundDrop
	for _, profile := range []string{"DomainProfile", "StandardProfile", "PublicProfile"} {
		one, why := windowsProfile(ctx, r, profile)
		if why != "" {
			return r.Conclude(fact.Unknown, why)
		}
		inbound = weaker(inbound, one)
	}
	return observe(r, inbound)
}

// windowsProfile is what one profile does by default: EnableFirewall 0 lets
// everything in, DefaultInboundAction 0 allows and 1 or no value blocks.
func windowsProfile(ctx context.Context, r *evidence.Reading, profile string) (string, fact.Reason) {
	const local = `HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\`
	const policy = `HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall\`
	values, err := evidence.RegistryKey(ctx, r.Machine(), local+profile)
	if err != nil {
		return "", evidence.ReasonOf(err)
	}
	r.From(local + profile)
	managed, err := evidence.RegistryKey(ctx, r.Machine(), policy+profile)
	// No policy is the usual case; reg ends with an error on a key that is not there.
	if why := evidence.ReasonOf(err); err != nil && why != fact.ReasonNotFound && why != fact.ReasonUnreadable {
		return "", why
	}
	pick := func(name string) (uint32, bool) {
		if v, ok := managed.Number(name); ok {
			return v, true
		}
		return values.Number(name)
	}
	enabled, ok := pick("EnableFirewall")
	if !ok {
		return "", fact.ReasonUnreadable
	}
	action, set := pick("DefaultInboundAction")
	if enabled == 0 || set && action == 0 {
		return fact.InboundAccept, ""
	}
	return fact.InboundDrop, ""
}

// parseServiceRunning finds the state's number in sc's output, "STATE : 4
// RUNNING"; the word STATE is translated, so the line is known by its place
// after TYPE.
func parseServiceRunning(out string) (bool, fact.Reason) {
	var numbered []string
	for line := range strings.Lines(out) {
		if _, value, ok := strings.Cut(line, ":"); ok && strings.HasPrefix(line, " ") {
			if f := strings.Fields(value); len(f) > 0 {
				numbered = append(numbered, f[0])
			}
		}
	}
	if len(numbered) < 2 {
		return false, fact.ReasonUnreadable
	}
	return numbered[1] == "4", ""
}
