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

// xmlPlist reads the XML form.
type xmlPlist struct {
	*xml.Decoder
	budget plistBudget
}

func parseXMLPlist(data []byte) (any, error) {
	data = bytes.TrimLeft(toUTF8(data), " \t\r\n\x00")
	d := &xmlPlist{Decoder: xml.NewDecoder(bytes.NewReader(data))}
	d.CharsetReader = plistCharset
	for {
		t, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("property list: %w", err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if t.Name.Local != "plist" {
				return d.value(t, 0)
			}
		case xml.EndElement:
			return nil, errors.New("property list: holds no value")
		}
	}
}

// plistCharset lets UTF-16, which was undone before, and ASCII pass under
// whatever name the document gives them.
func plistCharset(charset string, input io.Reader) (io.Reader, error) {
	name := strings.ToLower(charset)
	if strings.HasPrefix(name, "utf-16") || name == "us-ascii" || name == "ascii" {
		return input, nil
	}
	return nil, fmt.Errorf("character set %q is not read", charset)
}

func (d *xmlPlist) value(start xml.StartElement, depth int) (any, error) {
	if depth > maxPlistDepth {
		return nil, errors.New("property list: nested too deep")
	}
	if err := d.budget.take(0); err != nil {
		return nil, err
	}
	switch start.Name.Local {
	case "dict":
		return d.dict(depth)
	case "array":
		return d.array(depth)
	case "true", "false":
		return start.Name.Local == "true", d.Skip()
	}
	text, err := d.text()
	if err != nil {
		return nil, err
	}
	switch start.Name.Local {
	case "date":
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return nil, fmt.Errorf("property list: %w", err)
		}
		return at.UTC(), nil
	case "data":
		return strings.Join(strings.Fields(text), ""), nil
	case "string", "integer", "real":
		return text, nil
	}
	return nil, fmt.Errorf("property list: element %q is not of a property list", start.Name.Local)
}

func (d *xmlPlist) dict(depth int) (map[string]any, error) {
	out := map[string]any{}
	for {
		start, more, err := d.next()
		if err != nil || !more {
			return out, err
		}
		if start.Name.Local != "key" {
			return nil, errors.New("property list: a dictionary's value has no key")
		}
		key, err := d.text()
		if err != nil {
			return nil, err
		}
		start, more, err = d.next()
		if err != nil || !more {
			return nil, errors.Join(errors.New("property list: a dictionary's key has no value"), err)
		}
		if out[key], err = d.value(start, depth+1); err != nil {
			return nil, err
		}
	}
}

func (d *xmlPlist) array(depth int) ([]any, error) {
	var out []any
	for {
		start, more, err := d.next()
		if err != nil || !more {
			return out, err
		}
		v, err := d.value(start, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
}

// next moves to the next element of a container; more is false at its end.
func (d *xmlPlist) next() (start xml.StartElement, more bool, err error) {
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

// text reads the text up to the end of the present element.
func (d *xmlPlist) text() (string, error) {
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
			return strings.TrimSpace(b.String()), d.budget.take(b.Len())
		case xml.StartElement:
			return "", fmt.Errorf("property list: element %q inside text", t.Name.Local)
		}
	}
}
