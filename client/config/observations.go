package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// observations reads what this machine's settings ask to read of their own, and
// what they keep from being read.
func (l *loader) observations(e entry) {
	m := l.d.mapping(e.value, e.where, "read", "forbid")
	if r, ok := m["read"]; ok {
		l.s.Observations = l.d.reads(r)
	}
	if f, ok := m["forbid"]; ok {
		l.s.Forbid = Value[observe.Forbid]{l.d.forbid(f), OriginFile}
	}
}

// reads gives the observations of the file.
func (d *document) reads(e entry) []observe.Observation {
	var all []observe.Observation
	for i, n := range d.list(e) {
		where := fmt.Sprintf("%s[%d]", e.where, i)
		if id := scalar(n, "id"); id != nil && !strings.HasPrefix(id.Value, observe.LocalPrefix) {
			d.wrong(id.Line, where+".id", "call it "+observe.LocalPrefix+"something", "%q could stand for one of the organisation's", fact.Clip(id.Value))
			continue
		}
		o, err := observe.DecodeObservation(n, fact.OriginUserSettings)
		var joined []observe.Observation
		if err == nil {
			joined, err = observe.MergeObservations(all, []observe.Observation{o})
		}
		if err != nil {
			d.wrong(n.Line, where, "an observation needs id (local/name), kind, and what its kind says", "%v", err)
			continue
		}
		all = joined
	}
	return all
}

// scalar finds the value of a mapping's key.
func scalar(n *yaml.Node, key string) *yaml.Node {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key && n.Content[i+1].Kind == yaml.ScalarNode {
			return n.Content[i+1]
		}
	}
	return nil
}

// forbid reads what nobody may have read here.
func (d *document) forbid(e entry) observe.Forbid {
	var f observe.Forbid
	m := d.mapping(e.value, e.where, "kinds", "paths")
	for key, to := range map[string]*[]string{"kinds": &f.Kinds, "paths": &f.Paths} {
		if list, ok := m[key]; ok {
			*to = d.texts(list)
		}
	}
	if err := f.Validate(); err != nil {
		kinds := append(observe.Kinds(), observe.KindEDR)
		slices.Sort(kinds)
		d.wrong(e.key.Line, e.where, "kinds are "+strings.Join(kinds, ", ")+"; paths are absolute, or keys below HKLM", "%v", err)
	}
	return f
}
