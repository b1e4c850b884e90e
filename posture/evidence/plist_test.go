package evidence

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

const plistHead = `<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "x"><plist version="1.0">`

func TestParsePlist(t *testing.T) {
	tests := []struct {
		name, text string
		want       any // nil: an error
	}{
		{"every kind", `<dict><key>s</key><string> a &amp; b </string><key>i</key><integer>7</integer><key>t</key><true/><key>f</key><false></false>
			<key>d</key><date>2026-03-01T12:00:00Z</date><key>a</key><array><string>x</string><dict/></array><key>b</key><data>
			AAH+
			AAH+</data></dict></plist>`,
			map[string]any{"s": "a & b", "i": "7", "t": true, "f": false, "d": time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
				"a": []any{"x", map[string]any{}}, "b": "AAH+AAH+"}},
		{"cut short", `<dict><key>s</key><string>a`, nil},
		{"value without key", `<dict><string>a</string></dict></plist>`, nil},
		{"key without value", `<dict><key>a</key></dict></plist>`, nil},
		{"foreign element", `<html/></plist>`, nil},
		{"element in text", `<string><b/></string></plist>`, nil},
		{"bad date", `<date>yesterday</date></plist>`, nil},
		{"too deep", strings.Repeat("<array>", 100) + strings.Repeat("</array>", 100) + "</plist>", nil},
		{"nothing", `</plist>`, nil},
		{"an entity that is not declared", `<string>&lots;</string></plist>`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkPlist(t, []byte(plistHead+tt.text), tt.want) })
	}
}

func checkPlist(t *testing.T, data []byte, want any) {
	t.Helper()
	got, err := ParsePlist(data)
	if want == nil {
		if err == nil {
			t.Fatalf("read as %v", got)
		}
		return
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v, %v", got, err)
	}
}

// What programs write in front of a document, and in which encoding, does not
// change it.
func TestParsePlistWhateverIsAroundIt(t *testing.T) {
	document := plistHead + "<dict><key>k</key><string>Größe</string></dict></plist>"
	want := map[string]any{"k": "Größe"}
	wide := utf16.Encode([]rune("\uFEFF" + strings.Replace(document, "UTF-8", "UTF-16", 1)))
	little := make([]byte, 0, 2*len(wide))
	for _, unit := range wide {
		little = binary.LittleEndian.AppendUint16(little, unit)
	}
	for name, data := range map[string][]byte{
		"white space":     []byte(" \t\r\n" + document),
		"byte order mark": []byte("\uFEFF" + document),
		"both":            []byte("\uFEFF\n " + document),
		"utf-16":          little,
		"no header":       []byte("<dict><key>k</key><string>Größe</string></dict>"),
		"comment":         []byte(plistHead + "<!-- x --><dict><!-- y --><key>k</key><string>Größe</string></dict></plist>"),
	} {
		t.Run(name, func(t *testing.T) { checkPlist(t, data, want) })
	}
	checkPlist(t, []byte(strings.Replace(document, "UTF-8", "EBCDIC", 1)), nil)
}

// everyKind is a binary property list with every kind of value, written by the
// plistlib of Python 3.11, in base64.
const everyKind = "YnBsaXN0MDDdAQIDBAUGBwgJCgsMDQ4TFBUWFxgZGhscHR5RYVFiUWRRZlFoUWlUbG9uZ1FuUXJRc1F0UXVTdWlkow8QEVF40KESUXlDAAH+M0" +
	"HHqjDgAAAACBQAAAAAAAAAAP//////////EAdfEBAwMTIzNDU2Nzg5YWJjZGVmE//////////7Iz/gAAAAAAAAVHRleHQJZQBHAHIA9gDfAGWA" +
	"BQgjJScpKy0vNDY4Ojw+QkZISUtNUVpbbG6BipOYmaQAAAAAAAABAQAAAAAAAAAfAAAAAAAAAAAAAAAAAAAApg=="

func everyKindData(t testing.TB) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(everyKind)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestParseBinaryPlist(t *testing.T) {
	data := everyKindData(t)
	checkPlist(t, data, map[string]any{
		"s": "text", "u": "Größe", "i": "7", "n": "-5", "h": "18446744073709551615", "r": "0.5",
		"t": true, "f": false, "d": time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), "b": "AAH+",
		"a": []any{"x", map[string]any{}, []any{"y"}}, "long": "0123456789abcdef",
	})
	for i := range data { // cut short anywhere it is an error, or at least no panic
		ParsePlist(data[:i])
	}
	for i := range 20 {
		checkPlist(t, data[:len(data)-1-i], nil)
	}
}

