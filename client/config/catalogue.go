package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// rowForm is how each key of a catalogue row is written. What it means, and
// whether it may be so, is for posture/observe to say.
type rowForm struct{ texts, lists, programs []string }

// rowKeys are those of observe.EDRRow but status, which shipped rows alone have.
func rowKeys() rowForm {
	return rowForm{
		texts:    []string{"id", "name", "category", "run_as", "confidence", "source"},
		lists:    []string{"units", "services", "publishers", "team_ids", "extensions", "apps"},
		programs: []string{"linux", "windows", "macos"},
	}
}

// programKeys are those of observe.Program.
func programKeys() []string { return []string{"executable", "sha256"} }

// catalogue joins the rows of the file to what shipped.
func (d *document) catalogue(e entry, shipped []observe.EDRRow) []observe.EDRRow {
	all := shipped
	for i, n := range d.list(e) {
		where := fmt.Sprintf("%s[%d]", e.where, i)
		before := len(d.problems)
		d.rowShape(n, where)
		if len(d.problems) > before {
			continue
		}
		row, err := observe.DecodeOwnRow(n)
		var joined []observe.EDRRow
		if err == nil {
			joined, err = observe.Merge(all, []observe.EDRRow{row})
		}
		if err != nil {
			d.wrong(n.Line, where, "a row needs id (local/name), name, and where the product is found: executable paths under linux, windows or macos, services, extensions or apps", "%v", err)
			continue
		}
		all = joined
	}
	return all
}

// rowShape finds what is wrong with a row's keys and with how their values are
// written, each in its line.
func (d *document) rowShape(n *yaml.Node, where string) {
	if status := scalar(n, "status"); status != nil {
		d.wrong(status.Line, where+".status", "remove it", "only shipped rows say how a product is asked about itself")
		return
	}
	form := rowKeys()
	m := d.mapping(n, where, slices.Concat(form.texts, form.programs, form.lists)...)
	for _, key := range form.texts {
		if e, ok := m[key]; ok {
			d.text(e)
		}
	}
	for _, key := range form.lists {
		if e, ok := m[key]; ok {
			d.texts(e)
		}
	}
	for _, key := range form.programs {
		if e, ok := m[key]; ok {
			d.programs(e)
		}
	}
	if id := scalar(n, "id"); id != nil && !strings.HasPrefix(id.Value, observe.LocalPrefix) {
		d.wrong(id.Line, where+".id", "call it "+observe.LocalPrefix+"something", "%q could stand for a shipped product", fact.Clip(id.Value))
	}
}

func (d *document) programs(e entry) {
	for i, n := range d.list(e) {
		m := d.mapping(n, fmt.Sprintf("%s[%d]", e.where, i), programKeys()...)
		for _, key := range programKeys() {
			if e, ok := m[key]; ok {
				d.text(e)
			}
		}
	}
}
