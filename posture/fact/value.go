package fact

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Kind is the type of a fact's value and fixes how two values compare.
type Kind string

// The kinds. Ages, percentages and counts are never facts: the broker computes
// ages from timestamps.
const (
	Boolean   Kind = "boolean"
	Enum      Kind = "enum"      // one word of a closed list
	Version   Kind = "version"   // dotted, compared part by part
	Timestamp Kind = "timestamp" // RFC 3339, UTC, whole seconds
	Duration  Kind = "duration"  // a setting in whole seconds, decimal; never an age
	Text      Kind = "text"      // an identity such as a product name
)

// Value is one fact's value: a boolean, or a string whose meaning the Kind
// gives. The zero Value is "no value" and equals nothing.
type Value struct {
	set    bool
	isBool bool
	b      bool
	s      string
}

// Bool makes a boolean value.
func Bool(b bool) Value { return Value{set: true, isBool: true, b: b} }

// Str makes an enum, version or text value, cut at MaxString bytes.
func Str(s string) Value { return Value{set: true, s: Clip(s)} }

// Time makes a timestamp value in UTC with whole seconds.
func Time(t time.Time) Value {
	return Value{set: true, s: t.UTC().Truncate(time.Second).Format(time.RFC3339)}
}

// Seconds makes a duration value, cut to whole seconds.
func Seconds(d time.Duration) Value {
	return Value{set: true, s: strconv.FormatInt(int64(d/time.Second), 10)}
}

// AsDuration returns the length of time and whether v is one.
func (v Value) AsDuration() (time.Duration, bool) {
	n, err := strconv.ParseInt(v.s, 10, 64)
	ok := err == nil && v.set && !v.isBool && n >= 0 && n <= maxSeconds
	if !ok {
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}

// maxSeconds keeps a duration well inside what time.Duration can hold.
const maxSeconds = 1 << 32

// IsSet reports whether v holds anything.
func (v Value) IsSet() bool { return v.set }

// AsBool returns the boolean and whether v is one.
func (v Value) AsBool() (value, ok bool) { return v.b, v.set && v.isBool }

// AsString returns the string and whether v is one.
func (v Value) AsString() (string, bool) { return v.s, v.set && !v.isBool }

// AsTime returns the instant and whether v is a timestamp.
func (v Value) AsTime() (time.Time, bool) {
	if !v.set || v.isBool {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, v.s)
	return t, err == nil
}

// String is for people and logs.
func (v Value) String() string {
	switch {
	case !v.set:
		return "(none)"
	case v.isBool:
		return strconv.FormatBool(v.b)
	}
	return v.s
}

// MarshalJSON writes true, false, a string, or null for no value.
func (v Value) MarshalJSON() ([]byte, error) {
	switch {
	case !v.set:
		return []byte("null"), nil
	case v.isBool:
		return strconv.AppendBool(nil, v.b), nil
	}
	return json.Marshal(v.s)
}

// UnmarshalJSON reads what MarshalJSON writes and refuses every other type.
func (v *Value) UnmarshalJSON(data []byte) error {
	switch {
	case string(data) == "null":
		*v = Value{}
	case string(data) == "true" || string(data) == "false":
		*v = Bool(data[0] == 't')
	case len(data) > 0 && data[0] == '"':
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		if len(s) > MaxString {
			return fmt.Errorf("string of %d bytes, at most %d allowed", len(s), MaxString)
		}
		*v = Value{set: true, s: s}
	default:
		return errors.New("a fact's value is true, false, a string or null")
	}
	return nil
}

// fits reports whether v is a well-formed value of kind k.
func (v Value) fits(d Def) error {
	if !v.set {
		return errors.New("no value")
	}
	if (d.Kind == Boolean) != v.isBool {
		return fmt.Errorf("want a %s, got %s", d.Kind, v)
	}
	switch d.Kind {
	case Timestamp:
		if _, ok := v.AsTime(); !ok {
			return fmt.Errorf("%q is not an RFC 3339 time", v.s)
		}
	case Duration:
		if _, ok := v.AsDuration(); !ok {
			return fmt.Errorf("%q is not a number of seconds", v.s)
		}
	case Enum:
		if rank(d.Ranks, v.s) < 0 {
			return fmt.Errorf("%q is not one of %s", v.s, strings.Join(d.Ranks, ", "))
		}
	case Version:
		if v.s == "" {
			return errors.New("empty version")
		}
	}
	return nil
}

func rank(ranks []string, s string) int {
	for i, r := range ranks {
		if r == s {
			return i
		}
	}
	return -1
}

// CompareVersions orders two dotted versions part by part: numeric parts by
// number, others by text, a numeric part above a textual one, and a missing
// part below a present one, so that 12 < 12.1 < 12.10. It returns -1, 0 or 1.
// Separators are dot, dash, plus, tilde and underscore.
func CompareVersions(a, b string) int {
	as, bs := versionParts(a), versionParts(b)
	for i := 0; i < len(as) || i < len(bs); i++ {
		switch {
		case i >= len(as):
			return -1
		case i >= len(bs):
			return 1
		}
		if c := comparePart(as[i], bs[i]); c != 0 {
			return c
		}
	}
	return 0
}

func versionParts(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(".-+~_", r) })
}

func comparePart(a, b string) int {
	x, errA := strconv.ParseUint(a, 10, 64)
	y, errB := strconv.ParseUint(b, 10, 64)
	switch {
	case errA == nil && errB == nil:
		if x != y {
			if x < y {
				return -1
			}
			return 1
		}
		return 0
	case errA == nil:
		return 1
	case errB == nil:
		return -1
	}
	return strings.Compare(a, b)
}
