package machine

import "golang.org/x/sys/unix"

// translation makes of the expressions of one rule, which load parts of a
// packet into registers and compare these, statements as nft(8) lists them.
type translation struct {
	reader *nftReader
	family uint8
	table  string
	regs   [20]register
	proto  byte  // transport protocol that the rule has asked for
	ip     uint8 // IP version that the rule has asked for
	lower  *pending
	out    []any
}

// register is what lies in 4 bytes of the machine's registers and on.
type register struct {
	left any // as in JSON; nil: not known
	kind valueKind
	size int // bytes
	mask []byte
	// parts are the fields of a header that were loaded at once, one right
	// after the other; left is not set then.
	parts []register
	// ignored: a mask takes all of this part away.
	ignored bool
}

// pending is "at least" of a comparison that "at most" may follow.
type pending struct {
	reg  int
	data []byte
}

func (t *translation) add(statement any) { t.out = append(t.out, statement) }

// flush writes a comparison that was held back.
func (t *translation) flush() {
	if t.lower != nil {
		p := t.lower
		t.lower = nil
		t.compare(p.reg, ">=", p.data, nil)
	}
}

// slot is where a register begins, in units of 4 bytes: four of 16 bytes, or
// sixteen of 4 from number 8 on.
func slot(number uint32) int {
	switch {
	case number >= 1 && number <= 4:
		return int(number-1) * 4
	case number >= 8 && number < 24:
		return int(number - 8)
	}
	return 19 // never loaded
}

func (t *translation) load(number uint32, r register) {
	for i := slot(number); i < min(slot(number)+(max(r.size, 1)+3)/4, 19); i++ {
		t.regs[i] = register{}
	}
	if at := slot(number); at < 19 {
		t.regs[at] = r
	}
}

// expression translates one expression (linux/netfilter/nf_tables.h).
func (t *translation) expression(name string, a attributes) {
	if name != "cmp" {
		t.flush()
	}
	switch name {
	case "immediate":
		if v := nftVerdict(a.get(unix.NFTA_IMMEDIATE_DATA)); v != nil {
			t.add(v)
			return
		}
		t.load(a.number(unix.NFTA_IMMEDIATE_DREG), register{size: 16})
	case "meta":
		t.meta(a)
	case "ct":
		t.ct(a)
	case "payload":
		t.payload(a)
	case "fib":
		t.fib(a)
	case "exthdr":
		t.exthdr(a)
	case "bitwise":
		t.bitwise(a)
	case "byteorder":
		r := t.regs[slot(a.number(unix.NFTA_BYTEORDER_SREG))]
		if r.kind == hostNumber {
			r.kind = number
		}
		t.load(a.number(unix.NFTA_BYTEORDER_DREG), r)
	case "cmp":
		t.cmp(a)
	case "range":
		op := "=="
		if a.number(unix.NFTA_RANGE_OP) == unix.NFT_RANGE_NEQ {
			op = "!="
		}
		t.compare(slot(a.number(unix.NFTA_RANGE_SREG)), op, a.get(unix.NFTA_RANGE_FROM_DATA).get(unix.NFTA_DATA_VALUE), a.get(unix.NFTA_RANGE_TO_DATA).get(unix.NFTA_DATA_VALUE))
	case "lookup":
		t.lookup(a)
	case "match":
		t.xtMatch(a.text(unix.NFTA_MATCH_NAME), a.number(unix.NFTA_MATCH_REV), a.get(unix.NFTA_MATCH_INFO))
	case "target":
		t.xtTarget(a.text(unix.NFTA_TARGET_NAME), a.get(unix.NFTA_TARGET_INFO))
	default:
		t.statement(name, a)
	}
}

// statement translates an expression that compares nothing.
func (t *translation) statement(name string, a attributes) {
	const dynExpressions = 10 // NFTA_DYNSET_EXPRESSIONS
	switch name {
	case "counter", "log", "reject", "limit", "quota", "notrack", "queue", "tproxy", "synproxy", "dup", "fwd", "last":
		t.add(object{name: nil})
	case "masq", "nat", "redir":
		t.add(object{"masquerade": nil})
	case "flow_offload":
		t.add(object{"flow": nil})
	case "connlimit":
		const inverted = 1 // NFT_CONNLIMIT_F_INV
		t.add(object{"ct count": object{"inv": a.number(2)&inverted != 0}})
	case "dynset":
		set := object{"op": "update"}
		if a.get(unix.NFTA_DYNSET_EXPR) != nil || a.get(dynExpressions) != nil {
			set["limit"] = "or another condition"
		}
		t.add(object{"set": set})
	case "objref":
		kinds := map[uint32]string{1: "counter", 2: "quota", 3: "ct helper", 4: "limit", 7: "ct timeout", 8: "secmark", 9: "ct expectation"}
		if kind, ok := kinds[a.number(unix.NFTA_OBJREF_IMM_TYPE)]; ok {
			t.add(object{kind: nil})
			return
		}
		t.add(object{"unknown": "objref"})
	case "numgen":
		t.load(a.number(unix.NFTA_NG_DREG), register{left: object{"numgen": object{}}, kind: hostNumber, size: 4})
	case "rt", "osf", "hash", "socket", "tunnel", "xfrm": // load something that is not told
		t.regs = [20]register{}
	default:
		t.regs = [20]register{}
		t.add(object{"unknown": name})
	}
}

func (t *translation) lookup(a attributes) {
	reg := slot(a.number(unix.NFTA_LOOKUP_SREG))
	s := t.reader.elements(setID{t.family, t.table, a.text(unix.NFTA_LOOKUP_SET)})
	if s == nil {
		t.add(object{"unknown": "lookup"})
		return
	}
	values := t.contents(s, reg)
	left := t.operand(reg, s.keyLen)
	dreg, maps := a.be32(unix.NFTA_LOOKUP_DREG)
	if s.verdicts && maps && dreg == 0 { // NFT_REG_VERDICT
		t.add(object{"vmap": object{"key": left, "data": values}})
		return
	}
	op := "=="
	if a.number(unix.NFTA_LOOKUP_FLAGS)&unix.NFT_LOOKUP_F_INV != 0 {
		op = "!="
	}
	if maps {
		t.load(dreg, register{size: 16})
	}
	t.add(object{"match": object{"op": op, "left": left, "right": values}})
}

// contents is what a set holds: of an unnamed one its elements, of a named one
// its name, the elements standing once beside the rules. What a key is made of
// shows at the first rule that looks it up.
func (t *translation) contents(s *nftSet, reg int) any {
	if s.told {
		return "@" + s.id.name
	}
	list := make([]any, 0, len(s.elems))
	for _, e := range s.elems {
		var v any = "*"
		if !e.any {
			v = t.value(reg, e.key, e.end)
		}
		if s.verdicts {
			v = []any{v, e.verdict}
		}
		list = append(list, v)
	}
	if s.unnamed && !s.partial {
		return object{"set": list}
	}
	s.told = true
	kind := "set"
	if s.verdicts {
		kind = "map"
	}
	family, _ := nftFamily(s.id.family)
	t.reader.list = append(t.reader.list, object{kind: object{"family": family, "table": s.id.table, "name": s.id.name, "partial": s.partial, "elem": list}})
	return "@" + s.id.name
}
