package firewall

import (
	"fmt"
	"strings"
)

// jsonStmt reads one statement of a rule (libnftables-json(5), STATEMENTS).
func jsonStmt(name string, arg any) stmt {
	if v, ok := jsonVerdict(map[string]any{name: arg}); ok {
		return stmt{kind: decision, verdict: v}
	}
	o, _ := arg.(map[string]any)
	switch name {
	case "match":
		return jsonMatch(o)
	case "vmap":
		return jsonLookup(o)
	case "counter", "log", "dup", "ct timeout", "ct expectation", "ct helper", "last", "secmark", "flow", "comment", "set mark":
		return fixedStmt(yes)
	case "limit", "quota":
		return fixedStmt(either)
	case "ct count": // an ordinary machine has not reached the number; inv: "over"
		if over, _ := o["inv"].(bool); over {
			return fixedStmt(no)
		}
		return fixedStmt(yes)
	case "set", "map": // add or update an element; it may have a limit
		if holds(arg, "limit", 0) || holds(arg, "quota", 0) || holds(arg, "ct count", 0) {
			return fixedStmt(either)
		}
		return fixedStmt(yes)
	case "meter":
		return fixedStmt(either)
	case "notrack":
		return stmt{kind: setsNoTrack}
	case "mangle":
		if fields, _ := jsonFields(o["key"]); len(fields) == 1 && strings.Contains(fields[0], "mark") {
			return stmt{kind: setsMark}
		}
		return fixedStmt(yes)
	case "snat", "dnat", "masquerade", "redirect":
		return decide("accept", "") // ends a chain of type nat
	case "xt":
		return jsonXT(o)
	}
	return stmt{}
}

// jsonXT reads what nft shows of an extension of iptables: at most whether it
// is a match or a target, and its name.
func jsonXT(o map[string]any) stmt {
	kind, _ := o["type"].(string)
	name, _ := o["name"].(string)
	switch kind {
	case "match":
		if name == "comment" {
			return fixedStmt(yes)
		}
		return fixedStmt(opaque)
	case "target":
		return target(name)
	}
	return stmt{}
}

// holds looks for a member of that name anywhere in a value.
func holds(v any, name string, depth int) bool {
	if depth > 16 {
		return true
	}
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if k == name || holds(e, name, depth+1) {
				return true
			}
		}
	case []any:
		for _, e := range v {
			if holds(e, name, depth+1) {
				return true
			}
		}
	}
	return false
}

func jsonMatch(o map[string]any) stmt {
	fields, mask := jsonFields(o["left"])
	if fields == nil {
		return fixedStmt(opaque)
	}
	op, _ := o["op"].(string)
	m := match{fields: fields, mask: mask, op: op}
	right := o["right"]
	if s, ok := right.(string); ok && strings.HasPrefix(s, "@") {
		m.set = s[1:]
		return stmt{kind: condition, match: &m}
	}
	switch op {
	case "==", "!=", "in", "!":
	case "<", ">", "<=", ">=":
		if v := jsonValue(right); len(v) == 1 {
			m.op, m.values = "==", [][]string{{op + v[0]}}
			return stmt{kind: condition, match: &m}
		}
		return fixedStmt(opaque)
	default:
		return fixedStmt(opaque)
	}
	m.values = jsonValues(right, op, fields)
	return stmt{kind: condition, match: &m}
}

// jsonValues reads the right side of a comparison.
func jsonValues(right any, op string, fields []string) [][]string {
	var out [][]string
	switch right := right.(type) {
	case map[string]any:
		if s, ok := right["set"]; ok {
			list, isList := s.([]any)
			if !isList {
				list = []any{s}
			}
			for _, e := range list {
				out = append(out, jsonValue(e))
			}
			return out
		}
	case []any: // flags: any of them, or for == all of them together
		words := scalars(right)
		if op == "in" || op == "!" || len(fields) == 1 && fields[0] == "ct state" {
			for _, word := range words {
				out = append(out, []string{word})
			}
			return out
		}
		return [][]string{{strings.Join(words, "|")}}
	}
	return append(out, jsonValue(right))
}

