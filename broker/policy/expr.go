package policy

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/postern-zt/postern/posture/observe"
)

// expression is one compiled condition.
type expression struct {
	program  cel.Program
	uses     []use    // facts it reads, sorted by address
	standsOn []string // the addresses of uses
	literals []literalKey
	timed    bool // the answer may change as time goes by

	others []string // what it reads beside facts: the words of broker/api
	parts  []part   // what it asks for; none: cannot be told
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
	e.parts = s.parts(checked.NativeRep())
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
