package collect

import (
	"math"
	"reflect"
	"slices"

	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// asked is what is read beyond the built-in signals. It is never changed.
type asked struct {
	catalogue []observe.EDRRow
	list      []observe.Observation
	forbid    observe.Forbid
}

// SetObservations puts another catalogue and another list in force, both merged
// and validated: readings that begin from now on follow them. It reads nothing
// by itself; the signals concerned are fact.SignalEDR and fact.SignalCustom.
// Values of what is declared in another way now do not stand in when a reading
// fails: they may be of another thing.
func (c *Collector) SetObservations(catalogue []observe.EDRRow, list []observe.Observation, forbid observe.Forbid) {
	next := &asked{slices.Clone(catalogue), slices.Clone(list), forbid}
	before := c.asked.Swap(next)
	if before == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	same := reflect.DeepEqual(before.forbid, forbid)
	c.age(fact.SignalCustom, moved(before.list, next.list, !same, func(o observe.Observation) string { return o.ID }))
	c.age(fact.SignalEDR, moved(before.catalogue, next.catalogue, false, func(r observe.EDRRow) string { return r.ID }))
}

// moved lists the ids whose declarations are not the same in both.
func moved[T any](before, after []T, all bool, id func(T) string) map[string]bool {
	was, is := map[string][]T{}, map[string][]T{}
	for _, d := range before {
		was[id(d)] = append(was[id(d)], d)
	}
	for _, d := range after {
		is[id(d)] = append(is[id(d)], d)
	}
	out := map[string]bool{}
	for key, d := range was {
		if all || !reflect.DeepEqual(d, is[key]) {
			out[key] = true
		}
	}
	return out
}

// age makes the kept values of some entries too old to stand in. The caller
// holds mu.
func (c *Collector) age(signal string, ids map[string]bool) {
	k, ok := c.kept[signal]
	if !ok {
		return
	}
	for _, f := range k.signal.Facts {
		if ids[f.Key] {
			a := addressOf(signal, f)
			r := k.read[a]
			r.boot = math.MinInt64 / 2
			k.read[a] = r
		}
	}
}
