// Package jws reads and writes signed JSON: strict decoding, compact ES256 signatures, key thumbprints.
package jws

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// maxDepth bounds nesting, so that hostile input cannot exhaust the stack.
const maxDepth = 32

// Decode reads one JSON value into target, a pointer to a wire struct, more
// strictly than encoding/json, because two readers of one token must never
// see two different things (RFC 8725 section 3.12 speaks of the class):
//
//   - a member that appears twice is refused;
//   - a member whose name differs from a known one only by case is refused;
//   - a member that is not marked omitempty or omitzero must be present;
//   - anything after the value is refused.
//
// Unknown members of a newer peer are ignored.
func Decode(data []byte, target any) error {
	t := reflect.TypeOf(target)
	if t == nil || t.Kind() != reflect.Pointer {
		return errors.New("decode JSON: the target is not a pointer")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	w := walker{dec: d}
	if err := w.value(t.Elem(), "", 0); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("decode JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("decode JSON: there is something after the value")
	}
	if err := json.Unmarshal(data, target); err != nil {
		return fmt.Errorf("decode JSON: %w", err)
	}
	return nil
}

type walker struct{ dec *json.Decoder }

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// value walks one value beside the Go type it will be decoded into; t is nil
// where the type does not matter (unknown members, custom decoders).
func (w walker) value(t reflect.Type, where string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%s is nested deeper than %d levels", place(where), maxDepth)
	}
	tok, err := w.dec.Token()
	if err != nil {
		return err
	}
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t != nil && (t.Implements(unmarshaler) || reflect.PointerTo(t).Implements(unmarshaler)) {
		t = nil
	}
	switch tok {
	case json.Delim('{'):
		return w.object(t, where, depth)
	case json.Delim('['):
		return w.array(t, where, depth)
	}
	return nil
}

func (w walker) array(t reflect.Type, where string, depth int) error {
	var elem reflect.Type
	if t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
		elem = t.Elem()
	}
	for i := 0; w.dec.More(); i++ {
		if err := w.value(elem, fmt.Sprintf("%s[%d]", where, i), depth+1); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	return err
}

func (w walker) object(t reflect.Type, where string, depth int) error {
	members := membersOf(t)
	var elem reflect.Type
	if t != nil && t.Kind() == reflect.Map {
		elem = t.Elem()
	}
	seen := map[string]bool{}
	for w.dec.More() {
		tok, err := w.dec.Token()
		if err != nil {
			return err
		}
		name, ok := tok.(string)
		if !ok {
			return fmt.Errorf("%s has a member whose name is not a string", place(where))
		}
		if seen[name] {
			return fmt.Errorf("%s has the member %q twice", place(where), clip(name))
		}
		seen[name] = true
		m, known := members[name]
		if !known {
			if near := oddCase(members, name); near != "" {
				return fmt.Errorf("%s has the member %q; it is written %q", place(where), clip(name), near)
			}
			m.typ = elem
		}
		if err := w.value(m.typ, where+"."+clip(name), depth+1); err != nil {
			return err
		}
	}
	if _, err := w.dec.Token(); err != nil {
		return err
	}
	for name, m := range members {
		if m.required && !seen[name] {
			return fmt.Errorf("%s lacks the member %q", place(where), name)
		}
	}
	return nil
}

type member struct {
	typ      reflect.Type
	required bool
}

// membersOf reads the JSON names of a struct type, embedded structs included.
func membersOf(t reflect.Type) map[string]member {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	out := map[string]member{}
	for f := range t.Fields() {
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if f.Anonymous && name == "" {
			for n, m := range membersOf(f.Type) {
				out[n] = m
			}
			continue
		}
		if name == "" {
			name = f.Name
		}
		optional := strings.Contains(opts, "omitempty") || strings.Contains(opts, "omitzero")
		out[name] = member{typ: f.Type, required: !optional}
	}
	return out
}

func oddCase(members map[string]member, name string) string {
	for known := range members {
		if strings.EqualFold(known, name) {
			return known
		}
	}
	return ""
}

func place(where string) string {
	if where == "" {
		return "the object"
	}
	return strings.TrimPrefix(where, ".")
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
