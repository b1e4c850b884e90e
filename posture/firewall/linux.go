package firewall

import (
	"context"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// linux evaluates the kernel's nftables rules, which is where nft, iptables in
// its nft form, ufw and firewalld all put them. Rules of the legacy iptables
// interface are not evaluated; where they may matter the answer is unknown.
func linux(ctx context.Context, r *evidence.Reading) fact.Signal {
	out, err := r.Machine().Run(ctx, "nft", "-j", "list", "ruleset")
	if evidence.ReasonOf(err) == fact.ReasonToolMissing {
		return withoutTool(ctx, r)
	}
	if err != nil {
		return r.Conclude(fact.Unknown, evidence.ReasonOf(err))
	}
	r.From("nft -j list ruleset")
	rules, err := parseRuleset(out)
	if err != nil {
		return r.Conclude(fact.Unknown, fact.ReasonUnreadable)
	}
	inbound := rules.inbound("ip")
	if six := rules.inbound("ip6"); !ipv6Disabled(ctx, r.Machine()) {
		inbound = weaker(inbound, six)
	}
	if inbound != fact.InboundAccept {
		return observe(r, inbound)
	}
	// Nothing filters here, but legacy tables, which nft does not show, might.
	if legacy, err := legacyTables(ctx, r); err != nil || len(legacy) > 0 {
		return r.Conclude(fact.Unknown, legacyReason(err))
	}
	if len(rules.tables) == 0 {
		return r.Conclude(fact.Absent, fact.ReasonNotFound)
	}
	return observe(r, inbound)
}

// weaker is the one of two defaults that lets more through: both IPv4 and IPv6
// have to be filtered.
func weaker(a, b string) string {
	for _, w := range []string{fact.InboundAccept, fact.InboundReject} {
		if a == w || b == w {
			return w
		}
	}
	return fact.InboundDrop
}

// ipv6Disabled is true only when the kernel says that IPv6 was switched off at
// boot (Documentation/networking/ipv6: disable=1).
func ipv6Disabled(ctx context.Context, m evidence.Machine) bool {
	data, err := m.ReadFile(ctx, "/sys/module/ipv6/parameters/disable")
	return err == nil && strings.TrimSpace(string(data)) == "1"
}

// withoutTool answers when nft is not installed: "no firewall" only if the
// kernel has neither nf_tables nor a legacy table, otherwise unknown.
func withoutTool(ctx context.Context, r *evidence.Reading) fact.Signal {
	legacy, err := legacyTables(ctx, r)
	if err == nil && len(legacy) == 0 && kernelLacksNFTables(ctx, r) {
		return r.Conclude(fact.Absent, fact.ReasonNotFound)
	}
	return r.Conclude(fact.Unknown, fact.ReasonToolMissing)
}

// legacyTables lists the tables of the legacy iptables interface. The files
// are there when its modules are loaded, and only root may read them.
func legacyTables(ctx context.Context, r *evidence.Reading) ([]string, error) {
	var tables []string
	for _, path := range []string{"/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"} {
		data, err := r.Machine().ReadFile(ctx, path)
		if evidence.ReasonOf(err) == fact.ReasonNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		r.From(path)
		tables = append(tables, strings.Fields(string(data))...)
	}
	return tables, nil
}

func legacyReason(err error) fact.Reason {
	if err != nil {
		return evidence.ReasonOf(err)
	}
	return fact.ReasonUnsupported
}

// kernelLacksNFTables is true only when the module is neither loaded nor built
// into the running kernel, and both lists could be read (modules(5) of kmod).
func kernelLacksNFTables(ctx context.Context, r *evidence.Reading) bool {
	m := r.Machine()
	loaded, err := m.ReadFile(ctx, "/proc/modules")
	if err != nil {
		return false
	}
	release, err := m.ReadFile(ctx, "/proc/sys/kernel/osrelease")
	if err != nil {
		return false
	}
	list := "/lib/modules/" + strings.TrimSpace(string(release)) + "/modules.builtin"
	builtin, err := m.ReadFile(ctx, list)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(loaded)) {
		if strings.HasPrefix(line, "nf_tables ") {
			return false
		}
	}
	r.From("/proc/modules")
	r.From(list)
	return !strings.Contains(string(builtin), "/nf_tables.ko")
}
