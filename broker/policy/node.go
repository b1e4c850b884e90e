package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// file collects what is wrong while the nodes of a file are read. Reading
// goes on after a problem, so that all of them are reported at once.
type file struct {
	problems []Problem

	document        observe.Document // what devices shall read
	reads, products bool             // the file says what to observe, which products to look for
}

func (f *file) bad(n *yaml.Node, where, format string, args ...any) {
	f.problems = append(f.problems, Problem{Line: max(1, n.Line), Where: where, Text: fmt.Sprintf(format, args...)})
}

// pair is one key of a mapping.
type pair struct {
	name       string
	key, value *yaml.Node
}

// pairs lists a mapping in order, without the keys that are there twice.
func (f *file) pairs(n *yaml.Node, where string) []pair {
	if n.Kind != yaml.MappingNode {
		f.bad(n, where, "want keys and values%s", aliasHint(n))
		return nil
	}
	var out []pair
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode {
			f.bad(k, where, "a key must be plain text%s", aliasHint(k))
			continue
		}
		if line, twice := first[k.Value]; twice {
			f.bad(k, where, "key %q is there twice, first in line %d", fact.Clip(k.Value), line)
			continue
		}
		first[k.Value] = k.Line
		out = append(out, pair{k.Value, k, n.Content[i+1]})
	}
	return out
}

// mapping reads a mapping that may have the known keys only.
func (f *file) mapping(n *yaml.Node, where string, known ...string) map[string]*yaml.Node {
	if n.Kind != yaml.MappingNode {
		f.bad(n, where, "want keys and values%s", aliasHint(n))
		return nil
	}
	out := map[string]*yaml.Node{}
	for _, p := range f.pairs(n, where) {
		if !slices.Contains(known, p.name) {
			f.bad(p.key, where, "unknown key %q; known are %s", fact.Clip(p.name), strings.Join(known, ", "))
			continue
		}
		out[p.name] = p.value
	}
	return out
}

func aliasHint(n *yaml.Node) string {
	if n.Kind == yaml.AliasNode {
		return "; anchors and aliases are not used here"
	}
	return ""
}

// need finds a key that must be there.
func (f *file) need(n *yaml.Node, m map[string]*yaml.Node, where, key string) *yaml.Node {
	if m[key] == nil {
		f.bad(n, where, "%s is missing", key)
	}
	return m[key]
}

// list reads a sequence with at least one entry.
func (f *file) list(n *yaml.Node, where string) []*yaml.Node {
	if n.Kind != yaml.SequenceNode {
		f.bad(n, where, "want a list%s", aliasHint(n))
		return nil
	}
	if len(n.Content) == 0 {
		f.bad(n, where, "the list is empty")
	}
	return n.Content
}

// text reads a text of one line that is not empty.
func (f *file) text(n *yaml.Node, where string) string {
	if n == nil {
		return ""
	}
	switch {
	case n.Kind != yaml.ScalarNode || n.Tag != "!!str":
		f.bad(n, where, "want text%s; put quotes around a number or a word such as yes", aliasHint(n))
	case strings.TrimSpace(n.Value) == "":
		f.bad(n, where, "it is empty")
	case len(n.Value) > fact.MaxString:
		f.bad(n, where, "%d bytes, at most %d allowed", len(n.Value), fact.MaxString)
	case strings.ContainsFunc(n.Value, unicode.IsControl):
		f.bad(n, where, "it holds a line break or another control character")
	default:
		return n.Value
	}
	return ""
}

// texts reads a list of texts without repetition.
func (f *file) texts(n *yaml.Node, where string) []string {
	if n == nil {
		return nil
	}
	var out []string
	for i, item := range f.list(n, where) {
		s := f.text(item, at(where, i))
		if s != "" && slices.Contains(out, s) {
			f.bad(item, at(where, i), "%q is there twice", s)
		}
		out = append(out, s)
	}
	return out
}

// word reads one of a few words; without the key it is the first of them.
func (f *file) word(n *yaml.Node, where string, words ...string) string {
	if n == nil {
		return words[0]
	}
	s := f.text(n, where)
	if s != "" && !slices.Contains(words, s) {
		f.bad(n, where, "%q is not one of %s", s, strings.Join(words, ", "))
	}
	return s
}

// port reads a TCP port.
func (f *file) port(n *yaml.Node, where string) int {
	p, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || err != nil || p < 1 || p > 65535 {
		f.bad(n, where, "want a port from 1 to 65535")
		return 0
	}
	return p
}

// duration reads a length of time above zero.
func (f *file) duration(n *yaml.Node, where string) time.Duration {
	if n == nil {
		return 0
	}
	d, err := time.ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || d <= 0 {
		f.bad(n, where, "want a length of time such as 10m or 24h")
		return 0
	}
	return d
}

// date reads 2027-01-01 (its first moment in UTC) or an RFC 3339 time.
func (f *file) date(n *yaml.Node, where string) time.Time {
	if n == nil {
		return time.Time{}
	}
	if n.Kind == yaml.ScalarNode {
		for _, layout := range []string{time.DateOnly, time.RFC3339} {
			if t, err := time.Parse(layout, n.Value); err == nil {
				return t.UTC()
			}
		}
	}
	f.bad(n, where, "want a date such as 2027-01-01 or a time such as 2027-01-01T08:00:00Z")
	return time.Time{}
}

func at(where string, i int) string { return where + "[" + strconv.Itoa(i) + "]" }
