package evidence

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParsePlist(t *testing.T) {
	const head = `<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "x"><plist version="1.0">`
	tests := []struct {
		name, text string
		want       any // nil: an error
	}{
		{"every kind", `<dict><key>s</key><string> a &amp; b </string><key>i</key><integer>7</integer><key>t</key><true/><key>f</key><false></false>
			<key>d</key><date>2026-03-01T12:00:00Z</date><key>a</key><array><string>x</string><dict/></array></dict></plist>`,
			map[string]any{"s": "a & b", "i": "7", "t": true, "f": false, "d": time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
				"a": []any{"x", map[string]any{}}}},
		{"cut short", `<dict><key>s</key><string>a`, nil},
		{"value without key", `<dict><string>a</string></dict></plist>`, nil},
		{"key without value", `<dict><key>a</key></dict></plist>`, nil},
		{"foreign element", `<html/></plist>`, nil},
		{"element in text", `<string><b/></string></plist>`, nil},
		{"bad date", `<date>yesterday</date></plist>`, nil},
		{"too deep", strings.Repeat("<array>", 100) + strings.Repeat("</array>", 100) + "</plist>", nil},
		{"nothing", `</plist>`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParsePlist([]byte(head + tt.text))
			if tt.want == nil {
				if err == nil {
					t.Fatalf("read as %v", got)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	if _, err := ParsePlist([]byte("bplist00\xd1")); err == nil || !strings.Contains(err.Error(), "binary") {
		t.Errorf("binary form: %v", err)
	}
}

func FuzzParsePlist(f *testing.F) {
	for _, name := range []string{"installhistory/plaso-InstallHistory.plist", "systemversion-plist/elastic-10.12.6.plist"} {
		data, err := os.ReadFile("../../testfixtures/captures/macos/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("<plist><array><array/></array></plist>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if v, err := ParsePlist(data); err == nil && v == nil {
			if !strings.Contains(string(data), "array") { // an empty array reads as nil
				t.Error("no value and no error")
			}
		}
	})
}

const regOutput = "\r\nHKEY_LOCAL_MACHINE\\SOFTWARE\\X\r\n" +
	"    Name With Spaces    REG_SZ    a  b    c\r\n" +
	"    Number    REG_DWORD    0x22ab\r\n" +
	"    (Default)    REG_SZ    \r\n" +
	"    Many    REG_MULTI_SZ    a\\0b\r\n" +
	"\r\nHKEY_LOCAL_MACHINE\\SOFTWARE\\X\\Sub\r\n" +
	"    Number    REG_DWORD    0x1\r\n"

func TestParseRegistry(t *testing.T) {
	r := ParseRegistry([]byte(regOutput))
	if s, ok := r.Text("name with SPACES"); !ok || s != "a  b    c" {
		t.Errorf("text %q, %v", s, ok)
	}
	if n, ok := r.Number("Number"); !ok || n != 0x22ab {
		t.Errorf("number %#x, %v: that of the subkey must not count", n, ok)
	}
	if _, ok := r.Text("Number"); ok {
		t.Error("a number read as text")
	}
	if _, ok := r.Number("Many"); ok {
		t.Error("a list read as a number")
	}
	if _, ok := r.Text("(Default)"); ok {
		t.Error("an empty value counts as text")
	}
	if _, ok := Registry(nil).Number("x"); ok {
		t.Error("a value of no key")
	}
}

func FuzzParseRegistry(f *testing.F) {
	f.Add([]byte(regOutput))
	f.Fuzz(func(t *testing.T, data []byte) {
		for name, v := range ParseRegistry(data) {
			if !strings.HasPrefix(v.Type, "REG_") || strings.ContainsAny(name+v.Data, "\n") {
				t.Errorf("%q: %+v", name, v)
			}
		}
	})
}
