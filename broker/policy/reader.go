package policy

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/posture/fact"
)

// reader finds out what a checked expression reads.
type reader struct {
	schema *schema
	expr   *expression
	paths  [][]string // chains of selects and indexes that begin at device
	loops  []string   // lists whose keys are gone over
}

func (r *reader) visit(e ast.Expr) {
	if path, ok := r.chain(e); ok {
		r.paths = append(r.paths, path)
		return
	}
	switch e.Kind() {
	case ast.IdentKind:
		r.expr.timed = r.expr.timed || isRoot(e, "request")
		r.other(e)
	case ast.SelectKind:
		r.visit(e.AsSelect().Operand())
	case ast.CallKind:
		if e.AsCall().IsMemberFunction() {
			r.visit(e.AsCall().Target())
		}
		r.all(e.AsCall().Args())
	case ast.ListKind:
		r.all(e.AsList().Elements())
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			r.all([]ast.Expr{entry.AsMapEntry().Key(), entry.AsMapEntry().Value()})
		}
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		r.all([]ast.Expr{c.IterRange(), c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()})
	}
}

// other records a root that is no fact of the device.
func (r *reader) other(e ast.Expr) {
	for root, word := range map[string]string{"user": api.ReadsPerson, "origin": api.ReadsNetwork, "request": api.ReadsTime} {
		if isRoot(e, root) {
			r.expr.others = append(r.expr.others, word)
		}
	}
}

func (r *reader) all(es []ast.Expr) {
	for _, e := range es {
		r.visit(e)
	}
}

// chain takes device.a["k"].b apart into a, k, b. The key of an index that is
// not a literal is anyKey, and what computes it is visited.
func (r *reader) chain(e ast.Expr) ([]string, bool) {
	switch {
	case isRoot(e, "device"):
		return nil, true
	case e.Kind() == ast.SelectKind:
		path, ok := r.chain(e.AsSelect().Operand())
		return append(path, e.AsSelect().FieldName()), ok
	case e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.Index:
		path, ok := r.chain(e.AsCall().Args()[0])
		if !ok {
			return nil, false
		}
		key, literal := text(e.AsCall().Args()[1])
		if !literal {
			key = anyKey
			r.visit(e.AsCall().Args()[1])
		}
		return append(path, key), true
	}
	return nil, false
}

// finish turns the paths into facts.
func (r *reader) finish() {
	for _, p := range r.paths {
		if len(p) > 0 {
			name, suffix, _ := strings.Cut(p[0], "@")
			if "@"+suffix == keysSuffix {
				r.loops = append(r.loops, name)
				continue
			}
			p = append([]string{name}, p[1:]...)
		}
		r.add(p)
	}
	for _, group := range r.loops {
		// A loop that never looks inside an entry stands on its being there.
		if !slices.ContainsFunc(r.expr.uses, func(u use) bool { return u.path[0] == group && u.path[1] == anyKey }) {
			r.add([]string{group, anyKey})
		}
	}
	slices.SortFunc(r.expr.uses, func(a, b use) int { return strings.Compare(a.addr, b.addr) })
	for _, u := range r.expr.uses {
		r.expr.standsOn = append(r.expr.standsOn, u.addr)
	}
}

// add records every fact at or below the path.
func (r *reader) add(path []string) {
	for _, a := range r.schema.attrs {
		if a.path[0] != "device" || !overlap(a.path[1:], path) {
			continue
		}
		u := use{attr: a, path: slices.Clone(a.path[1:])}
		key := ""
		if a.keyed() {
			key = anyKey
			if len(path) > 1 {
				key = path[1]
			}
			u.path[1] = key
			if key != anyKey {
				r.literal(literalKey{a.path[1], key})
			}
		}
		if a.Fact == "" {
			word := api.ReadsHardware
			if a.path[1] == "key" {
				word = api.ReadsKey
			}
			r.expr.others = append(r.expr.others, word)
			continue
		}
		d := r.schema.defs[a.Fact]
		u.addr = fact.Address(d.Signal, key, d.Field)
		if !slices.ContainsFunc(r.expr.uses, func(x use) bool { return x.addr == u.addr }) {
			r.expr.uses = append(r.expr.uses, u)
		}
	}
}

func (r *reader) literal(k literalKey) {
	if !slices.Contains(r.expr.literals, k) {
		r.expr.literals = append(r.expr.literals, k)
	}
}

// overlap says whether one path is the beginning of the other, where anyKey
// on either side is every key.
func overlap(a, b []string) bool {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] && a[i] != anyKey && b[i] != anyKey {
			return false
		}
	}
	return true
}
