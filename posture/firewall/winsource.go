package firewall

import (
	"context"
	"encoding/json"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// comProfile is one profile in the answer to evidence.AskFirewallPolicy.
type comProfile struct {
	Enabled  *bool `json:"enabled"`
	Block    *bool `json:"default_inbound_block"`
	BlockAll *bool `json:"block_all"`
}

// askPolicy asks INetFwPolicy2 (FirewallEnabled, DefaultInboundAction,
// BlockAllInboundTraffic, CurrentProfileTypes).
func askPolicy(ctx context.Context, r *evidence.Reading) told {
	data, err := r.Machine().Ask(ctx, evidence.AskFirewallPolicy)
	if err != nil {
		return told{why: evidence.ReasonOf(err)}
	}
	out, err := parsePolicy(data)
	if err != nil {
		return told{why: fact.ReasonUnreadable}
	}
	r.From(out.source)
	return out
}

func parsePolicy(data []byte) (told, error) {
	var doc struct {
		Current *uint32     `json:"current_profiles"`
		Domain  *comProfile `json:"domain"`
		Private *comProfile `json:"private"`
		Public  *comProfile `json:"public"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return told{}, err
	}
	out := told{source: "INetFwPolicy2", live: true, profiles: map[string]profile{}, current: doc.Current}
	for name, p := range map[string]*comProfile{"domain": doc.Domain, "private": doc.Private, "public": doc.Public} {
		if p != nil && (p.Enabled != nil || p.Block != nil) {
			out.profiles[name] = profile{enabled: p.Enabled, block: p.Block, blockAll: p.BlockAll}
		}
	}
	return out, nil
}
