package osversion

import (
	"fmt"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// parseSystemVersion reads a SystemVersion.plist.
func parseSystemVersion(data []byte) (told, error) {
	top, err := evidence.ParsePlist(data)
	if err != nil {
		return told{}, &evidence.Error{Reason: fact.ReasonUnreadable, Op: "read " + basePlist, Err: err}
	}
	values, _ := top.(map[string]any)
	text := func(name string) string {
		s, _ := values[name].(string)
		return clean(s)
	}
	t := told{version: text("ProductVersion"), extra: text("ProductVersionExtra"), build: text("ProductBuildVersion")}
	if !isMacVersion(t.version) {
		return told{}, &evidence.Error{Reason: fact.ReasonUnreadable, Op: "read " + basePlist, Err: fmt.Errorf("ProductVersion %.20q", t.version)}
	}
	if !isMacBuild(t.build) {
		t.build = ""
	}
	return t, nil
}

// parseSwVers reads what sw_vers(1) prints: names and values, with a colon and
// tabs between them.
func parseSwVers(text string) told {
	var t told
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		value = clean(value)
		switch strings.TrimSpace(name) {
		case "ProductVersion":
			t.version = value
		case "ProductVersionExtra":
			t.extra = value
		case "BuildVersion":
			t.build = value
		}
	}
	if !isMacVersion(t.version) {
		return told{}
	}
	if !isMacBuild(t.build) {
		t.build = ""
	}
	return t
}

// isMacVersion is true of two or three numbers with dots between them, or one.
func isMacVersion(s string) bool {
	parts := strings.Split(s, ".")
	for _, p := range parts {
		if p == "" || len(p) > 4 || strings.Trim(p, "0123456789") != "" {
			return false
		}
	}
	return len(parts) <= 4
}

// isMacBuild is true of builds such as 25G83, 21H1320 and 22E772610a.
func isMacBuild(s string) bool {
	if len(s) < 3 || len(s) > 16 || s[0] < '0' || s[0] > '9' {
		return false
	}
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
