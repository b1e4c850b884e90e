package firewall

import (
	"errors"
	"strings"
)

// parseIPList reads what `iptables -L` prints, with or without -n, -v and line
// numbers: chains with their policy, and rules as a table. Without -v it does
// not show interfaces, so that what looks like a rule for everything may be one
// for loopback alone: no rule then counts for more than perhaps.
func parseIPList(text, family string) (*ruleset, error) {
	out := newRuleset()
	t := out.table(tableID{family: family, name: "filter"})
	bad := errors.New("read rules: a line is not of the form of a list")
	rows, err := listChains(text, t)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		rule, ok := t.listRule(row)
		if !ok {
			return nil, bad
		}
		row.chain.rules = append(row.chain.rules, rule)
	}
	if len(t.order) == 0 {
		return nil, bad
	}
	return out, nil
}

// listRow is one line of a chain's table.
type listRow struct {
	chain   *chain
	words   []string
	verbose bool
}

// listChains reads the chains and gathers their lines: a jump can only be told
// from a target when all chains are known.
func listChains(text string, t *table) ([]listRow, error) {
	var rows []listRow
	var c *chain
	headed, verbose := false, false
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0][0] == '#':
			continue
		case words[0] == "Chain" && len(words) > 2:
			c, headed = t.listChain(words), false
			continue
		case c == nil:
			return nil, errors.New("read rules: something stands before the first chain")
		case !headed:
			_, at := column(words, "target")
			_, in := column(words, "in")
			if !at {
				return nil, errors.New("read rules: a chain has no head")
			}
			headed, verbose = true, in
			continue
		}
		rows = append(rows, listRow{c, words, verbose})
	}
	if c != nil && !headed {
		return nil, errors.New("read rules: they end in the middle")
	}
	return rows, nil
}

func column(words []string, name string) (int, bool) {
	for i, w := range words {
		if w == name {
			return i, true
		}
	}
	return 0, false
}

// listChain reads "Chain INPUT (policy DROP 0 packets, 0 bytes)".
func (t *table) listChain(words []string) *chain {
	policy := "-"
	if words[2] == "(policy" && len(words) > 3 {
		policy = strings.TrimRight(words[3], ")")
	}
	t.ipChain(words[1], policy)
	return t.chain(words[1])
}

// listRule reads one line by the place of its option column, which is one of
// four marks: before it protocol and target, if there is one, after it
// interfaces, addresses, and what modules say.
func (t *table) listRule(row listRow) ([]stmt, bool) {
	words := row.words
	at := -1
	for i, w := range words {
		if i > 0 && (w == "--" || w == "-f" || w == "!f" || w == "!-f") {
			at = i
			break
		}
	}
	columns := 2
	if row.verbose {
		columns = 4
	}
	if at < 0 {
		words, at = withOption(words, columns)
	}
	if at < 1 || len(words) < at+1+columns {
		return nil, false
	}
	a := &args{family: t.id.family, table: t}
	proto, rest := words[at-1], words[at+1:]
	a.listed("l4proto", proto, protocolName)
	switch words[at] {
	case "-f":
		a.add(fixedStmt(no))
	}
	if row.verbose {
		a.listed("iifname", rest[0], listInterface)
		rest = rest[2:]
	} else {
		a.add(fixedStmt(opaque))
	}
	a.listed(a.family+" saddr", rest[0], listAddress(a.family))
	a.listed(a.family+" daddr", rest[1], listAddress(a.family))
	gone := a.details(rest[2:])
	name, ok := "", at >= 2
	if ok {
		name = words[at-2]
	}
	if !ok || isCount(name) { // no target: the rule only counts
		return a.rule, true
	}
	action := "jump"
	if gone {
		action = "goto"
	}
	a.add(t.to(action, name, nil))
	return a.rule, true
}

