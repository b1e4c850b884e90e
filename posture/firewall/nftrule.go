package firewall

import "strings"

// maxStatements bounds one rule; the kernel takes 128 expressions
// (NFT_RULE_MAXEXPRS), and a statement is made of one or more.
const maxStatements = 128

// readRule reads one rule of `nft list ruleset` up to the end of its line.
func readRule(r *reader) []stmt {
	var rule []stmt
	for !r.endOfRule() {
		if len(rule) == maxStatements {
			r.toEnd()
			return append(rule, stmt{})
		}
		rule = append(rule, readStmt(r))
	}
	return rule
}

// readStmt reads one statement (nft(8), STATEMENTS and EXPRESSIONS). A word
// that is not understood is an unknown statement of its own.
func readStmt(r *reader) stmt {
	if r.peek().quoted {
		r.at++
		return stmt{}
	}
	if v, ok := readVerdict(r); ok {
		return stmt{kind: decision, verdict: v}
	}
	switch {
	case r.take("counter"):
		if r.take("name") {
			r.at++
		}
		skipPairs(r, "packets", "bytes")
		return fixedStmt(yes)
	case r.take("log"):
		skipPairs(r, "prefix", "level", "group", "snaplen", "queue-threshold")
		if r.take("flags") {
			skipWords(r, "tcp", "ip", "sequence", "options", "skuid", "ether", "all", ",")
		}
		return fixedStmt(yes)
	case r.take("comment"):
		r.at++
		return fixedStmt(yes)
	case r.take("limit", "quota"):
		readLimit(r)
		return fixedStmt(either)
	case r.take("notrack"):
		return stmt{kind: setsNoTrack}
	case r.take("masquerade", "snat", "dnat", "redirect"):
		r.toEnd()
		return decide("accept", "")
	case r.take("last"):
		skipWords(r, "used", "never")
		return fixedStmt(yes)
	case r.is("add", "update", "delete", "flow", "meter"):
		return readUpdate(r)
	case r.take("xt"):
		return readXT(r)
	case r.is("dup", "fwd", "tproxy", "synproxy", "secmark", "socket"):
		r.at++
		return stmt{}
	}
	return readMatch(r)
}

// toEnd skips the rest of a rule.
func (r *reader) toEnd() {
	for !r.endOfRule() {
		if r.take("{") {
			r.block()
			continue
		}
		r.at++
	}
}

// skipPairs skips words that are followed by a value.
func skipPairs(r *reader, words ...string) {
	for !r.endOfRule() && r.take(words...) {
		r.at++
	}
}

// readLimit skips "rate over 10/second burst 5 packets" or `name "x"`.
func readLimit(r *reader) {
	if r.take("name") {
		r.at++
		return
	}
	r.take("rate")
	r.take("over", "until")
	r.at++ // 10/second, or a number with its unit
	skipWords(r, "bytes", "kbytes", "mbytes", "bytes/second", "kbytes/second", "mbytes/second", "/second", "/minute")
	for !r.endOfRule() && r.take("burst", "used") {
		r.at++
		skipWords(r, "packets", "bytes", "kbytes", "mbytes")
	}
}

// readUpdate skips "add @set { ip saddr limit rate over 3/minute }": with a
// limit inside it holds for some packets, otherwise it changes nothing.
func readUpdate(r *reader) stmt {
	answer := yes
	if r.is("meter") {
		answer = either
	}
	for !r.endOfRule() {
		if r.take("{") {
			start := r.at
			r.block()
			for _, t := range r.list[start:min(r.at, len(r.list))] {
				if t.text == "limit" || t.text == "quota" || t.text == "count" {
					answer = either
				}
			}
			return fixedStmt(answer)
		}
		if r.is("flow") {
			r.at++
			r.take("add", "offload")
			r.at++
			return fixedStmt(yes)
		}
		r.at++
	}
	return fixedStmt(answer)
}

