package policy

import (
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/posture/fact"
)

// part is one of the things that an expression asks for: all parts of an
// expression must hold. What is a part follows from the expression's own
// "and", "or" and "not"; everything else is looked at as a whole.
type part struct {
	reads []string // as api.Part.Reads
	// conds are what it is made of: conditions over the same reads, all of
	// which must hold. In an alternative one of them is enough.
	conds []cond
	oneOf []part // alternatives, in place of reads and conds
}

// cond is a piece of an expression that is evaluated by itself.
type cond struct {
	expr    *expression
	negated bool
}

// node is a piece of an expression while it is taken apart.
type node struct {
	ast.Expr
	negated bool
}

// split takes a node apart at its "and", or at its "or", as far as that goes.
// A negation goes inside (De Morgan's laws).
func (n node) split(and bool) []node {
	if n.Kind() != ast.CallKind {
		return []node{n}
	}
	c := n.AsCall()
	name := c.FunctionName()
	if name == operators.LogicalNot {
		return node{c.Args()[0], !n.negated}.split(and)
	}
	if (name == operators.LogicalAnd && and != n.negated) || (name == operators.LogicalOr && and == n.negated) {
		var out []node
		for _, a := range c.Args() {
			out = append(out, node{a, n.negated}.split(and)...)
		}
		return out
	}
	return []node{n}
}

// splitter makes the parts of one checked expression.
type splitter struct {
	schema *schema
	ast    *ast.AST
	conds  int
}

// parts are none where what an expression asks for cannot be told truly: it
// has a piece that looks at nothing, or is longer than a list may be.
func (s *schema) parts(checked *ast.AST) []part {
	w := &splitter{schema: s, ast: checked}
	var out []part
	for _, n := range (node{checked.Expr(), false}).split(true) {
		p, ok := w.part(n)
		if !ok {
			return nil
		}
		if i := sameReads(out, p); i >= 0 {
			out[i].conds = append(out[i].conds, p.conds...)
			continue
		}
		out = append(out, p)
	}
	if len(out) > api.MaxParts || w.conds > api.MaxParts*api.MaxChoices {
		return nil
	}
	return out
}

// part is one part; alternatives that look at the same things are one of them,
// so that their number says nothing of what they compare with.
func (w *splitter) part(n node) (part, bool) {
	var alts []part
	for _, a := range n.split(false) {
		p, ok := w.leaf(a)
		if !ok {
			return part{}, false
		}
		if i := sameReads(alts, p); i >= 0 {
			alts[i].conds = append(alts[i].conds, p.conds...)
			continue
		}
		alts = append(alts, p)
	}
	switch {
	case len(alts) > api.MaxChoices:
		return part{}, false
	case len(alts) > 1:
		return part{oneOf: alts}, true
	case len(alts[0].conds) > 1: // all looked at the same: it is one condition
		return w.leaf(n)
	}
	return alts[0], true
}

func sameReads(list []part, p part) int {
	return slices.IndexFunc(list, func(q part) bool { return p.oneOf == nil && q.oneOf == nil && slices.Equal(p.reads, q.reads) })
}

// leaf is a part that is evaluated as a whole.
func (w *splitter) leaf(n node) (part, bool) {
	e := &expression{}
	r := &reader{schema: w.schema, expr: e}
	r.visit(n.Expr)
	r.finish()
	reads := e.told()
	if w.conds++; len(reads) == 0 || len(reads) > api.MaxReads {
		return part{}, false
	}
	var err error
	piece := ast.NewCheckedAST(ast.NewAST(n.Expr, w.ast.SourceInfo()), w.ast.TypeMap(), w.ast.ReferenceMap())
	if e.program, err = w.schema.env.PlanProgram(piece, programOptions()...); err != nil {
		return part{}, false
	}
	return part{reads: reads, conds: []cond{{e, n.negated}}}, true
}

// told is what an expression looks at, without the keys of list entries: these
// are an administrator's words, and often a list of what is allowed. The time
// is told only where nothing else is: beside a fact it is that fact's age.
func (e *expression) told() []string {
	out := slices.Clone(e.others)
	for _, u := range e.uses {
		key := ""
		if u.attr.keyed() {
			key = anyKey
		}
		d := u.attr.def()
		out = append(out, fact.Address(d.Signal, key, d.Field))
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if i := slices.Index(out, api.ReadsTime); i >= 0 && len(out) > 1 {
		out = slices.Delete(out, i, i+1)
	}
	return out
}

// outcome of a cond at the instant of the decision.
func (d *decider) outcome(c cond) api.Outcome {
	o := d.view.judge(c.expr, d.in.Now).outcome
	switch {
	case c.negated && o == api.Pass:
		return api.Fail
	case c.negated && o == api.Fail:
		return api.Pass
	}
	return o
}

// all is the outcome of conditions that must all hold: what decides first, as
// "and" does.
func (d *decider) all(conds []cond) api.Outcome {
	out := api.Pass
	for _, c := range conds {
		switch d.outcome(c) {
		case api.Fail:
			return api.Fail
		case api.Unclear:
			out = api.Unclear
		}
	}
	return out
}

// any is the same for conditions of which one is enough.
func (d *decider) any(conds []cond) api.Outcome {
	out := api.Fail
	for _, c := range conds {
		switch d.outcome(c) {
		case api.Pass:
			return api.Pass
		case api.Unclear:
			out = api.Unclear
		}
	}
	return out
}

// parts says of each part of a check how it came out.
func (d *decider) parts(c *check) []api.Part {
	if len(c.expr.parts) == 1 && len(c.expr.parts[0].oneOf) == 0 {
		return []api.Part{{Outcome: d.find(c).outcome, Reads: c.expr.parts[0].reads}}
	}
	var out []api.Part
	for _, p := range c.expr.parts {
		if len(p.oneOf) == 0 {
			out = append(out, api.Part{Outcome: d.all(p.conds), Reads: p.reads})
			continue
		}
		told := api.Part{Outcome: api.Fail}
		for _, alt := range p.oneOf {
			o := d.any(alt.conds)
			told.OneOf = append(told.OneOf, api.Choice{Outcome: o, Reads: alt.reads})
			if o == api.Pass || (o == api.Unclear && told.Outcome == api.Fail) {
				told.Outcome = o
			}
		}
		out = append(out, told)
	}
	return out
}
