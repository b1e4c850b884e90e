package integrity

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const bridgeSource = "system_profiler SPiBridgeDataType"

// bridge is what system_profiler(8) says of the chip that starts the Mac.
type bridge struct {
	policy answer // boot_policy
	sealed answer // the seal of the system volume is checked
	chip   bool   // a T1 or T2 chip
}

func readBridge(ctx context.Context, m evidence.Machine) bridge {
	text, err := evidence.Text(ctx, m, "system_profiler", "-json", "SPiBridgeDataType")
	if err != nil {
		return bridge{policy: failed(err), sealed: failed(err)}
	}
	return parseBridge(text)
}

// parseBridge reads the JSON of SPiBridgeDataType. The list is empty on Macs
// without such a chip and on virtual ones, which proves nothing.
func parseBridge(data []byte) bridge {
	var top struct {
		Items []map[string]any `json:"SPiBridgeDataType"`
	}
	if json.Unmarshal(data, &top) != nil || top.Items == nil {
		odd := unknown(fact.ReasonUnreadable)
		return bridge{policy: odd, sealed: odd}
	}
	none := unknown(fact.ReasonNotFound)
	b := bridge{policy: none, sealed: none}
	for _, item := range top.Items[:min(len(top.Items), 64)] {
		b.add(item)
	}
	return b
}

// add takes over what one item says; items that differ make it unknown.
func (b *bridge) add(item map[string]any) {
	if s, ok := item["ibridge_secure_boot"].(string); ok {
		a := unknown(fact.ReasonMalformed)
		if word, ok := policyWord(s); ok && (!b.policy.known() || b.policy.value == fact.Str(word)) {
			a = known(fact.Str(word), bridgeSource)
		}
		b.policy = a
	}
	if s, ok := item["ibridge_sb_ssv"].(string); ok {
		switch strings.ToLower(strings.TrimSpace(s)) {
		case "enabled":
			b.sealed = yesNo(true, bridgeSource)
		case "disabled":
			b.sealed = yesNo(false, bridgeSource)
		}
	}
	name, _ := item["ibridge_model_name"].(string)
	name = " " + strings.ToLower(name) + " "
	b.chip = b.chip || strings.Contains(name, " t1 ") || strings.Contains(name, " t2 ")
}

// policyWord maps the names of Apple's startup security: Reduced and
// Permissive on Apple silicon, Medium and No Security on a T2.
func policyWord(s string) (string, bool) {
	switch strings.TrimSpace(strings.TrimSuffix(strings.ToLower(strings.TrimSpace(s)), "security")) {
	case "full":
		return fact.Full, true
	case "reduced", "medium":
		return fact.Reduced, true
	case "permissive", "no", "none":
		return fact.Permissive, true
	}
	return "", false
}

// secureBoot follows from the policy: only Permissive Security and No Security
// start what Apple has not signed.
func (b bridge) secureBoot() answer {
	if !b.policy.known() {
		return b.policy
	}
	return yesNo(b.policy.value != fact.Str(fact.Permissive), b.policy.source)
}