// jsonLookup reads a verdict map with its keys, or the name of one.
func jsonLookup(o map[string]any) stmt {
	fields, mask := jsonFields(o["key"])
	if fields == nil {
		return stmt{}
	}
	m := match{fields: fields, mask: mask}
	switch data := o["data"].(type) {
	case string:
		m.set = strings.TrimPrefix(data, "@")
	case map[string]any:
		m.elems = jsonElems(data["set"])
	default:
		return stmt{}
	}
	return stmt{kind: lookup, match: &m}
}

// jsonValue reads one value: one part for each field of a concatenation.
func jsonValue(v any) []string {
	o, ok := v.(map[string]any)
	if !ok {
		if list, isList := v.([]any); isList {
			return []string{strings.Join(scalars(list), "|")}
		}
		return scalars(v)
	}
	for name, arg := range o {
		in, _ := arg.(map[string]any)
		list, _ := arg.([]any)
		switch {
		case len(o) != 1:
		case name == "elem":
			return jsonValue(in["val"])
		case name == "prefix":
			return []string{fmt.Sprint(in["addr"], "/", in["len"])}
		case name == "range" && len(list) == 2:
			if lo, hi := scalars(list[0]), scalars(list[1]); len(lo) == 1 && len(hi) == 1 {
				return []string{lo[0] + "-" + hi[0]}
			}
		case name == "|":
			return []string{strings.Join(scalars(list), "|")}
		case name == "concat":
			var out []string
			for _, e := range list {
				if part := jsonValue(e); len(part) == 1 {
					out = append(out, part[0])
				} else {
					out = append(out, "&") // not understood
				}
			}
			return out
		}
	}
	return []string{"&"}
}

// jsonFields names what an expression reads, nil where it is not understood.
func jsonFields(v any) (fields, mask []string) {
	o, ok := v.(map[string]any)
	if !ok || len(o) != 1 {
		return nil, nil
	}
	for name, arg := range o {
		in, _ := arg.(map[string]any)
		list, _ := arg.([]any)
		switch name {
		case "concat":
			for _, e := range list {
				one, m := jsonFields(e)
				if len(one) != 1 || m != nil {
					return nil, nil
				}
				fields = append(fields, one[0])
			}
			return fields, nil
		case "&":
			if len(list) == 2 {
				fields, mask = jsonFields(list[0])
				if words := scalars(list[1]); mask == nil && len(words) > 0 {
					return fields, words
				}
			}
			return nil, nil
		}
		if f := jsonField(name, in); f != "" {
			return []string{f}, nil
		}
	}
	return nil, nil
}

// jsonField names one field as nft(8) writes it.
func jsonField(name string, o map[string]any) string {
	text := func(key string) string { s, _ := o[key].(string); return s }
	switch name {
	case "meta":
		return text("key")
	case "ct":
		if text("dir") != "" {
			return "ct " + text("dir") + " " + text("key")
		}
		return "ct " + text("key")
	case "payload":
		if text("protocol") != "" {
			return strings.TrimPrefix(text("protocol")+" "+text("field"), "meta ")
		}
		return rawField(text("base"), fmt.Sprint(o["offset"]), fmt.Sprint(o["len"]))
	case "fib":
		return "fib " + strings.Join(scalars(o["flags"]), " . ") + " " + text("result")
	case "exthdr":
		return "exthdr"
	case "ipsec", "numgen", "osf", "socket", "rt":
		return name
	}
	return ""
}

// rawField names those raw parts of a packet that are ports.
func rawField(base, offset, length string) string {
	switch base + "," + offset + "," + length {
	case "th,0,16":
		return "th sport"
	case "th,16,16":
		return "th dport"
	}
	return "raw"
}
