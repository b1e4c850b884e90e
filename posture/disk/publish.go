package disk

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// findings is what the collector of one system found.
type findings struct {
	volumes []volume
	// swapClear: memory is written to a disk without encryption.
	swapClear truth
	// missing is why there is no volume that the system runs from.
	missing fact.Reason
	// more is why the list of volumes may lack some that hold data; empty: it
	// lacks none.
	more fact.Reason
}

// anything is false when nothing is known of any volume: names and roles alone
// are no reading.
func (f findings) anything() bool {
	return f.swapClear.said || slices.ContainsFunc(f.volumes, func(v volume) bool {
		return v.status != "" || v.protected.said || v.clash != nil
	})
}

// publish turns findings into the signal.
func publish(r *evidence.Reading, f findings) fact.Signal {
	slices.SortStableFunc(f.volumes, func(a, b volume) int { return a.importance() - b.importance() })
	var system []volume
	for _, v := range f.volumes {
		if v.system {
			system = append(system, v)
		}
	}
	publishSystem(r, system, f.missing)
	publishData(r, f)
	put(r, "swap_clear", "", f.swapClear)
	if !f.anything() {
		why := f.missing
		if len(system) > 0 {
			why = orElse(system[0].why, why)
		}
		return r.Conclude(fact.Unknown, orElse(why, fact.ReasonNotFound))
	}
	keys := map[string]bool{}
	for _, v := range f.volumes {
		id := v.key
		if v.key = volumeKey(id); keys[v.key] { // a copy with the id of its original
			v.key = volumeKey(id + " " + v.name)
		}
		if keys[v.key] {
			continue
		}
		if keys[v.key] = true; len(keys) > fact.MaxEntries+1 {
			break // one too many is enough for whoever cuts the list to say so
		}
		publishVolume(r, v)
	}
	return r.Signal(orElse(f.missing, fact.ReasonNotFound))
}

// publishData sums up the fixed volumes for data: one that is open decides, then
// one that sources disagree about, then one that cannot be told.
func publishData(r *evidence.Reading, f findings) {
	held, any := yes(), false
	var dispute *clash
	for _, v := range f.volumes {
		switch {
		case v.data && v.clash != nil:
			dispute = v.clash
		case v.data:
			held, any = both(held, v.protected), true
		}
	}
	switch {
	case held.is(false):
		put(r, "data_protected", "", held)
	case dispute != nil:
		r.Conflict("data_protected", "", boolean(dispute.a.protected), dispute.sourceA, boolean(dispute.b.protected), dispute.sourceB)
	case f.more != "":
		put(r, "data_protected", "", unclear(f.more))
	case !any:
		put(r, "data_protected", "", unclear(f.missing))
	default:
		put(r, "data_protected", "", held)
	}
}

// publishSystem sums up the volumes that the system runs from: the worst counts.
func publishSystem(r *evidence.Reading, system []volume, missing fact.Reason) {
	if len(system) == 0 {
		why := orElse(missing, fact.ReasonNotFound)
		r.Unknown("system_status", "", why)
		r.Unknown("system_protected", "", why)
		return
	}
	worst := system[0]
	for _, v := range system[1:] {
		if worse(v, worst) {
			worst = v
		}
	}
	publishVerdict(r, "system_status", "system_protected", "", worst)
}

func worse(a, b volume) bool {
	rank := func(v volume) int {
		switch {
		case v.status == fact.Unencrypted && v.clash == nil:
			return 0
		case v.clash != nil:
			return 1
		case v.status == "":
			return 2
		case v.status == fact.EncryptNone:
			return 3
		case !v.protected.is(true):
			return 4
		}
		return 5
	}
	return rank(a) < rank(b)
}

func publishVerdict(r *evidence.Reading, status, protected, key string, v volume) {
	c := v.clash
	switch {
	case c != nil && c.a.status != c.b.status && c.a.status != "" && c.b.status != "":
		r.Conflict(status, key, fact.Str(c.a.status), c.sourceA, fact.Str(c.b.status), c.sourceB)
	case v.status == "":
		r.Unknown(status, key, orElse(v.why, fact.ReasonNotFound))
	case v.why != "":
		r.Finding(status, key, fact.Str(v.status), v.why)
	default:
		r.Observe(status, key, fact.Str(v.status))
	}
	if c != nil {
		r.Conflict(protected, key, boolean(c.a.protected), c.sourceA, boolean(c.b.protected), c.sourceB)
		return
	}
	put(r, protected, key, v.protected)
}

func publishVolume(r *evidence.Reading, v volume) {
	publishVerdict(r, "status", "protected", v.key, v)
	switch {
	case v.conversion != "" && v.clash != nil:
		r.Unknown("conversion", v.key, fact.ReasonDisagree)
	case v.conversion != "":
		r.Observe("conversion", v.key, fact.Str(v.conversion))
	}
	if v.unlock != "" && v.clash == nil {
		r.Observe("unlock", v.key, fact.Str(v.unlock))
	}
	switch {
	case v.clash != nil:
		r.Unknown("suspended", v.key, fact.ReasonDisagree)
	case v.suspended.said:
		put(r, "suspended", v.key, v.suspended)
	}
	if v.method != "" {
		r.Observe("method", v.key, fact.Str(v.method))
	}
	r.Observe("role", v.key, fact.Str(orElse(v.role, fact.RoleOther)))
	r.Observe("name", v.key, fact.Str(text(v.name)))
}

// put sets a boolean fact, or why it is unknown.
func put(r *evidence.Reading, field, key string, t truth) {
	switch {
	case !t.said:
		r.Unknown(field, key, orElse(t.why, fact.ReasonNotFound))
	case t.why != "":
		r.Finding(field, key, fact.Bool(t.value), t.why)
	default:
		r.Observe(field, key, fact.Bool(t.value))
	}
}

// boolean is the value of a truth; what nobody said counts as no.
func boolean(t truth) fact.Value { return fact.Bool(t.is(true)) }

func orElse[T ~string](s, otherwise T) T {
	if s != "" {
		return s
	}
	return otherwise
}

// text makes a name that came from outside valid UTF-8.
func text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "�")
}