func TestParseCapturedPlists(t *testing.T) {
	const captures = "../../testfixtures/captures/macos/"
	read := func(name string) []byte {
		data, err := os.ReadFile(captures + name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	top, err := ParsePlist(read("softwareupdate-plist/plaso-com.apple.SoftwareUpdate.plist"))
	if err != nil {
		t.Fatal(err)
	}
	update := top.(map[string]any)
	first, _ := update["RecommendedUpdates"].([]any)[0].(map[string]any)
	if update["LastResultCode"] != "2" || update["LastSessionSuccessful"] != true ||
		first["Identifier"] != "RAWCameraUpdate5.03" || first["Display Version"] != "5.03" {
		t.Errorf("binary: %v", update)
	}
	if at, _ := update["LastFullSuccessfulDate"].(time.Time); at.Truncate(time.Second) != time.Date(2014, 1, 6, 17, 43, 48, 0, time.UTC) {
		t.Errorf("date in binary: %v", at)
	}
	if v, err := ParsePlist(read("malformed/plaso-leading_whitespace.plist")); err != nil || len(v.(map[string]any)) == 0 {
		t.Errorf("leading white space: %v, %v", v, err)
	}
	checkPlist(t, read("malformed/plaso-empty.plist"), nil)
	checkPlist(t, read("malformed/plaso-truncated.plist"), nil)
}

// makeBinary joins objects to a binary property list whose first object is the
// top one. References are two bytes wide, offsets four.
func makeBinary(objects ...string) []byte {
	out := []byte("bplist00")
	var table []byte
	for _, o := range objects {
		table = binary.BigEndian.AppendUint32(table, uint32(len(out)))
		out = append(out, o...)
	}
	begin := len(out)
	out = append(out, table...)
	out = append(out, 0, 0, 0, 0, 0, 0, 4, 2)
	out = binary.BigEndian.AppendUint64(out, uint64(len(objects)))
	out = binary.BigEndian.AppendUint64(out, 0)
	return binary.BigEndian.AppendUint64(out, uint64(begin))
}

func date(seconds float64) string {
	return "\x33" + string(binary.BigEndian.AppendUint64(nil, math.Float64bits(seconds)))
}

func TestParseBinaryPlistByHand(t *testing.T) {
	tests := []struct {
		name    string
		objects []string
		want    any
	}{
		{"integer of one byte has no sign", []string{"\x10\xff"}, "255"},
		{"integer of 16 bytes", []string{"\x14" + strings.Repeat("\xff", 16)}, "-1"},
		{"real of 4 bytes", []string{"\x22\x3e\x99\x99\x9a"}, "0.3"},
		{"date before the epoch", []string{date(-0.5)}, time.Date(2000, 12, 31, 23, 59, 59, 5e8, time.UTC)},
		{"utf-8", []string{"\x73\xc3\xa4b"}, "äb"},
		{"text that is not utf-8", []string{"\x52\xffb"}, "\uFFFDb"},
		{"set", []string{"\xc1\x00\x01", "\x51x"}, []any{"x"}},
		{"one object in two places", []string{"\xa2\x00\x01\x00\x01", "\x51x"}, []any{"x", "x"}},
		{"nulls are left out", []string{"\xa2\x00\x01\x00\x02", "\x00", "\x51x"}, []any{"x"}},
		{"null alone", []string{"\x00"}, nil},
		{"uid alone", []string{"\x80\x05"}, nil},
		{"date that is no number", []string{date(math.NaN())}, nil},
		{"date beyond every calendar", []string{date(1e300)}, nil},
		{"key that is no text", []string{"\xd1\x00\x01\x00\x01", "\x10\x01"}, nil},
		{"an array in itself", []string{"\xa1\x00\x00"}, nil},
		{"reference to nothing", []string{"\xa1\x00\x09"}, nil},
		{"array cut short", []string{"\xaf\x10\x40\x00\x00"}, nil},
		{"text cut short", []string{"\x5f\x10\x40abc"}, nil},
		{"length that is text", []string{"\x5f\x51abc"}, nil},
		{"length beyond the file", []string{"\x5f\x13\x7f\xff\xff\xff\xff\xff\xff\xff"}, nil},
		{"number of 8 bytes cut short", []string{"\x13\x00"}, nil},
		{"number of an unknown size", []string{"\x1f" + strings.Repeat("\x00", 64)}, nil},
		{"unknown kind", []string{"\xf0"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkPlist(t, makeBinary(tt.objects...), tt.want) })
	}
}

// A few hundred bytes may stand for more values than any memory holds.
func TestParseBinaryPlistIsBounded(t *testing.T) {
	var objects []string
	for level := 1; level <= 24; level++ { // each is an array of 12 times the next
		ref := string(binary.BigEndian.AppendUint16(nil, uint16(level)))
		objects = append(objects, "\xac"+strings.Repeat(ref, 12))
	}
	checkPlist(t, makeBinary(append(objects, "\x51x")...), nil)
	many := "\xaf\x11\xff\xff" + strings.Repeat("\x00\x01", 0xffff)
	text := "\x5f\x11\x40\x00" + strings.Repeat("a", 0x4000)
	checkPlist(t, makeBinary(many, text), nil) // 64 Ki times 16 KiB
	checkPlist(t, makeBinary(many, many[:4]+strings.Repeat("\x00\x02", 0xffff), "\x00"), nil)
}

func FuzzParsePlist(f *testing.F) {
	names, err := filepath.Glob("../../testfixtures/captures/macos/*/*.plist")
	if err != nil || len(names) == 0 {
		f.Fatalf("no captures: %v", err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("<plist><array><array/></array></plist>"))
	f.Add(everyKindData(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := ParsePlist(data)
		if err != nil {
			return
		}
		if depth := plistShape(t, v); depth > maxPlistDepth+1 {
			t.Errorf("%d containers inside one another", depth)
		}
	})
}

// plistShape counts how deep a value nests and refuses kinds that the comment
// of ParsePlist does not name.
func plistShape(t *testing.T, v any) int {
	deepest := 0
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			deepest = max(deepest, 1+plistShape(t, e))
		}
	case []any: // nil when it is empty
		for _, e := range v {
			deepest = max(deepest, 1+plistShape(t, e))
		}
	case string, bool, time.Time:
	default:
		t.Errorf("value of type %T", v)
	}
	return deepest
}
