package policy

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
	"github.com/postern-zt/postern/posture/release"
)

// Observations is what devices shall read beyond the built-in signals. It has
// no version: that is given where it is signed.
func (p *Policy) Observations() observe.Document { return p.observations }

// observations reads what to read. Nothing in it says what is good: that is for
// the checks.
func (f *file) observations(n *yaml.Node) observe.Document {
	var d observe.Document
	m := f.mapping(n, "observations", "read", "edr", "releases")
	if v := m["read"]; v != nil {
		d.Observations = each(f, v, "observations.read", observe.MaxObservations, func(n *yaml.Node) (observe.Observation, error) {
			return observe.DecodeObservation(n, fact.OriginBroker)
		})
		f.reads = len(d.Observations) == len(v.Content) // else what is missing was told
		f.merged(v, "observations.read", func(upTo int) error {
			_, err := observe.MergeObservations(d.Observations[:upTo])
			return err
		}, len(d.Observations))
	}
	if v := m["edr"]; v != nil {
		d.EDR = each(f, v, "observations.edr", observe.MaxProducts, observe.DecodeRow)
		f.products = len(d.EDR) == len(v.Content)
		f.merged(v, "observations.edr", func(upTo int) error {
			_, err := observe.Merge(d.EDR[:upTo])
			return err
		}, len(d.EDR))
	}
	if v := m["releases"]; v != nil {
		d.Releases = f.releases(v)
	}
	return d
}

// releases reads a table of releases, written as one text of many lines.
func (f *file) releases(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
		f.bad(n, "observations.releases", "want the table as one text: begin it with |")
		return ""
	}
	if _, err := release.Parse([]byte(n.Value)); err != nil {
		f.bad(n, "observations.releases", "%s", oneLine(err.Error()))
	}
	return n.Value
}

// each reads the entries of a list.
func each[T any](f *file, n *yaml.Node, where string, most int, read func(*yaml.Node) (T, error)) []T {
	entries := f.list(n, where)
	if len(entries) > most {
		f.bad(n, where, "%d entries, at most %d allowed", len(entries), most)
		return nil
	}
	var out []T
	for i, item := range entries {
		v, err := read(item)
		if err != nil {
			f.bad(item, at(where, i), "%s", oneLine(err.Error()))
			continue
		}
		out = append(out, v)
	}
	return out
}

// merged says of the first entry that does not go with those before it. Where
// some were wrong by themselves, nothing is said.
func (f *file) merged(n *yaml.Node, where string, join func(upTo int) error, entries int) {
	if entries != len(n.Content) || join(entries) == nil {
		return
	}
	for i := range entries {
		if err := join(i + 1); err != nil {
			f.bad(n.Content[i], at(where, i), "%s", oneLine(err.Error()))
			return
		}
	}
}

// declared checks that an expression names only what the file has read, where
// it says what is read, and asks an observation only for what it tells: a
// misspelt id would never pass, and nobody would know why.
func (f *file) declared(n *yaml.Node, where string, e *expression, d observe.Document) {
	for _, l := range e.literals {
		signal, _, _, _ := fact.SplitAddress(e.addressOf(l))
		switch {
		case !strings.HasPrefix(l.key, observe.OrgPrefix):
		case signal == fact.SignalCustom && f.reads:
			f.asked(n, where, e, l, d)
		case signal == fact.SignalEDR && f.products && !slices.ContainsFunc(d.EDR, func(r observe.EDRRow) bool { return r.ID == l.key }):
			f.bad(n, where, "observations.edr declares no %s", l.key)
		}
	}
}

// addressOf is any address below a list entry that the expression names.
func (e *expression) addressOf(l literalKey) string {
	for _, u := range e.uses {
		if len(u.path) > 1 && u.path[0] == l.group && u.path[1] == l.key {
			return u.addr
		}
	}
	return ""
}

// asked checks one entry of device.custom.
func (f *file) asked(n *yaml.Node, where string, e *expression, l literalKey, d observe.Document) {
	tells := []string{"kind", "origin"}
	for _, o := range d.Observations {
		if o.ID == l.key {
			tells = append(tells, o.Facts()...)
		}
	}
	if len(tells) == 2 {
		f.bad(n, where, "observations.read declares no %s", l.key)
		return
	}
	var fields []string
	for _, u := range e.uses {
		if len(u.path) > 2 && u.path[0] == l.group && u.path[1] == l.key {
			fields = append(fields, u.path[2])
		}
	}
	if all := len(customFields()); len(fields) == all { // the entry as a whole
		return
	}
	for _, field := range fields {
		if !slices.Contains(tells, field) {
			f.bad(n, where, "observation %s does not tell %s; it tells %s", l.key, field, strings.Join(tells[2:], ", "))
		}
	}
}

func customFields() []string {
	var out []string
	for _, d := range fact.Defs() {
		if d.Signal == fact.SignalCustom {
			out = append(out, d.Field)
		}
	}
	return out
}
