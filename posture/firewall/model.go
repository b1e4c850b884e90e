package firewall

// ruleset is what the kernel's packet filter holds, of whatever interface it
// was written with: nftables (nft(8)) or iptables (iptables(8)), whose tables,
// chains and rules are of the same kind.
type ruleset struct {
	tables []*table
	index  map[tableID]*table
}

// tableID names a table. Legacy tables of iptables live beside those of
// nftables, under the same names.
type tableID struct {
	family, name string
	legacy       bool
}

type table struct {
	id       tableID
	dormant  bool // not in force
	doubtful bool // whether it is in force was not said in known words
	compat   bool // has extensions of iptables that were not shown
	chains   map[string]*chain
	order    []string // names of chains as they were listed
	sets     map[string]set
}

// chain is a list of rules. A base chain has a hook, where the kernel hands
// packets to it.
type chain struct {
	name   string
	hook   string
	kind   string // filter, nat, route
	policy string
	prio   int
	known  bool // it was listed, not only jumped to
	rules  [][]stmt
}

// set is a named set or map.
type set struct {
	elems []elem
	// partial: more elements than were listed.
	partial bool
}

type elem struct {
	key     []string // one part for each field of the key
	verdict verdict
}

// stmt is one part of a rule, carried out from left to right: a condition,
// something done beside, or what happens to the packet.
type stmt struct {
	kind    stmtKind
	when    tri    // fixed: how it stands as a condition
	match   *match // condition, lookup
	verdict verdict
}

type stmtKind uint8

const (
	unknownStmt stmtKind = iota // may be a condition or a decision of any kind
	fixed                       // a condition whose answer does not depend on what is known here
	condition
	lookup // a verdict map: decides for the keys that it holds
	decision
	setsMark    // changes a mark that later rules may look at
	setsNoTrack // takes the packet out of connection tracking
)

type verdict struct {
	action string // accept, drop, reject, return, jump, goto, continue, queue
	target string // of jump and goto
}

// match compares fields of a packet with values.
type match struct {
	fields []string // such as "ip saddr"; several of a concatenation
	mask   []string // words or numbers the field is cut down to before it is compared
	op     string   // == in != ! < > <= >=
	values [][]string
	set    string // name of a set that holds the values
	// elems are a verdict map's keys with what becomes of them.
	elems []elem
}

func newRuleset() *ruleset { return &ruleset{index: map[tableID]*table{}} }

// table finds or makes a table.
func (r *ruleset) table(id tableID) *table {
	t, ok := r.index[id]
	if !ok {
		t = &table{id: id, chains: map[string]*chain{}, sets: map[string]set{}}
		r.index[id] = t
		r.tables = append(r.tables, t)
	}
	return t
}

// chain finds or makes a chain.
func (t *table) chain(name string) *chain {
	c, ok := t.chains[name]
	if !ok {
		c = &chain{name: name}
		t.chains[name] = c
		t.order = append(t.order, name)
	}
	return c
}

// add puts another ruleset's tables beside or in place of these.
func (r *ruleset) add(other *ruleset) {
	for _, t := range other.tables {
		if old, ok := r.index[t.id]; ok {
			*old = *t
			continue
		}
		r.index[t.id] = t
		r.tables = append(r.tables, t)
	}
}

// fixedStmt is a condition whose answer is known already.
func fixedStmt(t tri) stmt { return stmt{kind: fixed, when: t} }

// decide is what happens to a packet.
func decide(action, target string) stmt {
	return stmt{kind: decision, verdict: verdict{action, target}}
}

// is compares one field with values.
func is(field, op string, values ...string) stmt {
	m := match{fields: []string{field}, op: op}
	for _, v := range values {
		m.values = append(m.values, []string{v})
	}
	return stmt{kind: condition, match: &m}
}
