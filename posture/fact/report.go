package fact

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Report is everything one reading of a machine found, one Signal per kind.
type Report struct {
	Signals []Signal `json:"signals"`
}

// Signal is one kind of posture with the facts it consists of.
type Signal struct {
	Name       string    `json:"name"`
	State      State     `json:"state"`
	Reason     Reason    `json:"reason,omitempty"`
	Source     string    `json:"source,omitempty"`          // where it was read: file, registry key, command
	Collector  string    `json:"collector"`                 // which collector of which agent version
	ObservedAt time.Time `json:"observed_at"`               // when the newest of its facts was truly read
	Digest     string    `json:"evidence_digest,omitempty"` // base64url SHA-256 of what was read
	Truncated  bool      `json:"truncated,omitempty"`       // a list was cut at MaxEntries
	Facts      []Fact    `json:"facts,omitempty"`
}

// Fact is one value with its place. State "" on a fact means the state of its signal.
type Fact struct {
	Field  string `json:"field"`
	Key    string `json:"key,omitempty"` // list entry: volume id, catalogue id
	State  State  `json:"state,omitempty"`
	Reason Reason `json:"reason,omitempty"`
	Value  Value  `json:"value,omitzero"`
}

// Address is signal.field, or signal[key].field for a list entry.
func Address(signal, key, field string) string {
	if key == "" {
		return signal + "." + field
	}
	return signal + "[" + key + "]." + field
}

// SplitAddress takes an address apart; the key may be "*" for any entry.
func SplitAddress(a string) (signal, key, field string, err error) {
	if open := strings.IndexByte(a, '['); open > 0 {
		end := strings.LastIndex(a, "].")
		if end < open+2 || end+2 >= len(a) {
			return "", "", "", fmt.Errorf("fact address %q: want signal[key].field", a)
		}
		return a[:open], a[open+1 : end], a[end+2:], nil
	}
	signal, field, ok := strings.Cut(a, ".")
	if !ok || signal == "" || field == "" {
		return "", "", "", fmt.Errorf("fact address %q: want signal.field", a)
	}
	return signal, "", field, nil
}

// Matches reports whether the address pattern, as a lease stands on it, covers
// the concrete address: equal, or equal but for the key "*".
func Matches(pattern, address string) bool {
	if pattern == address {
		return true
	}
	ps, pk, pf, err := SplitAddress(pattern)
	if err != nil || pk != "*" {
		return false
	}
	as, ak, af, err := SplitAddress(address)
	return err == nil && ak != "" && ps == as && pf == af
}

// Signal finds a signal by name.
func (r Report) Signal(name string) (Signal, bool) {
	for _, s := range r.Signals {
		if s.Name == name {
			return s, true
		}
	}
	return Signal{}, false
}

// StateOf is the state of one of the signal's facts.
func (s Signal) StateOf(f Fact) State {
	if f.State != "" {
		return f.State
	}
	return s.State
}

// Find returns the fact with that key and field.
func (s Signal) Find(key, field string) (Fact, bool) {
	for _, f := range s.Facts {
		if f.Key == key && f.Field == field {
			return f, true
		}
	}
	return Fact{}, false
}

// Keys lists the entries of a keyed signal in order of appearance.
func (s Signal) Keys() []string {
	var keys []string
	for _, f := range s.Facts {
		if f.Key != "" && !slices.Contains(keys, f.Key) {
			keys = append(keys, f.Key)
		}
	}
	return keys
}

// Validate checks a report that somebody sent: names, states, kinds and limits.
// Unknown signals and fields of a newer peer are allowed and simply unused;
// a duplicate is refused, because two answers to one question are not one.
func (r Report) Validate() error {
	if len(r.Signals) > MaxEntries {
		return fmt.Errorf("posture report: %d signals, at most %d allowed", len(r.Signals), MaxEntries)
	}
	seen := map[string]bool{}
	for _, s := range r.Signals {
		if s.Name == "" || len(s.Name) > MaxString || seen[s.Name] {
			return fmt.Errorf("posture report: signal %q is empty, too long or there twice", Clip(s.Name))
		}
		seen[s.Name] = true
		if err := s.validate(); err != nil {
			return fmt.Errorf("posture report: %s: %w", s.Name, err)
		}
	}
	return nil
}

func (s Signal) validate() error {
	if !s.State.Valid() {
		return fmt.Errorf("state %q is not one of the five states", Clip(string(s.State)))
	}
	if !s.State.Usable() && s.State != NotApplicable && s.Reason == "" {
		return fmt.Errorf("state %s without a reason", s.State)
	}
	if len(s.Source) > MaxString || len(s.Collector) > MaxString || len(s.Digest) > MaxString || len(s.Reason) > MaxString {
		return fmt.Errorf("a string is longer than %d bytes", MaxString)
	}
	if len(s.Keys()) > MaxEntries || len(s.Facts) > MaxFacts {
		return fmt.Errorf("%d facts in %d entries, at most %d entries allowed", len(s.Facts), len(s.Keys()), MaxEntries)
	}
	seen := map[string]bool{}
	for _, f := range s.Facts {
		a := Address(s.Name, f.Key, f.Field)
		if seen[a] {
			return fmt.Errorf("fact %s is there twice", Clip(a))
		}
		seen[a] = true
		if err := s.validateFact(f); err != nil {
			return fmt.Errorf("fact %s: %w", Clip(a), err)
		}
	}
	return nil
}

func (s Signal) validateFact(f Fact) error {
	if len(f.Field) > MaxString || len(f.Key) > MaxString || len(f.Reason) > MaxString {
		return fmt.Errorf("a string is longer than %d bytes", MaxString)
	}
	if strings.ContainsAny(f.Key, "[]*") {
		return fmt.Errorf("key %q holds a character that addresses use", f.Key)
	}
	if f.State != "" && !f.State.Valid() {
		return fmt.Errorf("state %q is not one of the five states", Clip(string(f.State)))
	}
	d, known := Lookup(s.Name, f.Field, f.Key != "")
	if !known || s.StateOf(f) != Observed {
		return nil
	}
	return f.Value.fits(d)
}

// Digest identifies the content of a report: states, reasons and values, not
// the times of reading or the raw evidence, so that an unchanged machine has
// an unchanged digest. It is base64url of SHA-256.
func (r Report) Digest() string {
	c := Report{Signals: slices.Clone(r.Signals)}
	for i := range c.Signals {
		c.Signals[i].ObservedAt = time.Time{}
		c.Signals[i].Digest = ""
	}
	data, err := json.Marshal(c)
	if err != nil { // only strings, booleans and times are inside
		return ""
	}
	sum := sha256.Sum256(data)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
