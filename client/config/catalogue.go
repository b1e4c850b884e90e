package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// catalogue joins the rows of the file to what shipped.
func (d *document) catalogue(e entry, shipped []observe.EDRRow) []observe.EDRRow {
	all := shipped
	for i, n := range d.list(e) {
		where := fmt.Sprintf("%s[%d]", e.where, i)
		before := len(d.problems)
		row := d.row(n, where)
		if len(d.problems) > before {
			continue
		}
		joined, err := observe.Merge(all, []observe.EDRRow{row})
		if err != nil {
			d.wrong(n.Line, where, "a row needs id (local/name), name, and executable paths under linux, windows or macos", "%v", err)
			continue
		}
		all = joined
	}
	return all
}

// row reads one row; it is validated later.
func (d *document) row(n *yaml.Node, where string) observe.EDRRow {
	r := observe.EDRRow{Origin: fact.OriginUserSettings}
	m := d.mapping(n, where, "id", "name", "linux", "windows", "macos", "source")
	for key, to := range map[string]*string{"id": &r.ID, "name": &r.Name, "source": &r.Source} {
		if e, ok := m[key]; ok {
			*to, _ = d.text(e)
		}
	}
	if r.ID != "" && !strings.HasPrefix(r.ID, observe.LocalPrefix) {
		d.wrong(m["id"].key.Line, where+".id", "call it "+observe.LocalPrefix+"something",
			"%q could stand for a shipped product", fact.Clip(r.ID))
	}
	for key, to := range map[string]*[]observe.Program{"linux": &r.Linux, "windows": &r.Windows, "macos": &r.MacOS} {
		if e, ok := m[key]; ok {
			*to = d.programs(e)
		}
	}
	return r
}

func (d *document) programs(e entry) []observe.Program {
	var out []observe.Program
	for i, n := range d.list(e) {
		var p observe.Program
		m := d.mapping(n, fmt.Sprintf("%s[%d]", e.where, i), "executable", "sha256")
		if e, ok := m["executable"]; ok {
			p.Executable, _ = d.text(e)
		}
		if e, ok := m["sha256"]; ok {
			p.SHA256, _ = d.text(e)
		}
		out = append(out, p)
	}
	return out
}
