package policy

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/postern-zt/postern/posture/fact"
)

// Fields that the syntax cannot write; only our own rewriting uses them.
const (
	localSuffix = "@local" // entries that a user's own settings declared
	keysSuffix  = "@keys"  // keys to iterate over
)

const typePrefix = "postern."

// roots are the variables of an expression.
func roots() []string { return []string{"device", "user", "origin", "request"} }

// schema is the table of attributes as types, so that a misspelt name does
// not compile. It implements types.Provider of cel-go.
type schema struct {
	*types.Registry
	env    *cel.Env
	attrs  []Attribute
	defs   map[string]fact.Def // by Attribute.Fact
	groups map[string][]Attribute
	fields map[string]map[string]*types.FieldType
}

func newSchema() (*schema, error) {
	reg, err := types.NewRegistry()
	if err != nil {
		return nil, fmt.Errorf("prepare expression types: %w", err)
	}
	s := &schema{
		Registry: reg,
		attrs:    Attributes(),
		defs:     map[string]fact.Def{},
		groups:   map[string][]Attribute{},
		fields:   map[string]map[string]*types.FieldType{},
	}
	for _, a := range s.attrs {
		if a.Fact != "" {
			s.defs[a.Fact] = a.def()
		}
		if a.keyed() {
			s.groups[a.path[1]] = append(s.groups[a.path[1]], a)
		}
		s.declare(a)
	}
	s.env, err = newEnv(s)
	if err != nil {
		return nil, fmt.Errorf("prepare expression environment: %w", err)
	}
	return s, nil
}

// declare adds the types along one attribute's path.
func (s *schema) declare(a Attribute) {
	owner := typePrefix + a.path[0]
	for i := 1; i < len(a.path); i++ {
		seg, inner := a.path[i], owner+"."+a.path[i]
		switch {
		case i == len(a.path)-1:
			s.field(owner, seg, leafType(a))
		case a.path[i+1] == anyKey:
			entries := types.NewMapType(types.StringType, types.NewObjectType(inner))
			s.field(owner, seg, entries)
			s.field(owner, seg+localSuffix, entries)
			s.field(owner, seg+keysSuffix, types.NewListType(types.StringType))
			i++
		default:
			s.field(owner, seg, types.NewObjectType(inner))
		}
		owner = inner
	}
}

func leafType(a Attribute) *types.Type {
	t := types.StringType
	switch a.Kind {
	case fact.Boolean:
		t = types.BoolType
	case fact.Timestamp:
		t = types.TimestampType
	case fact.Duration:
		t = types.DurationType
	}
	if a.list {
		return types.NewListType(t)
	}
	return t
}

func (s *schema) field(owner, name string, t *types.Type) {
	if s.fields[owner] == nil {
		s.fields[owner] = map[string]*types.FieldType{}
	}
	s.fields[owner][name] = &types.FieldType{
		Type: t,
		IsSet: func(target any) bool {
			r, ok := target.(*record)
			return ok && r.fields[name] != nil
		},
		GetFrom: func(target any) (any, error) {
			if r, ok := target.(*record); ok {
				if v, there := r.fields[name]; there {
					return v, nil
				}
			}
			return nil, fmt.Errorf("attribute %s has no value", name)
		},
	}
}

// FindStructType implements types.Provider.
func (s *schema) FindStructType(name string) (*types.Type, bool) {
	if _, ours := s.fields[name]; ours {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return s.Registry.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (s *schema) FindStructFieldNames(name string) ([]string, bool) {
	fields, ours := s.fields[name]
	if !ours {
		return s.Registry.FindStructFieldNames(name)
	}
	var out []string
	for f := range fields {
		out = append(out, f)
	}
	slices.Sort(out)
	return out, true
}

// FindStructFieldType implements types.Provider.
func (s *schema) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if fields, ours := s.fields[name]; ours {
		f, ok := fields[field]
		return f, ok
	}
	return s.Registry.FindStructFieldType(name, field)
}

// record is an object of an expression. A field without a value is simply not
// in it: reading it is an error, never a zero value.
type record struct{ fields map[string]ref.Val }

func newRecord() *record { return &record{fields: map[string]ref.Val{}} }

// set stores v at the path below r, with records on the way.
func (r *record) set(path []string, v ref.Val) {
	for _, seg := range path[:len(path)-1] {
		next, ok := r.fields[seg].(*record)
		if !ok {
			next = newRecord()
			r.fields[seg] = next
		}
		r = next
	}
	r.fields[path[len(path)-1]] = v
}

var errNoValue = errors.New("an object has no value of its own")

// ConvertToNative implements ref.Val.
func (r *record) ConvertToNative(reflect.Type) (any, error) { return nil, errNoValue }

// ConvertToType implements ref.Val.
func (r *record) ConvertToType(ref.Type) ref.Val { return types.WrapErr(errNoValue) }

// Equal implements ref.Val. Objects do not compare: whoever wants that means
// their fields.
func (r *record) Equal(ref.Val) ref.Val { return types.WrapErr(errNoValue) }

// Type implements ref.Val.
func (r *record) Type() ref.Type { return types.NewObjectType(typePrefix + "object") }

// Value implements ref.Val.
func (r *record) Value() any { return r }
