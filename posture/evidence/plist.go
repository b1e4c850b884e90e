package evidence

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// maxPlistDepth bounds how deep containers of a property list may nest.
const maxPlistDepth = 32

// ParsePlist reads a property list in its XML form (Apple's plist(5)): strings,
// integers and reals as string, dates as time.Time, booleans as bool, arrays
// as []any and dictionaries as map[string]any. Data elements are their text.
// The binary form is an error.
func ParsePlist(data []byte) (any, error) {
	if bytes.HasPrefix(data, []byte("bplist")) {
		return nil, errors.New("property list is in its binary form")
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	for {
		t, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("property list: %w", err)
		}
		if start, ok := t.(xml.StartElement); ok && start.Name.Local != "plist" {
			return plistValue(d, start, 0)
		}
	}
}

func plistValue(d *xml.Decoder, start xml.StartElement, depth int) (any, error) {
	if depth > maxPlistDepth {
		return nil, errors.New("property list: nested too deep")
	}
	switch start.Name.Local {
	case "dict":
		return plistDict(d, depth)
	case "array":
		return plistArray(d, depth)
	case "true", "false":
		return start.Name.Local == "true", d.Skip()
	}
	text, err := plistText(d)
	if err != nil {
		return nil, err
	}
	switch start.Name.Local {
	case "date":
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return nil, fmt.Errorf("property list: %w", err)
		}
		return at, nil
	case "string", "integer", "real", "data":
		return text, nil
	}
	return nil, fmt.Errorf("property list: element %q is not of a property list", start.Name.Local)
}

func plistDict(d *xml.Decoder, depth int) (map[string]any, error) {
	out := map[string]any{}
	for {
		start, more, err := plistNext(d)
		if err != nil || !more {
			return out, err
		}
		if start.Name.Local != "key" {
			return nil, errors.New("property list: a dictionary's value has no key")
		}
		key, err := plistText(d)
		if err != nil {
			return nil, err
		}
		start, more, err = plistNext(d)
		if err != nil || !more {
			return nil, errors.Join(errors.New("property list: a dictionary's key has no value"), err)
		}
		if out[key], err = plistValue(d, start, depth+1); err != nil {
			return nil, err
		}
	}
}

func plistArray(d *xml.Decoder, depth int) ([]any, error) {
	var out []any
	for {
		start, more, err := plistNext(d)
		if err != nil || !more {
			return out, err
		}
		v, err := plistValue(d, start, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
}

// plistNext moves to the next element of a container; more is false at its end.
func plistNext(d *xml.Decoder) (start xml.StartElement, more bool, err error) {
	for {
		t, err := d.Token()
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return xml.StartElement{}, false, fmt.Errorf("property list: %w", err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			return t, true, nil
		case xml.EndElement:
			return xml.StartElement{}, false, nil
		}
	}
}

// plistText reads the text up to the end of the present element.
func plistText(d *xml.Decoder) (string, error) {
	var b strings.Builder
	for {
		t, err := d.Token()
		if err != nil {
			return "", fmt.Errorf("property list: %w", err)
		}
		switch t := t.(type) {
		case xml.CharData:
			b.Write(t)
		case xml.EndElement:
			return strings.TrimSpace(b.String()), nil
		case xml.StartElement:
			return "", fmt.Errorf("property list: element %q inside text", t.Name.Local)
		}
	}
}
