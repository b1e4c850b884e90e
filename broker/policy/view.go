package policy

import (
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// status is why a fact cannot be used.
type status struct {
	state  fact.State
	reason fact.Reason
}

// excusable says whether "unknown: pass" may look over it: only a reading
// that the device tried and says why it failed. What it left out, was told not
// to read, claims not to apply to it, or has two answers for is never excused.
func (s status) excusable() bool {
	switch s.reason {
	case "", fact.ReasonNotReported, fact.ReasonClaimedNA, fact.ReasonRefused:
		return false
	}
	return s.state == fact.Unknown
}

var notReported = status{fact.Unknown, fact.ReasonNotReported}

// view is one input as expressions see it: values for what is known, patterns
// for what is not.
type view struct {
	schema   *schema
	root     map[string]*record
	patterns []*cel.AttributePatternType
	bad      map[string]status   // facts that cannot be used, by address
	rest     map[string]status   // per list: why an entry that was not sent is not known
	loop     map[string]status   // per list: why it cannot be gone over, when it cannot
	keys     map[string][]string // per list: the entries that were sent
	empty    map[string]bool     // per list: it can be gone over and has no entry
	times    map[string]time.Time
}

func newView(s *schema, in Input, literals []literalKey) *view {
	v := &view{
		schema: s, root: map[string]*record{},
		bad: map[string]status{}, rest: map[string]status{}, loop: map[string]status{},
		keys: map[string][]string{}, empty: map[string]bool{}, times: map[string]time.Time{},
	}
	for _, r := range roots() {
		v.root[r] = newRecord()
	}
	for _, sig := range in.Report.Signals {
		v.times[sig.Name] = sig.ObservedAt
	}
	for _, a := range s.attrs {
		switch {
		case a.read != nil:
			v.readInput(a, in)
		case !a.keyed():
			v.single(a, in.Report)
		}
	}
	for group, attrs := range s.groups {
		v.list(group, attrs, in.Report)
	}
	for _, l := range literals {
		if !slices.Contains(v.keys[l.group], l.key) {
			v.unknown(l.group+suffixOf(l.key), l.key)
		}
	}
	return v
}

func (v *view) readInput(a Attribute, in Input) {
	value, ok := a.read(in)
	if !ok {
		p := cel.AttributePattern(a.path[0])
		for _, seg := range a.path[1:] {
			p = p.QualString(seg)
		}
		v.patterns = append(v.patterns, p)
		return
	}
	v.root[a.path[0]].set(a.path[1:], v.schema.NativeToValue(value))
}

// unknown marks what lies at and below a path of the device.
func (v *view) unknown(path ...string) {
	p := cel.AttributePattern("device")
	for _, seg := range path {
		p = p.QualString(seg)
	}
	v.patterns = append(v.patterns, p)
}

// single takes over a fact that exists once.
func (v *view) single(a Attribute, r fact.Report) {
	value, why := judgeFact(v.schema.defs[a.Fact], r, "")
	if value == nil {
		v.bad[a.Fact] = why
		v.unknown(a.path[1:]...)
		return
	}
	v.root["device"].set(a.path[1:], value)
}

// judgeFact gives the value that an expression may see, or why there is none.
func judgeFact(d fact.Def, r fact.Report, key string) (ref.Val, status) {
	sig, there := r.Signal(d.Signal)
	if !there {
		return nil, notReported
	}
	f, found := sig.Find(key, d.Field)
	state, reason := sig.State, sig.Reason
	if found {
		state = sig.StateOf(f)
		if f.Reason != "" {
			reason = f.Reason
		}
	}
	switch {
	case state == fact.Absent:
		if value, ok := leaf(d, d.Negative); ok {
			return value, status{}
		}
		return nil, status{fact.Absent, reason}
	case state != fact.Observed:
		return nil, status{state, reason}
	case !found:
		return nil, notReported
	}
	if value, ok := leaf(d, f.Value); ok {
		return value, status{}
	}
	return nil, notReported // something was sent, but not a value of this fact
}

// leaf converts a fact's value if it is one of the declared kind.
func leaf(d fact.Def, value fact.Value) (ref.Val, bool) {
	switch d.Kind {
	case fact.Boolean:
		b, ok := value.AsBool()
		return types.Bool(b), ok
	case fact.Timestamp:
		t, ok := value.AsTime()
		return types.Timestamp{Time: t}, ok
	case fact.Duration:
		d, ok := value.AsDuration()
		return types.Duration{Duration: d}, ok
	case fact.Enum:
		s, ok := value.AsString()
		return types.String(s), ok && slices.Contains(d.Ranks, s)
	}
	s, ok := value.AsString()
	return types.String(s), ok && s != ""
}

// list takes over the entries of a keyed signal.
func (v *view) list(group string, attrs []Attribute, r fact.Report) {
	sig, there := r.Signal(v.schema.defs[attrs[0].Fact].Signal)
	shared, local := map[string]ref.Val{}, map[string]ref.Val{}
	listed := []string{}
	for _, key := range sig.Keys() {
		if !owned(sig, key) {
			continue
		}
		v.keys[group] = append(v.keys[group], key)
		if isLocal(key) {
			local[key] = v.entry(group+localSuffix, key, attrs, r)
			continue
		}
		shared[key] = v.entry(group, key, attrs, r)
		listed = append(listed, key)
	}
	var none *record
	if !v.loopable(group, sig, there) {
		v.unknown(group + keysSuffix)
		v.unknown(group, "") // no entry has this key, so only uses of the whole list are hit
	} else if len(listed) == 0 {
		// A loop over nothing must not pass: it goes once, over an entry that
		// has all the negative values.
		none, listed, v.empty[group] = v.negative(group, attrs), []string{""}, true
	}
	device := v.root["device"]
	device.fields[group] = entries{v.mapper(shared), none}
	device.fields[group+localSuffix] = entries{v.mapper(local), nil}
	device.fields[group+keysSuffix] = v.schema.NativeToValue(listed)
}

// loopable says whether the entries that were sent are all there are, and
// notes why not.
func (v *view) loopable(group string, sig fact.Signal, there bool) bool {
	v.rest[group] = notReported
	switch {
	case !there:
		v.loop[group] = notReported
	case !sig.State.Usable():
		v.rest[group] = status{sig.State, sig.Reason}
		v.loop[group] = v.rest[group]
	case sig.Truncated:
		v.loop[group] = status{fact.Unknown, fact.ReasonTruncated}
	default:
		return true
	}
	return false
}

func (v *view) mapper(m map[string]ref.Val) traits.Mapper {
	out := make(map[ref.Val]ref.Val, len(m))
	for k, val := range m {
		out[types.String(k)] = val
	}
	return types.NewRefValMap(v.schema, out)
}

// owned says whether an entry may carry its key: what a user's own settings
// declared counts under local/ only.
func owned(sig fact.Signal, key string) bool {
	f, found := sig.Find(key, "origin")
	s, _ := f.Value.AsString()
	return isLocal(key) || !found || s != fact.OriginUserSettings
}

func isLocal(key string) bool { return strings.HasPrefix(key, observe.LocalPrefix) }

func suffixOf(key string) string {
	if isLocal(key) {
		return localSuffix
	}
	return ""
}

func (v *view) entry(group, key string, attrs []Attribute, r fact.Report) *record {
	out := newRecord()
	for _, a := range attrs {
		d := v.schema.defs[a.Fact]
		value, why := judgeFact(d, r, key)
		if value == nil {
			v.bad[fact.Address(d.Signal, key, d.Field)] = why
			v.unknown(append([]string{group, key}, a.path[3:]...)...)
			continue
		}
		out.set(a.path[3:], value)
	}
	return out
}

func (v *view) negative(group string, attrs []Attribute) *record {
	out := newRecord()
	for _, a := range attrs {
		d := v.schema.defs[a.Fact]
		if value, ok := leaf(d, d.Negative); ok {
			out.set(a.path[3:], value)
			continue
		}
		v.unknown(append([]string{group, ""}, a.path[3:]...)...)
	}
	return out
}

// entries is a list of the device as a map. The entry for an empty list is
// found under the empty key, which no report can use, and is in no other way
// part of the map.
type entries struct {
	traits.Mapper
	none *record
}

// Find implements traits.Mapper.
func (e entries) Find(key ref.Val) (ref.Val, bool) {
	if e.none != nil && key.Equal(types.String("")) == types.True {
		return e.none, true
	}
	return e.Mapper.Find(key)
}

// Get implements traits.Mapper.
func (e entries) Get(key ref.Val) ref.Val {
	if v, ok := e.Find(key); ok {
		return v
	}
	return e.Mapper.Get(key)
}

// vars is what an expression is evaluated against at the instant t.
func (v *view) vars(t time.Time) (cel.PartialActivation, error) {
	bound := make(map[string]any, len(v.root))
	for name, r := range v.root {
		bound[name] = r
	}
	if !t.IsZero() {
		request := newRecord()
		request.fields["time"] = types.Timestamp{Time: t}
		bound["request"] = request
	}
	return cel.PartialVars(bound, v.patterns...)
}