// withOption puts the mark of the option column where it is left empty, as
// ip6tables does: so far before the two addresses as there are interfaces.
func withOption(words []string, columns int) ([]string, int) {
	isAddress := func(w string) bool { return w == "anywhere" || strings.Contains(w, ":") && strings.Contains(w, "/") }
	for i := columns - 1; i+1 < len(words); i++ {
		if isAddress(words[i]) && isAddress(words[i+1]) {
			at := i - (columns - 2)
			out := append([]string{}, words[:at]...)
			return append(append(out, "--"), words[at:]...), at
		}
	}
	return words, -1
}

// isCount is true of a number of packets or bytes, such as 769 or 197K.
func isCount(word string) bool {
	return word != "" && word[0] >= '0' && word[0] <= '9'
}

// listed adds a column's condition, which a ! may invert.
func (a *args) listed(field, word string, clean func(string) string) {
	op := "=="
	if inner, ok := strings.CutPrefix(word, "!"); ok {
		word, op = inner, "!="
	}
	a.add(is(field, op, clean(word)))
}

func listInterface(word string) string {
	if word == "any" || word == "*" {
		return "*"
	}
	return strings.Replace(word, "+", "*", 1)
}

// listAddress makes an address of a column: "anywhere" is all of them, and a
// host's name, which only the lookup of names printed, is some one host.
func listAddress(family string) func(string) string {
	return func(word string) string {
		all, one := "0.0.0.0/0", "192.0.2.1"
		if family == "ip6" {
			all, one = "::/0", "2001:db8::1"
		}
		if word == "anywhere" {
			return all
		}
		if _, _, ok := bounds(word, family == "ip"); ok || strings.Contains(word, "/") && isCount(word) {
			return word
		}
		return one
	}
}

// details reads what the modules of a rule print after the addresses, and
// tells whether the rule goes to its chain for good. What is not understood
// makes the rule one that perhaps applies.
func (a *args) details(words []string) (gone bool) {
	a.words, a.at = words, 0
	for a.at < len(a.words) {
		word := a.next()
		inverted := false
		if word == "!" {
			inverted, word = true, a.next()
		}
		switch {
		case word == "[goto]":
			gone = true
		case word == "reject-with", word == "LOG", word == "NFLOG", word == "ULOG", word == "MARK", word == "CONNMARK":
			a.at = len(a.words) // what a target prints stands last
		case word == "/*":
			for a.at < len(a.words) && a.next() != "*/" {
			}
		case inverted:
			a.add(fixedStmt(opaque))
		default:
			a.detail(word)
		}
	}
	return gone
}

func (a *args) detail(word string) {
	field, value, ok := strings.Cut(word, ":")
	op := "=="
	if inner, inverted := strings.CutPrefix(value, "!"); inverted {
		value, op = inner, "!="
	}
	switch {
	case ok && (field == "dpt" || field == "dpts"):
		a.words[a.at-1] = value
		a.at--
		a.ports("th dport", op)
	case ok && (field == "spt" || field == "spts"):
		a.words[a.at-1] = value
		a.at--
		a.ports("th sport", op)
	case word == "dports":
		a.ports("th dport", "==")
	case word == "sports":
		a.ports("th sport", "==")
	case word == "tcp", word == "udp", word == "multiport", word == "match":
	case word == "ctstate", word == "state":
		a.add(ctWords("ct state", "==", a.next()))
	case word == "ADDRTYPE":
	case word == "dst-type":
		a.add(is("fib daddr type", "==", strings.Split(strings.ToLower(a.next()), ",")...))
	case word == "src-type":
		a.add(is("fib saddr type", "==", strings.Split(strings.ToLower(a.next()), ",")...))
	case word == "icmptype", word == "icmp", word == "ipv6-icmptype", word == "ipv6-icmp", word == "MAC", word == "match-set":
		a.at = len(a.words)
		a.add(fixedStmt(no))
	case word == "limit:":
		skipTo := map[string]bool{"avg": true, "burst": true}
		for a.at < len(a.words) && skipTo[a.words[a.at]] {
			a.at += 2
		}
		a.add(fixedStmt(either))
	default:
		a.add(fixedStmt(opaque))
	}
}
