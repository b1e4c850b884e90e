package firewall

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// object is one element of the list that `nft -j list ruleset` prints, and of
// the answer to evidence.AskNFTables (libnftables-json(5)).
type object struct {
	Metainfo *struct{}  `json:"metainfo"`
	Table    *jsonTable `json:"table"`
	Chain    *jsonChain `json:"chain"`
	Rule     *jsonRule  `json:"rule"`
	Set      *jsonSet   `json:"set"`
	Map      *jsonSet   `json:"map"`
	Element  *jsonSet   `json:"element"`
}

type jsonTable struct {
	Family string `json:"family"`
	Name   string `json:"name"`
	Flags  any    `json:"flags"` // a word or a list of words
}

type jsonChain struct {
	Family string `json:"family"`
	Table  string `json:"table"`
	Name   string `json:"name"`
	Type   string `json:"type"`
	Hook   string `json:"hook"`
	Prio   int    `json:"prio"`
	Policy string `json:"policy"`
}

type jsonRule struct {
	Family string                       `json:"family"`
	Table  string                       `json:"table"`
	Chain  string                       `json:"chain"`
	Expr   []map[string]json.RawMessage `json:"expr"`
}

type jsonSet struct {
	Family  string `json:"family"`
	Table   string `json:"table"`
	Name    string `json:"name"`
	Partial bool   `json:"partial"` // of AskNFTables: not all elements are listed
	Elem    any    `json:"elem"`
}

// parseNFTJSON reads the whole ruleset. A list of a single chain is refused:
// it does not say what else there is.
func parseNFTJSON(data []byte) (*ruleset, error) {
	var top struct {
		Objects []object `json:"nftables"`
	}
	if err := decode(data, &top); err != nil {
		return nil, fmt.Errorf("read ruleset: %w", err)
	}
	out := newRuleset()
	whole, others := false, false
	for _, o := range top.Objects {
		whole = whole || o.Metainfo != nil
		others = others || o.Chain != nil || o.Rule != nil
		out.addObject(o)
	}
	if !whole || others && len(out.tables) == 0 {
		return nil, errors.New("read ruleset: this is not a list of all rules")
	}
	for _, o := range top.Objects {
		if o.Rule != nil && !out.addRule(*o.Rule) {
			return nil, errors.New("read ruleset: a rule belongs to no listed chain")
		}
	}
	return out, nil
}

// decode reads one JSON document, keeping numbers as they were written.
func decode(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(into)
}

// flags reads the words that a table is marked with. Some versions of nft
// write others than they mean.
func (t *table) flags(words []string) {
	for _, w := range words {
		switch w {
		case "dormant":
			t.dormant = true
		case "owner", "persist":
		default:
			t.doubtful = true
		}
	}
}

// addObject takes over everything but rules. Chains and sets of tables that
// are not listed are passed over.
func (r *ruleset) addObject(o object) {
	switch {
	case o.Table != nil:
		r.table(tableID{family: o.Table.Family, name: o.Table.Name}).flags(scalars(o.Table.Flags))
	case o.Chain != nil:
		t, ok := r.index[tableID{family: o.Chain.Family, name: o.Chain.Table}]
		if !ok {
			return
		}
		c := t.chain(o.Chain.Name)
		c.known, c.hook, c.kind, c.policy, c.prio = true, o.Chain.Hook, o.Chain.Type, o.Chain.Policy, o.Chain.Prio
	}
	for _, s := range []*jsonSet{o.Set, o.Map, o.Element} {
		if s == nil {
			continue
		}
		if t, ok := r.index[tableID{family: s.Family, name: s.Table}]; ok {
			named := t.sets[s.Name]
			named.elems = append(named.elems, jsonElems(s.Elem)...)
			named.partial = named.partial || s.Partial
			t.sets[s.Name] = named
		}
	}
}

func (r *ruleset) addRule(j jsonRule) bool {
	t, ok := r.index[tableID{family: j.Family, name: j.Table}]
	if !ok {
		return false
	}
	c, ok := t.chains[j.Chain]
	if !ok {
		return false
	}
	var rule []stmt
	for i, e := range j.Expr {
		if len(e) != 1 {
			rule = append(rule, stmt{})
		}
		for name, raw := range e {
			var arg any
			if decode(raw, &arg) != nil {
				rule = append(rule, stmt{})
				continue
			}
			t.compat = t.compat || name == "xt"
			part := jsonStmt(name, arg)
			if name == "xt" && part.kind == unknownStmt && i < len(j.Expr)-1 {
				part = fixedStmt(opaque) // a rule has one target, and it is the last
			}
			if name == "xt" && part.kind == fixed && ufwsOwn(j.Chain, xtName(arg)) {
				part = fixedStmt(no)
			}
			rule = append(rule, part)
		}
	}
	c.rules = append(c.rules, rule)
	return true
}

// xtName is the name of an extension of iptables, empty where nft does not
// tell it.
func xtName(arg any) string {
	o, _ := arg.(map[string]any)
	name, _ := o["name"].(string)
	return name
}

// ufwsOwn reports whether a condition that nft does not show is one of those
// that ufw writes itself: at the beginning of its chain for inbound traffic it
// accepts what is established or related, and drops what is invalid; none of
// this opens a connection (ufw-framework(8), before.rules). What people allow
// stands in other chains.
func ufwsOwn(chain, extension string) bool {
	return (chain == "ufw-before-input" || chain == "ufw6-before-input") && (extension == "conntrack" || extension == "")
}

// jsonElems reads the elements of a set, or of a map with their verdicts.
func jsonElems(v any) []elem {
	list, _ := v.([]any)
	out := make([]elem, 0, len(list))
	for _, e := range list {
		if pair, ok := e.([]any); ok && len(pair) == 2 {
			if v, ok := jsonVerdict(pair[1]); ok {
				out = append(out, elem{key: jsonValue(pair[0]), verdict: v})
				continue
			}
			out = append(out, elem{key: jsonValue(pair[0])})
			continue
		}
		out = append(out, elem{key: jsonValue(e)})
	}
	return out
}

func jsonVerdict(v any) (verdict, bool) {
	o, ok := v.(map[string]any)
	if !ok || len(o) != 1 {
		return verdict{}, false
	}
	for action, arg := range o {
		switch action {
		case "accept", "drop", "return", "continue", "queue", "reject":
			return verdict{action: action}, true
		case "jump", "goto":
			to, _ := arg.(map[string]any)
			target, ok := to["target"].(string)
			return verdict{action, target}, ok
		}
	}
	return verdict{}, false
}

// scalars lists the words or numbers in a value: of a list each, of anything
// else that is not one, nothing.
func scalars(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case json.Number:
		return []string{v.String()}
	case bool:
		if v {
			return []string{"true"}
		}
		return []string{"false"}
	case []any:
		var out []string
		for _, e := range v {
			out = append(out, scalars(e)...)
		}
		return out
	case map[string]any:
		if list, ok := v["|"]; ok && len(v) == 1 {
			return scalars(list)
		}
	}
	return nil
}