// readXT reads `xt match "conntrack"` and `xt target "LOG"`.
func readXT(r *reader) stmt {
	switch {
	case r.take("match"):
		name := r.next().text
		switch {
		case name == "comment":
			return fixedStmt(yes)
		case ufwsOwn(r.chain, name):
			return fixedStmt(no)
		}
		return fixedStmt(opaque)
	case r.take("target"):
		return target(r.next().text)
	}
	return stmt{}
}

// readMatch reads a comparison, a lookup in a verdict map, or what is set.
func readMatch(r *reader) stmt {
	fields := readFields(r)
	if fields == nil {
		r.at++
		return stmt{}
	}
	m := match{fields: fields, op: "=="}
	if r.take("set") { // meta mark set 1, ip dscp set cs0
		r.toSet()
		if strings.Contains(fields[0], "mark") {
			return stmt{kind: setsMark}
		}
		return fixedStmt(yes)
	}
	if fields[0] == "ct count" {
		over := r.take("over")
		r.at++
		if over {
			return fixedStmt(no)
		}
		return fixedStmt(yes)
	}
	if r.take("vmap") {
		m.elems, m.set = readMap(r)
		return stmt{kind: lookup, match: &m}
	}
	if r.take("&") {
		m.mask = strings.Split(readPart(r), "|")
	}
	readRight(r, &m)
	return stmt{kind: condition, match: &m}
}

// toSet skips the value that a field is set to, up to the next statement.
func (r *reader) toSet() {
	if r.take("meta", "ct") {
		r.at++
	}
	for !r.endOfRule() && !r.is("accept", "drop", "reject", "return", "continue", "jump", "goto", "queue", "counter", "log",
		"comment", "meta", "ct", "limit", "notrack") {
		if r.take("{") {
			r.block()
			continue
		}
		r.at++
	}
}

func readMap(r *reader) ([]elem, string) {
	if r.take("{") {
		elems, err := readElems(r)
		if err != nil {
			return []elem{{key: []string{"&"}}}, ""
		}
		return elems, ""
	}
	return nil, strings.TrimPrefix(r.next().text, "@")
}

// readRight reads operator and values of a comparison.
func readRight(r *reader, m *match) {
	explicit := false
	if r.is("==", "!=", "<", ">", "<=", ">=", "!", "eq", "ne", "lt", "gt", "le", "ge") {
		words := map[string]string{"eq": "==", "ne": "!=", "lt": "<", "gt": ">", "le": "<=", "ge": ">="}
		op := r.next().text
		if long, ok := words[op]; ok {
			op = long
		}
		m.op, explicit = op, true
	}
	switch {
	case r.take("{"):
		elems, err := readElems(r)
		if err != nil {
			m.values = [][]string{{"&"}}
		}
		for _, e := range elems {
			m.values = append(m.values, e.key)
		}
		return
	case strings.HasPrefix(r.peek().text, "@") && !r.peek().quoted:
		m.set = r.next().text[1:]
		return
	}
	m.values = [][]string{readValue(r)}
	listed := false
	for r.take(",") {
		listed = true
		m.values = append(m.values, readValue(r))
	}
	if r.take("/") { // tcp flags syn / fin,syn,rst,ack
		m.values = [][]string{{joined(m.values)}}
		m.mask = []string{readPart(r)}
		for r.take(",") {
			m.mask = append(m.mask, readPart(r))
		}
		return
	}
	if !explicit || listed && m.op == "==" { // flags: any of them
		if flags := m.fields[0] == "tcp flags" || strings.HasPrefix(m.fields[0], "ct stat"); flags {
			m.op = "in"
		}
	}
	if strings.ContainsAny(m.op, "<>") {
		m.values = [][]string{{m.op + joined(m.values)}}
		m.op = "=="
	}
}

func joined(values [][]string) string {
	var words []string
	for _, v := range values {
		words = append(words, v...)
	}
	return strings.Join(words, "|")
}
