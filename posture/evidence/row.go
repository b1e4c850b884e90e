package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Row is one instance of a WMI class: for each property its values, one for a
// scalar, any number for an array. A property that is null is not there. Names
// are asked for without regard to case.
type Row map[string][]string

// List is a property's values, and whether it is there.
func (r Row) List(name string) ([]string, bool) {
	if v, ok := r[name]; ok {
		return v, true
	}
	for k, v := range r {
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	return nil, false
}

// Text is the value of a scalar that is there and not empty.
func (r Row) Text(name string) (string, bool) {
	v, _ := r.List(name)
	if len(v) != 1 || strings.TrimSpace(v[0]) == "" {
		return "", false
	}
	return strings.TrimSpace(v[0]), true
}

// Number is the value of a scalar number, decimal or with 0x.
func (r Row) Number(name string) (int64, bool) {
	s, ok := r.Text(name)
	n, err := strconv.ParseInt(s, 0, 64)
	return n, ok && err == nil
}

// Bool is the value of a scalar that is True or False in any case.
func (r Row) Bool(name string) (value, ok bool) {
	s, _ := r.Text(name)
	switch strings.ToLower(s) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

// Time is the value of a date: CIM_DATETIME (20261121101500.000000+060),
// RFC 3339, or PowerShell's JSON form /Date(ms)/.
func (r Row) Time(name string) (time.Time, bool) {
	s, ok := r.Text(name)
	if !ok {
		return time.Time{}, false
	}
	return parseWMITime(s)
}

func parseWMITime(s string) (time.Time, bool) {
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at.UTC(), true
	}
	if ms, ok := strings.CutPrefix(strings.ReplaceAll(s, "\\", ""), "/Date("); ok {
		n, err := strconv.ParseInt(strings.TrimSuffix(ms, ")/"), 10, 64)
		return time.UnixMilli(n).UTC(), err == nil
	}
	if len(s) != 25 || s[14] != '.' {
		return time.Time{}, false
	}
	minutes, err := strconv.Atoi(s[21:])
	if err != nil {
		return time.Time{}, false
	}
	at, err := time.Parse("20060102150405", s[:14])
	return at.Add(-time.Duration(minutes) * time.Minute).UTC(), err == nil
}

// ParseRows reads recorded WMI instances: JSON (an object, or an array of
// objects, with scalars and arrays of scalars), or the text that PowerShell's
// Format-List writes, in which a row ends at an empty line, an array is in
// braces and long values go on in indented lines.
func ParseRows(data []byte) ([]Row, error) {
	data = toUTF8(data)
	trimmed := bytes.TrimSpace(data)
	if len(trimmed) == 0 {
		return nil, nil
	}
	if trimmed[0] == '[' || trimmed[0] == '{' {
		return parseRowsJSON(trimmed)
	}
	return parseRowsText(string(data)), nil
}

func parseRowsJSON(data []byte) ([]Row, error) {
	if data[0] == '{' {
		data = append(append([]byte{'['}, data...), ']')
	}
	var raw []map[string]any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&raw); err != nil {
		return nil, fmt.Errorf("rows: %w", err)
	}
	rows := make([]Row, 0, len(raw))
	for _, object := range raw {
		row := Row{}
		for name, v := range object {
			if values, ok := cells(v); ok {
				row[name] = values
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func cells(v any) ([]string, bool) {
	switch v := v.(type) {
	case string:
		return []string{v}, true
	case bool:
		return []string{strconv.FormatBool(v)}, true
	case json.Number:
		return []string{v.String()}, true
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			one, ok := cells(e)
			if !ok || len(one) != 1 {
				return nil, false
			}
			out = append(out, one[0])
		}
		return out, true
	}
	return nil, false
}

func parseRowsText(text string) []Row {
	var rows []Row
	row, last := Row{}, ""
	end := func() {
		if len(row) > 0 {
			rows = append(rows, row)
		}
		row, last = Row{}, ""
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		name, value, ok := strings.Cut(line, ":")
		switch {
		case strings.TrimSpace(line) == "":
			end()
		case line[0] == ' ' || line[0] == '\t':
			if last != "" && len(row[last]) == 1 {
				row[last][0] += strings.TrimSpace(line)
			}
		case ok && !strings.ContainsAny(strings.TrimSpace(name), " \t"):
			last = strings.TrimSpace(name)
			row[last] = []string{strings.TrimSpace(value)}
		}
	}
	end()
	for _, row := range rows {
		for name, v := range row {
			row[name] = braces(v[0])
		}
	}
	return rows
}

// braces undoes PowerShell's way of showing an array.
func braces(s string) []string {
	inner, ok := strings.CutPrefix(s, "{")
	if !ok || !strings.HasSuffix(inner, "}") {
		return []string{s}
	}
	inner = strings.TrimSpace(strings.TrimSuffix(inner, "}"))
	if inner == "" {
		return []string{}
	}
	parts := strings.Split(inner, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}
