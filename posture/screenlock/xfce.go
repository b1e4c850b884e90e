package screenlock

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// xfceValue is one property of xfconf, and whether the person may change it.
type xfceValue struct {
	kind, text string
	locked     bool
}

// xfce reads the channel xfce4-screensaver: the person's file over the
// system's, but for properties that the system's locks. What neither sets has
// the program's default: everything on, five minutes, no delay.
func xfce(ctx context.Context, m evidence.Machine, who evidence.Session) state {
	const file = "/xfce4/xfconf/xfce-perchannel-xml/xfce4-screensaver.xml"
	values := map[string]xfceValue{}
	for _, path := range []string{"/etc/xdg" + file, who.Home + "/.config" + file} {
		data, err := m.ReadFile(ctx, path)
		switch {
		case err == nil:
			if parseXfconf(data, values) != nil {
				return nothingKnown(fact.ReasonUnreadable)
			}
		case evidence.ReasonOf(err) != fact.ReasonNotFound:
			return nothingKnown(evidence.ReasonOf(err))
		}
	}
	return xfceState(values)
}

func xfceState(values map[string]xfceValue) state {
	const source, idlePath, lockPath = "xfce4-screensaver.xml", "/saver/idle-activation/delay", "/lock/enabled"
	s := state{enabled: yesNo(true, source), managed: yesNo(values[idlePath].locked && values[lockPath].locked, source)}
	for _, path := range []string{"/saver/enabled", "/saver/idle-activation/enabled", lockPath, "/lock/saver-activation/enabled"} {
		v, there := values[path]
		switch {
		case there && v.kind == "bool" && v.text == "false":
			s.enabled = yesNo(false, source)
		case there && (v.kind != "bool" || v.text != "true") && s.enabled.is(true):
			s.enabled = unknown(fact.ReasonMalformed)
		}
	}
	s.idle = xfceMinutes(values, idlePath, 5, 1, source)
	s.delay = xfceMinutes(values, "/lock/saver-activation/delay", 0, 0, source)
	return s
}

// xfceMinutes is a number of minutes, at least the least the program takes.
func xfceMinutes(values map[string]xfceValue, path string, otherwise, least int64, source string) answer {
	n := otherwise
	if v, there := values[path]; there {
		var err error
		if n, err = strconv.ParseInt(v.text, 10, 32); err != nil || v.kind != "int" && v.kind != "uint" {
			return unknown(fact.ReasonMalformed)
		}
	}
	d, ok := seconds(max(n, least) * int64(time.Minute/time.Second))
	if !ok {
		return unknown(fact.ReasonMalformed)
	}
	return lasting(d, source)
}

// parseXfconf adds the properties of a channel's file by their path, leaving
// those that are locked already.
func parseXfconf(data []byte, into map[string]xfceValue) error {
	const maxDepth, maxPath = 16, 256
	d := xml.NewDecoder(bytes.NewReader(data))
	path, locked := []string{}, []bool{}
	for {
		t, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if len(path) > maxDepth {
				return errors.New("xfconf: nested too deep")
			}
			name, v := property(t)
			v.locked = v.locked || len(locked) > 0 && locked[len(locked)-1]
			whole := name
			if len(path) > 0 {
				whole = path[len(path)-1] + name
			}
			whole = whole[:min(len(whole), maxPath)]
			path, locked = append(path, whole), append(locked, v.locked)
			if v.kind != "" && !into[whole].locked && len(into) < 1024 && len(whole) < maxPath {
				into[whole] = v
			}
		case xml.EndElement:
			path, locked = path[:len(path)-1], locked[:len(locked)-1]
		}
	}
}

// property is the name of an element with a slash before it, and its value;
// other elements have neither.
func property(e xml.StartElement) (name string, v xfceValue) {
	for _, a := range e.Attr {
		switch a.Name.Local {
		case "name":
			if e.Name.Local == "property" {
				name = "/" + a.Value
			}
		case "type":
			v.kind = a.Value
		case "value":
			v.text = a.Value
		case "locked":
			v.locked = a.Value != ""
		}
	}
	if e.Name.Local != "property" || v.kind == "empty" {
		v.kind = ""
	}
	return name, v
}
