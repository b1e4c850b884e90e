package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/postern-zt/postern/posture/fact"
)

// entry is one key of a mapping with its value.
type entry struct {
	key, value *yaml.Node
	where      string // "edr_catalogue[0].name"
}

// document walks one YAML document and collects what is wrong with it.
type document struct {
	file     string
	problems []Problem
}

func (d *document) wrong(line int, key, hint, format string, args ...any) {
	d.problems = append(d.problems, Problem{File: d.file, Line: line, Key: key, Text: fmt.Sprintf(format, args...), Hint: hint})
}

// parse gives the top mapping of a file that holds one document; nil when it is
// empty or wrong.
func (d *document) parse(data []byte) *yaml.Node {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		line, what := yamlError(err)
		d.wrong(line, "", "mind the indentation and put quotes around text with a colon", "not YAML (%s)", what)
		return nil
	}
	var more yaml.Node
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		d.wrong(0, "", "remove everything from the line --- on", "more than one document")
		return nil
	}
	if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
		return nil
	}
	return doc.Content[0]
}

// yamlError gives the line and what the parser says, without what it quotes of
// the file: that could be a part of a secret.
func yamlError(err error) (line int, what string) {
	what = strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(what, "line "); ok {
		number, text, _ := strings.Cut(rest, ": ")
		if n, err := strconv.Atoi(number); err == nil {
			line, what = n, text
		}
	}
	what, _, _ = strings.Cut(what, "'")
	return line, strings.TrimSpace(what)
}

// mapping gives the entries of n by key, refusing what is not known or there twice.
func (d *document) mapping(n *yaml.Node, where string, known ...string) map[string]entry {
	if n.Kind != yaml.MappingNode {
		d.wrong(n.Line, where, "write it as key: value", "this is not a mapping")
		return nil
	}
	out := map[string]entry{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		name := shownKey(k.Value)
		path := name
		if where != "" {
			path = where + "." + name
		}
		if !slices.Contains(known, k.Value) || k.Kind != yaml.ScalarNode {
			d.wrong(k.Line, path, "use one of "+strings.Join(known, ", "), "no such key")
			continue
		}
		if first, twice := out[k.Value]; twice {
			d.wrong(k.Line, path, "remove one", "already set in line %d", first.key.Line)
			continue
		}
		out[k.Value] = entry{k, v, path}
	}
	return out
}

// shownKey is the name of a key as problems name it. Whoever puts a token where
// a key belongs must not find it in what everybody on the computer is told:
// brokers take tokens of 16 characters or more, and keys of that length are
// lower-case words.
func shownKey(name string) string {
	word := func(c rune) bool { return c == '_' || c >= 'a' && c <= 'z' }
	if len(name) < 16 || !strings.ContainsFunc(name, func(c rune) bool { return !word(c) }) {
		return fact.Clip(name)
	}
	return "(a long name)"
}

// text gives the string of a scalar.
func (d *document) text(e entry) (string, bool) {
	if e.value.Kind == yaml.ScalarNode && e.value.Tag == "!!str" {
		return e.value.Value, true
	}
	d.wrong(e.key.Line, e.where, "put the value in quotes", "this is not text")
	return "", false
}

// list gives the items of a sequence.
func (d *document) list(e entry) []*yaml.Node {
	if e.value.Kind != yaml.SequenceNode {
		d.wrong(e.key.Line, e.where, "begin each entry with a dash", "this is not a list")
		return nil
	}
	return e.value.Content
}

// texts gives the strings of a sequence of scalars.
func (d *document) texts(e entry) []string {
	var out []string
	for i, n := range d.list(e) {
		if text, ok := d.text(entry{key: n, value: n, where: fmt.Sprintf("%s[%d]", e.where, i)}); ok {
			out = append(out, text)
		}
	}
	return out
}
