package policy

import (
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/common/types"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/posture/fact"
)

// finding is what one expression says at one instant.
type finding struct {
	outcome api.Outcome
	missing []string // addresses of facts that were not known, sorted
	excused bool     // unclear only for reasons that "unknown: pass" looks over
}

// accepted says whether the check lets an app through.
func (c *check) accepted(f finding) bool {
	return f.outcome == api.Pass || (f.outcome == api.Unclear && c.lenient && f.excused)
}

// judge evaluates one expression. An expression that fails to evaluate is
// unclear, which is never excused.
func (v *view) judge(e *expression, t time.Time) finding {
	vars, err := v.vars(t)
	if err != nil {
		return finding{outcome: api.Unclear}
	}
	result, _, err := e.program.Eval(vars)
	if err != nil {
		return finding{outcome: api.Unclear}
	}
	switch r := result.(type) {
	case types.Bool:
		if r {
			return finding{outcome: api.Pass}
		}
		return finding{outcome: api.Fail}
	case *types.Unknown:
		return v.explain(e, r)
	}
	return finding{outcome: api.Unclear}
}

// explain names the facts behind an unknown result.
func (v *view) explain(e *expression, u *types.Unknown) finding {
	f := finding{outcome: api.Unclear, excused: true}
	for _, id := range u.IDs() {
		trails, _ := u.GetAttributeTrails(id)
		for _, trail := range trails {
			named := false
			for _, x := range e.uses {
				named = v.name(&f, x, trail) || named
			}
			f.excused = f.excused && named
		}
	}
	slices.Sort(f.missing)
	f.missing = slices.Compact(f.missing)
	return f
}

// name adds the unknown facts of one use that lie on the trail, and says
// whether there were any.
func (v *view) name(f *finding, x use, trail *types.AttributeTrail) bool {
	path, ok := trailPath(trail)
	if !ok || !overlap(x.path, path) {
		return false
	}
	if !x.attr.keyed() {
		why, bad := v.bad[x.addr]
		return bad && f.add(x.addr, why)
	}
	group, key := x.attr.path[1], x.path[1]
	if key == anyKey && len(path) > 1 && path[1] != "" {
		key = path[1]
	}
	if key != anyKey {
		return v.nameEntry(f, x.attr, group, key)
	}
	named := false
	if why, broken := v.loop[group]; broken {
		named = f.add(x.addr, why)
	}
	for _, k := range v.keys[group] {
		if why, bad := v.bad[x.attr.address(k)]; bad && !isLocal(k) {
			named = f.add(x.attr.address(k), why)
		}
	}
	if !named && v.empty[group] && !v.schema.defs[x.attr.Fact].Negative.IsSet() {
		named = f.add(x.addr, notReported)
	}
	return named
}

// nameEntry adds one list entry's fact. A key that the device did not send is
// the administrator's word and does not travel: it is named as any entry.
func (v *view) nameEntry(f *finding, a Attribute, group, key string) bool {
	if !slices.Contains(v.keys[group], key) {
		return f.add(a.address(anyKey), v.rest[group])
	}
	why, bad := v.bad[a.address(key)]
	return bad && f.add(a.address(key), why)
}

func (f *finding) add(addr string, why status) bool {
	f.missing = append(f.missing, addr)
	f.excused = f.excused && why.excusable()
	return true
}

// trailPath is a trail below device as a path of attributes.
func trailPath(trail *types.AttributeTrail) ([]string, bool) {
	if trail.Variable() != "device" {
		return nil, false
	}
	var out []string
	for i, q := range trail.QualifierPath() {
		s, ok := q.(string)
		if !ok {
			return nil, false
		}
		if i == 0 {
			s, _, _ = strings.Cut(s, "@")
		}
		out = append(out, s)
	}
	return out, true
}

// oldest is when the oldest of the signals behind the facts was read, and
// whether every one of them says so. A time after the report arrived counts
// as its arrival, so that a wrong clock cannot keep a report young.
func (v *view) oldest(standsOn []string, arrived time.Time) (time.Time, bool) {
	oldest := arrived
	for _, addr := range standsOn {
		signal, _, _, err := fact.SplitAddress(addr)
		at := v.times[signal]
		if err != nil || at.IsZero() {
			return time.Time{}, false
		}
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	return oldest, !oldest.IsZero()
}
