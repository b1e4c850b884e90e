package view

import (
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/catalogue"
	"github.com/postern-zt/postern/posture/fact"
)

// Value is what a fact's value is called by people, in the words of the
// input's language and the times of its zone: "the TPM and a PIN", "5 minutes",
// "Windows 11". It judges nothing. Names, versions and what nobody has words
// for are said as they are.
func Value(address string, v fact.Value, in Input) string {
	w := speak(in.Language)
	m := &maker{in: in, w: w, texts: catalogue.For(w.Language), d: newDial(w, in.Now, in.Zone)}
	return m.value(address, v)
}

func (m *maker) value(address string, v fact.Value) string {
	if yes, ok := v.AsBool(); ok {
		if yes {
			return m.w.Sent.Yes
		}
		return m.w.Sent.No
	}
	text := plain(v.String(), fact.MaxString)
	if word, ok := m.texts.WordOf(address, text); ok {
		return word
	}
	signal, key, field, err := fact.SplitAddress(address)
	d, known := fact.Lookup(signal, field, key != "")
	if err != nil || !known {
		return text
	}
	switch d.Kind {
	case fact.Timestamp:
		if t, ok := v.AsTime(); ok {
			return m.moment(t, d)
		}
	case fact.Duration:
		if t, ok := v.AsDuration(); ok {
			return m.length(t)
		}
	case fact.Enum:
		return spoken(text) // of a newer agent
	case fact.Text:
		return m.compound(address, text)
	}
	return text
}

// moment says when. What the table of releases says is true of whole days
// everywhere and has no time of day, and of an end, people name the last day.
func (m *maker) moment(t time.Time, d fact.Def) string {
	t = t.UTC()
	end := d.Field == "support_end" || d.Field == "extended_support_end"
	switch whole := t.Equal(t.Truncate(24 * time.Hour)); {
	case whole && end:
		return m.dayOf(t.Add(-time.Second))
	case whole && d.Field == "build_released_at":
		return m.dayOf(t)
	}
	return m.d.moment(t)
}

// dayOf is the day that a moment has in UTC.
func (m *maker) dayOf(t time.Time) string {
	return m.d.date(time.Date(t.Year(), t.Month(), t.Day(), 12, 0, 0, 0, m.d.now.Location()))
}

// compound says a text that is made of several: a list of known ones, as in
// "firewalld, iptables", or a known one with what is said closer of it, as in
// "luks2 aes-xts-plain64".
func (m *maker) compound(address, text string) string {
	parts := strings.Split(text, ", ")
	for i, part := range parts {
		word, ok := m.texts.WordOf(address, part)
		if !ok {
			parts = nil
			break
		}
		parts[i] = word
	}
	if len(parts) > 1 {
		return m.w.list(parts)
	}
	first, rest, more := strings.Cut(text, " ")
	if word, ok := m.texts.WordOf(address, first); ok && more {
		return word + " (" + rest + ")"
	}
	return text
}

// length is a length of time in words: "1 hour and 30 minutes".
func (m *maker) length(t time.Duration) string {
	w := m.w.Sent
	hours, minutes, seconds := int(t/time.Hour), int(t%time.Hour/time.Minute), int(t%time.Minute/time.Second)
	var parts []string
	for _, p := range []struct {
		n    int
		word Plural
	}{{hours, valuesIn(m.w.Language).Hours}, {minutes, w.Minutes}, {seconds, w.Seconds}} {
		if p.n > 0 {
			parts = append(parts, p.word.Of(p.n))
		}
	}
	if len(parts) == 0 {
		return w.Seconds.Of(0)
	}
	return m.w.list(parts)
}

// place names the list entry that a fact belongs to, "" for a fact of the
// whole signal.
func (m *maker) place(s fact.Signal, f fact.Fact) string { return placeIn(m.texts, s, f) }

func placeIn(texts catalogue.Texts, s fact.Signal, f fact.Fact) string {
	if word, ok := texts.KeyOf(s.Name, f.Key); ok {
		return word + ": "
	}
	return placeOf(s, f)
}

// valueWords are the words of values that stand beside the labels of facts.
type valueWords struct {
	Hours              Plural
	NotKnown, NotThere string // names of lines about several facts
	For                string // {what}, {why}
	NothingAsked       string // of what an organisation asks for
}

func valuesIn(language string) valueWords {
	if language == catalogue.German {
		return germanValues()
	}
	return englishValues()
}
