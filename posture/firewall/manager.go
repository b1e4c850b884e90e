package firewall

import (
	"context"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// maxBases bounds how many base chains are looked at one by one.
const maxBases = 64

// describe says who sets the rules: by the names of tables and chains that
// packets come by, where nothing filters by what is configured. It never says
// whether anything is filtered. why is what there is to say where nobody is
// found.
func describe(ctx context.Context, r *evidence.Reading, rules *ruleset, why fact.Reason) {
	var names []string
	for _, family := range []string{"ip", "ip6"} {
		bases := rules.bases(family)
		for _, b := range bases[:min(len(bases), maxBases)] {
			alone := &ruleset{tables: []*table{b.table}}
			// What cannot be told of other hooks is about addresses and routes, more often than not.
			if filtered, certain := alone.inbound(family).filtered(); filtered || !certain && b.chain.hook == "input" {
				names = append(names, b.table.manager())
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 {
		names = configured(ctx, r)
	}
	if len(names) == 0 {
		r.Unknown("manager", "", why)
		return
	}
	r.Observe("manager", "", fact.Str(strings.Join(names, ", ")))
}

// manager names who made a table.
func (t *table) manager() string {
	if t.id.name == "firewalld" {
		return "firewalld"
	}
	for _, name := range t.order {
		switch {
		case strings.HasPrefix(name, "ufw-") || strings.HasPrefix(name, "ufw6-"):
			return "ufw"
		case name == "INPUT_ZONES" || name == "IN_public":
			return "firewalld"
		}
	}
	iptables := []string{"filter", "mangle", "raw", "security"}
	if (t.id.family == "ip" || t.id.family == "ip6") && slices.Contains(iptables, t.id.name) && (t.chains["INPUT"] != nil || t.chains["PREROUTING"] != nil) {
		return "iptables"
	}
	return "nftables"
}

// configured names who is set up to filter although nothing does: ufw by
// ENABLED=yes in its configuration (ufw(8)), firewalld by its running state.
func configured(ctx context.Context, r *evidence.Reading) []string {
	var names []string
	m := r.Machine()
	if data, err := m.ReadFile(ctx, "/etc/ufw/ufw.conf"); err == nil && ufwEnabled(string(data)) {
		r.From("/etc/ufw/ufw.conf")
		names = append(names, "ufw")
	}
	if _, err := m.Stat(ctx, "/run/firewalld"); err == nil {
		r.From("/run/firewalld")
		names = append(names, "firewalld")
	}
	return names
}

// ufwEnabled reads ufw.conf, whose last word on it counts.
func ufwEnabled(text string) bool {
	enabled := false
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && strings.EqualFold(strings.TrimSpace(name), "enabled") {
			enabled = strings.EqualFold(strings.Trim(strings.TrimSpace(value), `"'`), "yes")
		}
	}
	return enabled
}

func sortedChains(t *table) []string {
	names := slices.Clone(t.order)
	slices.Sort(names)
	return names
}
