package firewall

import (
	"context"
	"encoding/json"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// thirdParty names another product's firewall, which Windows Security knows of
// on clients, and listens to what it says of all firewalls together. It is the
// documented word (WscGetSecurityProviderHealth); a product's own state in WMI
// is not, and serves for its name only.
func (w windowsReading) thirdParty(ctx context.Context) {
	m := w.r.Machine()
	var product string
	rows, err := m.WMI(ctx, `root\SecurityCenter2`, "FirewallProduct")
	if err == nil && len(rows) > 0 {
		w.r.From(`WMI root\SecurityCenter2:FirewallProduct`)
		for _, row := range rows {
			if name, ok := row.Text("displayName"); ok && product == "" {
				product = name
			}
		}
	}
	if product != "" {
		w.r.Observe("manager", "", fact.Str(product))
	}
	health := providerHealth(ctx, m)
	if health == "" {
		return
	}
	w.r.From("Windows Security says " + health)
	w.compare(product, health)
}

func providerHealth(ctx context.Context, m evidence.Machine) string {
	data, err := m.Ask(ctx, evidence.AskSecurityProvider, "firewall")
	if err != nil {
		return ""
	}
	var doc struct {
		Health string `json:"health"`
	}
	if json.Unmarshal(data, &doc) != nil {
		return ""
	}
	return doc.Health
}

// compare holds Windows' own firewall against what Windows Security says. Good
// while the own one is off means that the named product filters, though not
// what it does by default; poor while the own one is on is a contradiction.
func (w windowsReading) compare(product, health string) {
	on := make([]answer, 0, 3)
	for _, name := range profileNames() {
		on = append(on, w.enabled(name))
	}
	all := together(on)
	if all.state != fact.Observed {
		return
	}
	switch {
	case health == "poor" && all.value:
		w.r.Conflict("enabled", "", fact.Bool(true), w.first.source, fact.Bool(false), "Windows Security")
	case health == "good" && !all.value && product != "":
		w.r.Observe("enabled", "", fact.Bool(true))
		for _, field := range []string{"default_inbound", "block_all", "stealth"} {
			w.r.Unknown(field, "", fact.ReasonUnsupported)
		}
	}
}
