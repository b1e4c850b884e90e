package policy

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// expression is one compiled condition.
type expression struct {
	program  cel.Program
	uses     []use    // facts it reads, sorted by address
	standsOn []string // the addresses of uses
	literals []literalKey
	timed    bool // the answer may change as time goes by
}

// use is one fact that an expression reads.
type use struct {
	attr Attribute
	path []string // below device; a key that is not written out is anyKey
	addr string
}

// literalKey is a list entry that an expression names by a literal.
type literalKey struct{ group, key string }

// exprProblem is what is wrong with an expression; line counts from 1.
type exprProblem struct {
	line, column int
	text         string
}

// compile turns text into an expression, or says everything that is wrong.
func (s *schema) compile(text string) (*expression, []exprProblem) {
	parsed, iss := s.env.Parse(text)
	if iss.Err() != nil {
		return nil, celProblems(iss)
	}
	w := &rewriter{schema: s, fac: ast.NewExprFactory(), info: parsed.NativeRep().SourceInfo()}
	ast.PreOrderVisit(parsed.NativeRep().Expr(), ast.NewExprVisitor(w.visit))
	if len(w.problems) > 0 {
		return nil, w.problems
	}
	checked, iss := s.env.Check(parsed)
	if iss.Err() != nil {
		return nil, celProblems(iss)
	}
	if !checked.OutputType().IsExactType(types.BoolType) {
		return nil, []exprProblem{{line: 1, text: fmt.Sprintf("the result is %s, want true or false", cel.FormatCELType(checked.OutputType()))}}
	}
	prog, err := program(s.env, checked)
	if err != nil {
		return nil, []exprProblem{{line: 1, text: oneLine(err.Error())}}
	}
	e := &expression{program: prog}
	r := &reader{schema: s, expr: e}
	r.visit(checked.NativeRep().Expr())
	r.finish()
	return e, nil
}

func celProblems(iss *cel.Issues) []exprProblem {
	var out []exprProblem
	for _, e := range iss.Errors() {
		out = append(out, exprProblem{line: max(1, e.Location.Line()), column: e.Location.Column() + 1, text: oneLine(e.Message)})
	}
	return out
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// rewriter changes a parsed expression so that the entries of a user's own
// settings are seen only where a literal names them, and a comprehension goes
// over the keys. The map as it is written holds no local entry, so what is
// not rewritten stays safe. It also refuses what cannot be judged.
type rewriter struct {
	schema   *schema
	fac      ast.ExprFactory
	info     *ast.SourceInfo
	problems []exprProblem
}

func (w *rewriter) refuse(e ast.Expr, format string, args ...any) {
	loc := w.info.GetStartLocation(e.ID())
	w.problems = append(w.problems, exprProblem{line: max(1, loc.Line()), column: loc.Column() + 1, text: fmt.Sprintf(format, args...)})
}

func (w *rewriter) visit(e ast.Expr) {
	switch e.Kind() {
	case ast.CallKind:
		w.call(e, e.AsCall())
	case ast.StructKind:
		w.refuse(e, "objects cannot be made in an expression")
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		if slices.Contains(roots(), c.IterVar()) {
			w.refuse(e, "%s is taken, call the loop variable something else", c.IterVar())
		}
		if group, ok := w.group(c.IterRange()); ok {
			w.rename(c.IterRange(), group+keysSuffix)
		}
	}
}

func (w *rewriter) call(e ast.Expr, c ast.CallExpr) {
	switch c.FunctionName() {
	case "dyn":
		w.refuse(e, "dyn() would hide misspelt attributes")
	case "inIpRange":
		w.ranges(c)
	case operators.Index:
		group, ok := w.group(c.Args()[0])
		key, literal := text(c.Args()[1])
		switch {
		case !ok || !literal:
		case key == "" || strings.ContainsAny(key, "[]*"):
			w.refuse(e, "%s has no entry with that key", group)
		case strings.HasPrefix(key, observe.LocalPrefix):
			w.rename(c.Args()[0], group+localSuffix)
		}
	}
}

// ranges checks the literal ranges of inIpRange, which would otherwise only
// fail when somebody is waiting for an answer.
func (w *rewriter) ranges(c ast.CallExpr) {
	if len(c.Args()) != 2 || c.Args()[1].Kind() != ast.ListKind {
		return
	}
	for _, item := range c.Args()[1].AsList().Elements() {
		if s, ok := text(item); ok {
			if _, err := parseRange(s); err != nil {
				w.refuse(item, "%q is %s", s, err)
			}
		}
	}
}

// group says which list of the device e is, if it is one.
func (w *rewriter) group(e ast.Expr) (string, bool) {
	if e.Kind() != ast.SelectKind || e.AsSelect().IsTestOnly() || !isRoot(e.AsSelect().Operand(), "device") {
		return "", false
	}
	name := e.AsSelect().FieldName()
	_, ok := w.schema.groups[name]
	return name, ok
}

func (w *rewriter) rename(e ast.Expr, field string) {
	e.SetKindCase(w.fac.NewSelect(e.ID(), e.AsSelect().Operand(), field))
}

func isRoot(e ast.Expr, name string) bool {
	return e.Kind() == ast.IdentKind && strings.TrimPrefix(e.AsIdent(), ".") == name
}

func text(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}

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
