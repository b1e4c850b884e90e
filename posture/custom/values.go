package custom

import (
	"strconv"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// defaultValue is how reg.exe calls the value of a key that has no name.
const defaultValue = "(Default)"

// registry reads a value, or only whether the key is there.
func (l *looker) registry(o observe.Observation) {
	key := evidence.RegistryKey(o.Key)
	l.reading.From(key)
	values, err := l.machine.Registry(l.ctx, key)
	if err != nil {
		l.failed(o, err)
		return
	}
	if o.Name == "" {
		l.here(o)
		return
	}
	name := o.Name
	if strings.EqualFold(name, defaultValue) {
		name = ""
	}
	v, ok := values.Values[strings.ToLower(name)]
	if !ok {
		l.absent(o)
		return
	}
	l.here(o)
	text, number, why := registryText(v)
	switch {
	case why != "":
		l.reading.Unknown("value", o.ID, why)
	case !number && observe.SpeaksOfSecret(name):
		l.reading.Unknown("value", o.ID, fact.ReasonRefused)
	default:
		l.text(o, "value", text)
	}
}

// registryText writes a value as text: numbers in decimal, several texts with a
// comma and a space between, bytes in lower-case hex.
func registryText(v evidence.RegistryValue) (text string, number bool, why fact.Reason) {
	switch v.Type {
	case "REG_SZ", "REG_EXPAND_SZ":
		return v.Data, false, ""
	case "REG_MULTI_SZ":
		return strings.Join(strings.FieldsFunc(strings.ReplaceAll(v.Data, `\0`, "\x00"), func(c rune) bool { return c == 0 }), ", "), false, ""
	case "REG_DWORD", "REG_QWORD":
		n, err := strconv.ParseUint(v.Data, 0, 64)
		if err != nil {
			return "", false, fact.ReasonMalformed
		}
		return strconv.FormatUint(n, 10), true, ""
	case "REG_BINARY":
		return strings.ToLower(v.Data), false, ""
	}
	return "", false, fact.ReasonMalformed
}

// plist reads the value at the end of a way through dictionaries.
func (l *looker) plist(o observe.Observation) {
	if _, ok := l.found(o); !ok {
		return
	}
	data, err := l.machine.ReadFile(l.ctx, o.Path)
	if err != nil {
		l.failed(o, err)
		return
	}
	if len(data) >= evidence.MaxFile {
		l.unknown(o, fact.ReasonTruncated)
		return
	}
	at, err := evidence.ParsePlist(data)
	if err != nil {
		l.unknown(o, fact.ReasonUnreadable)
		return
	}
	secret := false
	for _, key := range o.Keys {
		dict, ok := at.(map[string]any)
		if !ok { // the list is of another form than the one that was meant
			l.unknown(o, fact.ReasonMalformed)
			return
		}
		if at, ok = dict[key]; !ok {
			l.absent(o)
			return
		}
		secret = secret || observe.SpeaksOfSecret(key)
	}
	l.here(o)
	text, number, ok := plistText(at)
	switch {
	case !ok:
		l.reading.Unknown("value", o.ID, fact.ReasonMalformed)
	case secret && !number:
		l.reading.Unknown("value", o.ID, fact.ReasonRefused)
	default:
		l.text(o, "value", text)
	}
}

// plistText writes a value as text; number is true of what can be no secret.
// Dictionaries and arrays have no text.
func plistText(v any) (text string, number, ok bool) {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v), true, true
	case string:
		n, err := strconv.ParseInt(v, 10, 32)
		return v, err == nil && strconv.FormatInt(n, 10) == v, true
	case time.Time:
		return v.UTC().Format(time.RFC3339), true, true
	}
	return "", false, false
}
