package firewall

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/postern-zt/postern/posture/fact"
)

// maxJumps bounds how deep chains that call chains are followed; the kernel's
// own bound is 16 (NFT_JUMP_STACK_SIZE).
const maxJumps = 16

// ruleset is what matters here of "nft -j list ruleset" (libnftables-json(5)).
type ruleset struct {
	tables map[tableID]bool // true: in force; a dormant table is not
	chains []chain
	rules  map[chainID][]rule
}

type tableID struct{ family, name string }

type chainID struct {
	tableID
	chain string
}

type chain struct {
	Family string `json:"family"`
	Table  string `json:"table"`
	Name   string `json:"name"`
	Type   string `json:"type"`
	Hook   string `json:"hook"`
	Policy string `json:"policy"`
}

type rule struct {
	Family string                       `json:"family"`
	Table  string                       `json:"table"`
	Chain  string                       `json:"chain"`
	Expr   []map[string]json.RawMessage `json:"expr"`
}

type table struct {
	Family string          `json:"family"`
	Name   string          `json:"name"`
	Flags  json.RawMessage `json:"flags"` // a word or a list of words
}

func (c chain) id() chainID { return chainID{tableID{c.Family, c.Table}, c.Name} }

func parseRuleset(data []byte) (ruleset, error) {
	var top struct {
		Objects []struct {
			Metainfo *struct{} `json:"metainfo"`
			Table    *table    `json:"table"`
			Chain    *chain    `json:"chain"`
			Rule     *rule     `json:"rule"`
		} `json:"nftables"`
	}
	if err := json.Unmarshal(data, &top); err != nil {
		return ruleset{}, fmt.Errorf("read ruleset: %w", err)
	}
	out := ruleset{tables: map[tableID]bool{}, rules: map[chainID][]rule{}}
	whole := false
	for _, o := range top.Objects {
		switch {
		case o.Metainfo != nil:
			whole = true
		case o.Table != nil:
			out.tables[tableID{o.Table.Family, o.Table.Name}] = !bytes.Contains(o.Table.Flags, []byte(`"dormant"`))
		case o.Chain != nil:
			out.chains = append(out.chains, *o.Chain)
		case o.Rule != nil:
			id := chainID{tableID{o.Rule.Family, o.Rule.Table}, o.Rule.Chain}
			out.rules[id] = append(out.rules[id], *o.Rule)
		}
	}
	if !whole {
		return ruleset{}, errors.New("read ruleset: no metainfo, this is not a list of rules")
	}
	return out, nil
}

// inbound is what happens by default to inbound traffic of the family, ip or
// ip6. Every base chain of the input hook sees a packet, and one that refuses
// it is enough, whatever the others say.
func (r ruleset) inbound(family string) string {
	result := fact.InboundAccept
	for _, c := range r.chains {
		applies := (c.Family == family || c.Family == "inet") && c.Hook == "input" && c.Type == "filter"
		if !applies || !r.tables[c.id().tableID] {
			continue
		}
		switch r.verdict(c.id(), 0) {
		case "drop":
			result = fact.InboundDrop
		case "reject":
			result = stronger(result, fact.InboundReject)
		case "":
			if c.Policy == "drop" {
				result = fact.InboundDrop
			}
		}
	}
	return result
}

func stronger(a, b string) string {
	if a == fact.InboundDrop {
		return a
	}
	return b
}

// verdict follows a chain for a new packet that no condition names: the first
// rule without a condition that decides. It is empty when none does, so that
// the caller or the policy decides.
func (r ruleset) verdict(id chainID, depth int) string {
	if depth > maxJumps {
		return "accept" // the kernel would have refused it; never call this a filter
	}
	for _, rule := range r.rules[id] {
		action, target := rule.unconditional()
		switch action {
		case "accept", "drop", "reject":
			return action
		case "return":
			return ""
		case "jump", "goto":
			v := r.verdict(chainID{id.tableID, target}, depth+1)
			if v != "" || action == "goto" {
				return v
			}
		}
	}
	return ""
}

// unconditional returns what a rule does to every new packet; the action is
// empty when a condition stands before it or nothing is decided.
func (r rule) unconditional() (action, target string) {
	for _, e := range r.Expr {
		for name, arg := range e {
			switch name {
			case "counter", "log", "mangle", "notrack":
				continue
			case "match":
				if everyNewPacket(arg) {
					continue
				}
				return "", ""
			case "accept", "drop", "reject", "return":
				return name, ""
			case "jump", "goto":
				var to struct {
					Target string `json:"target"`
				}
				if json.Unmarshal(arg, &to) != nil {
					return "", ""
				}
				return name, to.Target
			default: // limit, vmap, queue, …: not for every packet
				return "", ""
			}
		}
	}
	return "", ""
}

// everyNewPacket recognises the condition "ct state … new …", which every
// packet that opens a connection meets: "ct state new accept" lets all in.
func everyNewPacket(arg json.RawMessage) bool {
	var m struct {
		Op   string `json:"op"`
		Left struct {
			CT struct {
				Key string `json:"key"`
			} `json:"ct"`
		} `json:"left"`
		Right json.RawMessage `json:"right"`
	}
	if json.Unmarshal(arg, &m) != nil || m.Left.CT.Key != "state" || m.Op != "in" && m.Op != "==" {
		return false
	}
	var one string
	var many []string
	var set struct {
		Set []string `json:"set"`
	}
	switch {
	case json.Unmarshal(m.Right, &one) == nil:
		return one == "new"
	case json.Unmarshal(m.Right, &many) == nil:
		return slices.Contains(many, "new")
	case json.Unmarshal(m.Right, &set) == nil:
		return slices.Contains(set.Set, "new")
	}
	return false
}
