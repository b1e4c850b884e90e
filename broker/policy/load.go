package policy

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile is the largest policy file in bytes.
const maxFile = 1 << 20

// Problem is one thing wrong with a file.
type Problem struct {
	Line  int    // from 1
	Where string // such as checks.disk.expr
	Text  string // the reason
}

// LoadError is everything wrong with a file. Nothing of such a file counts.
type LoadError struct {
	File     string
	Problems []Problem // by line
}

// Error prints "file:line: where: reason", one problem per line.
func (e *LoadError) Error() string {
	lines := make([]string, 0, len(e.Problems))
	for _, p := range e.Problems {
		lines = append(lines, fmt.Sprintf("%s:%d: %s: %s", e.File, p.Line, p.Where, p.Text))
	}
	return strings.Join(lines, "\n")
}

// Load reads a policy file, whole or not at all. name is for messages. The
// error is a *LoadError with all problems of the file.
func Load(name string, data []byte) (*Policy, error) {
	f := &file{}
	p := f.policy(data)
	if len(f.problems) > 0 {
		slices.SortStableFunc(f.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
		return nil, &LoadError{File: name, Problems: f.problems}
	}
	return p, nil
}

func (f *file) policy(data []byte) *Policy {
	root := f.parse(data)
	if root == nil {
		return nil
	}
	s, err := newSchema()
	if err != nil {
		f.bad(root, "file", "%s", err)
		return nil
	}
	sum := sha256.Sum256(data)
	p := &Policy{hash: hex.EncodeToString(sum[:]), schema: s}
	top := f.mapping(root, "file", "version", "providers", "observations", "checks", "apps", "exceptions")
	if top == nil {
		return nil
	}
	if v := f.need(root, top, "file", "version"); v != nil && (v.Tag != "!!int" || v.Value != "1") {
		f.bad(v, "version", "only version 1 is known")
	}
	if n := f.need(root, top, "file", "providers"); n != nil {
		p.providers = f.providers(n)
	}
	if n := top["observations"]; n != nil {
		p.observations = f.observations(n)
		f.document = p.observations
	}
	if n := top["checks"]; n != nil {
		p.checks = f.checks(n, s)
	}
	if n := f.need(root, top, "file", "apps"); n != nil {
		p.apps = f.apps(n, p.checks)
	}
	if n := top["exceptions"]; n != nil {
		p.exceptions = f.exceptions(n, p.checks)
	}
	for _, c := range p.checks {
		if c.expr != nil {
			p.literals = append(p.literals, c.expr.literals...)
		}
	}
	p.literals = dedupe(p.literals)
	return p
}

func dedupe(keys []literalKey) []literalKey {
	slices.SortFunc(keys, func(a, b literalKey) int {
		return cmp.Or(strings.Compare(a.group, b.group), strings.Compare(a.key, b.key))
	})
	return slices.Compact(keys)
}

var yamlLine = regexp.MustCompile(`line (\d+): (.*)`)

// parse gives the one document of the file.
func (f *file) parse(data []byte) *yaml.Node {
	if len(data) > maxFile {
		f.problems = append(f.problems, Problem{1, "file", fmt.Sprintf("%d bytes, at most %d allowed", len(data), maxFile)})
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	err := dec.Decode(&doc)
	if err == nil {
		if err = dec.Decode(&second); err == nil {
			f.bad(&second, "file", "a second document begins here; one file is one policy")
			return nil
		}
	} else if errors.Is(err, io.EOF) {
		f.problems = append(f.problems, Problem{1, "file", "it is empty"})
		return nil
	}
	if !errors.Is(err, io.EOF) {
		p := Problem{1, "file", "not YAML: " + oneLine(err.Error())}
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
			p.Line, _ = strconv.Atoi(m[1])
			p.Text = "not YAML: " + oneLine(m[2])
		}
		f.problems = append(f.problems, p)
		return nil
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		f.bad(&doc, "file", "it is empty")
		return nil
	}
	return doc.Content[0]
}
