package firewall

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// parseNFTText reads what `nft list ruleset` prints (nft(8)). No output at all
// is a ruleset without tables. Text that stops in the middle is refused.
func parseNFTText(text string) (*ruleset, error) {
	r := &reader{list: tokens(text)}
	out := newRuleset()
	for {
		r.breaks()
		switch {
		case r.ended():
			return out, nil
		case r.take("table"):
			if err := readTable(r, out); err != nil {
				return nil, err
			}
		default:
			return nil, errors.New("read ruleset: something else than a table")
		}
	}
}

var errCut = errors.New("read ruleset: it ends in the middle")

func readTable(r *reader, out *ruleset) error {
	family := "ip"
	if r.is("ip", "ip6", "inet", "arp", "bridge", "netdev") {
		family = r.next().text
	}
	t := out.table(tableID{family: family, name: r.next().text})
	if !r.take("{") {
		return errors.New("read ruleset: a table without a body")
	}
	for {
		r.breaks()
		switch {
		case r.ended():
			return errCut
		case r.take("}"):
			return nil
		case r.take("chain"):
			if err := readChain(r, t); err != nil {
				return err
			}
		case r.take("set", "map"):
			if err := readSet(r, t); err != nil {
				return err
			}
		case r.take("flags"):
			for !r.endOfRule() {
				t.dormant = t.dormant || r.next().text == "dormant"
			}
		default: // flowtable, counter, quota, limit, ct helper, comment
			if err := skipObject(r); err != nil {
				return err
			}
		}
	}
}

// skipObject passes over what is not needed: a line, with a body in braces.
func skipObject(r *reader) error {
	for !r.endOfRule() {
		if r.take("{") {
			r.block()
			if r.ended() {
				return errCut
			}
			return nil
		}
		r.at++
	}
	return nil
}

func readChain(r *reader, t *table) error {
	c := t.chain(r.next().text)
	c.known = true
	if !r.take("{") {
		return errors.New("read ruleset: a chain without a body")
	}
	for {
		r.breaks()
		switch {
		case r.ended():
			return errCut
		case r.take("}"):
			return nil
		case r.is("type") && r.at+2 < len(r.list) && r.list[r.at+2].text == "hook":
			readBase(r, c)
		case r.take("policy"):
			c.policy = r.next().text
		case r.is("comment", "devices", "flags"):
			if err := skipObject(r); err != nil {
				return err
			}
		default:
			start := r.at
			r.chain = c.name
			c.rules = append(c.rules, readRule(r))
			t.compat = t.compat || slices.Contains(r.list[start:min(r.at, len(r.list))], token{text: "xt"})
		}
	}
}

// readBase reads "type filter hook input priority filter + 10;".
func readBase(r *reader, c *chain) {
	r.at++
	c.kind = r.next().text
	r.at++
	c.hook = r.next().text
	for !r.endOfRule() {
		if r.take("{") {
			r.block()
			continue
		}
		if r.take("priority") {
			c.prio = readPriority(r)
			continue
		}
		r.at++
	}
}

// readPriority reads a number, or a name with an offset. The names' numbers are
// those of nft(8), table "Standard priority names".
func readPriority(r *reader) int {
	names := map[string]int{"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
	prio, sign := 0, 1
	for !r.endOfRule() {
		word := r.next().text
		n, err := strconv.Atoi(word)
		switch {
		case word == "-":
			sign = -1
		case word == "+":
			sign = 1
		case err == nil:
			prio += sign * n
		default:
			prio += names[word]
		}
	}
	return prio
}

// readSet reads a named set or map with its elements.
func readSet(r *reader, t *table) error {
	name := r.next().text
	s := set{}
	if !r.take("{") {
		return errors.New("read ruleset: a set without a body")
	}
	for {
		r.breaks()
		switch {
		case r.ended():
			return errCut
		case r.take("}"):
			t.sets[name] = s
			return nil
		case r.take("elements"):
			r.take("=")
			if !r.take("{") {
				return errors.New("read ruleset: elements without a list")
			}
			elems, err := readElems(r)
			if err != nil {
				return err
			}
			s.elems = append(s.elems, elems...)
		default:
			if err := skipObject(r); err != nil {
				return err
			}
		}
	}
}

// readElems reads elements up to the closing brace: values, each perhaps with
// a verdict, and with what is kept beside it (timeout, counter, comment).
func readElems(r *reader) ([]elem, error) {
	var out []elem
	for {
		for r.take("\n", ",") {
		}
		switch {
		case r.ended():
			return nil, errCut
		case r.take("}"):
			return out, nil
		}
		out = append(out, readElem(r))
	}
}

func readElem(r *reader) elem {
	e := elem{key: readValue(r)}
	for !r.ended() && !r.is(",", "}") {
		switch {
		case r.take("\n"):
		case r.take(":"):
			for r.take("\n") {
			}
			if v, ok := readVerdict(r); ok {
				e.verdict = v
			}
		case r.take("{"):
			r.block()
		default:
			r.at++
		}
	}
	return e
}

// readVerdict reads what happens to a packet.
func readVerdict(r *reader) (verdict, bool) {
	switch {
	case r.is("accept", "drop", "return", "continue"):
		return verdict{action: r.next().text}, true
	case r.is("jump", "goto"):
		action := r.next().text
		return verdict{action, r.next().text}, true
	case r.take("reject"):
		if r.take("with") {
			skipWords(r, "icmp", "icmpv6", "icmpx", "tcp", "type", "reset")
			if !r.endOfRule() && !r.is("comment") {
				r.at++ // port-unreachable and the like
			}
		}
		return verdict{action: "reject"}, true
	case r.take("queue"):
		for !r.endOfRule() && !r.is("comment") {
			r.at++
		}
		return verdict{action: "queue"}, true
	}
	return verdict{}, false
}

func skipWords(r *reader, words ...string) {
	for !r.endOfRule() && r.take(words...) {
	}
}

// readValue reads one value, with a part for each field of a concatenation
// ("10.0.0.1 . 22").
func readValue(r *reader) []string {
	parts := []string{readPart(r)}
	for r.take(".") {
		parts = append(parts, readPart(r))
	}
	return parts
}

// readPart reads a word, or words joined by | in parentheses or without.
func readPart(r *reader) string {
	if r.take("(") {
		var words []string
		for !r.ended() && !r.take(")") {
			if w := r.next(); w.text != "|" {
				words = append(words, w.text)
			}
		}
		return strings.Join(words, "|")
	}
	word := r.next().text
	for r.take("|") {
		word += "|" + r.next().text
	}
	return word
}
