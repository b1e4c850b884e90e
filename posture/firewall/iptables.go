package firewall

import (
	"errors"
	"strings"
)

// parseIPTables reads what iptables-save and ip6tables-save print, or
// `iptables -S`, which leaves out what table it is of (iptables(8): filter).
// family is ip or ip6. No output at all is a ruleset without tables.
func parseIPTables(text, family string, legacy bool) (*ruleset, error) {
	out := newRuleset()
	id := tableID{family: family, legacy: legacy}
	open := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		var ok bool
		switch {
		case line == "" || line[0] == '#':
			continue
		case line[0] == '*':
			id.name, open, ok = line[1:], true, !open
			out.table(id)
		case line == "COMMIT":
			ok, open = open, false
		default:
			if id.name == "" {
				id.name = "filter"
			}
			ok = out.table(id).ipLine(line)
		}
		if !ok {
			return nil, errors.New("read rules: a line is not of the form of iptables")
		}
	}
	if open {
		return nil, errors.New("read rules: they end in the middle of a table")
	}
	return out, nil
}

// ipLine reads one line: ":CHAIN POLICY [0:0]", "-P CHAIN POLICY", "-N CHAIN"
// or "-A CHAIN …", which counters may stand before.
func (t *table) ipLine(line string) bool {
	if line[0] == '[' {
		_, rest, ok := strings.Cut(line, "] ")
		if !ok {
			return false
		}
		line = rest
	}
	words, ok := shellWords(line)
	if !ok || len(words) < 2 {
		return false
	}
	switch {
	case strings.HasPrefix(words[0], ":"):
		t.ipChain(words[0][1:], words[1])
	case words[0] == "-P":
		if len(words) < 3 {
			return false
		}
		t.ipChain(words[1], words[2])
	case words[0] == "-N":
		t.ipChain(words[1], "-")
	case words[0] == "-A":
		c := t.chain(words[1])
		if !c.known {
			t.ipChain(words[1], "-")
		}
		c.rules = append(c.rules, t.ipRule(words[2:]))
	default:
		return false
	}
	return true
}

// ipChain notes a chain. The chains that packets come to by themselves have a
// policy, and a priority that their table gives them (netfilter's
// nf_ip_hook_priorities).
func (t *table) ipChain(name, policy string) {
	c := t.chain(name)
	c.known = true
	if policy == "-" {
		return
	}
	c.policy, c.kind = strings.ToLower(policy), "filter"
	c.hook = strings.ToLower(name)
	switch t.id.name {
	case "raw":
		c.prio = -300
	case "mangle":
		c.prio = -150
	case "nat":
		c.kind = "nat"
	case "security":
		c.prio = 50
	}
}

// shellWords cuts a line into words; a word in double quotes may hold spaces
// and characters behind backslashes.
func shellWords(line string) ([]string, bool) {
	var words []string
	var word strings.Builder
	inside, started := false, false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '\\' && inside && i+1 < len(line):
			i++
			word.WriteByte(line[i])
		case c == '"':
			inside, started = !inside, true
		case !inside && (c == ' ' || c == '\t'):
			if started {
				words = append(words, word.String())
			}
			word.Reset()
			started = false
		default:
			word.WriteByte(c)
			started = true
		}
	}
	if started {
		words = append(words, word.String())
	}
	return words, !inside
}

// args goes through the words of one rule.
type args struct {
	words  []string
	at     int
	family string
	table  *table
	rule   []stmt
}

func (a *args) next() string {
	if a.at >= len(a.words) {
		return ""
	}
	a.at++
	return a.words[a.at-1]
}

// ipRule reads the words of a rule after its chain.
func (t *table) ipRule(words []string) []stmt {
	a := &args{words: words, family: t.id.family, table: t}
	for a.at < len(a.words) {
		inverted := false
		word := a.next()
		if word == "!" {
			inverted, word = true, a.next()
		}
		op := "=="
		if inverted {
			op = "!="
		}
		switch word {
		case "-j", "--jump":
			a.jump("jump")
		case "-g", "--goto":
			a.jump("goto")
		case "-m", "--match":
			a.module(a.next())
		default:
			a.option(word, op)
		}
	}
	return a.rule
}

func (a *args) add(s stmt) { a.rule = append(a.rule, s) }

// jump reads where packets go: a target's name in capitals, or a chain. What
// follows is the target's own.
func (a *args) jump(action string) {
	name := a.next()
	rest := a.words[a.at:]
	a.at = len(a.words)
	a.add(a.table.to(action, name, rest))
}

// to is what -j and -g do: a chain of this name goes before a target.
func (t *table) to(action, name string, options []string) stmt {
	chain := t.chains[name]
	switch {
	case action == "goto", chain != nil && chain.known:
		return decide(action, name)
	case name == "CT":
		return trackingTarget(options)
	case name == "SYNPROXY" || name == "TPROXY":
		return stmt{}
	case target(name).kind != unknownStmt:
		return target(name)
	}
	return decide(action, name)
}

// trackingTarget is CT, which may take packets out of connection tracking.
func trackingTarget(options []string) stmt {
	for _, o := range options {
		if o == "--notrack" {
			return stmt{kind: setsNoTrack}
		}
	}
	return fixedStmt(yes)
}

// option reads one option of a rule with its values.
func (a *args) option(word, op string) {
	ip := a.family
	switch word {
	case "-s", "--source", "--src":
		a.add(is(ip+" saddr", op, strings.Split(a.next(), ",")...))
	case "-d", "--destination", "--dst":
		a.add(is(ip+" daddr", op, strings.Split(a.next(), ",")...))
	case "-i", "--in-interface":
		a.add(is("iifname", op, strings.Replace(a.next(), "+", "*", 1)))
	case "-o", "--out-interface":
		a.add(is("oifname", op, a.next()))
	case "-p", "--protocol":
		a.add(is("l4proto", op, protocolName(a.next())))
	case "-f", "--fragment":
		a.add(fixedStmt(invert(no, op)))
	case "-c", "--set-counters":
		a.at += 2
	case "--sport", "--source-port", "--sports", "--source-ports":
		a.ports("th sport", op)
	case "--dport", "--destination-port", "--dports", "--destination-ports":
		a.ports("th dport", op)
	case "--syn":
		a.add(stmt{kind: condition, match: &match{fields: []string{"tcp flags"}, mask: []string{"fin", "syn", "rst", "ack"}, op: op, values: [][]string{{"syn"}}}})
	case "--tcp-flags":
		mask, want := a.next(), a.next()
		a.add(stmt{kind: condition, match: &match{fields: []string{"tcp flags"}, mask: flagWords(mask), op: op, values: [][]string{{strings.Join(flagWords(want), "|")}}}})
	default:
		a.extension(word, op)
	}
}

func invert(t tri, op string) tri {
	if op == "!=" {
		return not(t)
	}
	return t
}

func flagWords(list string) []string { return strings.Split(strings.ToLower(list), ",") }

// protocolName is a protocol as protocolIs knows it; 0 stands for all.
func protocolName(name string) string {
	if name == "0" || name == "ip" {
		return "all"
	}
	return strings.ToLower(name)
}

// ports reads "22", "1024:65535" or "80,443,1000:2000".
func (a *args) ports(field, op string) {
	var values []string
	for _, v := range strings.Split(a.next(), ",") {
		from, to, ranged := strings.Cut(v, ":")
		if ranged {
			if from == "" {
				from = "0"
			}
			if to == "" {
				to = "65535"
			}
			v = from + "-" + to
		}
		values = append(values, v)
	}
	a.add(is(field, op, values...))
}
