package evidence

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const regOutput = "\r\nHKEY_LOCAL_MACHINE\\SOFTWARE\\X\r\n" +
	"    Name With Spaces    REG_SZ    a  b    c\r\n" +
	"    Number    REG_DWORD    0x22ab\r\n" +
	"    (Default)    REG_SZ    \r\n" +
	"    Many    REG_MULTI_SZ    a\\0b\r\n" +
	"    Raw    REG_BINARY    01FF\r\n" +
	"    Big    REG_QWORD    0x1d0000000\r\n" +
	"\r\nHKEY_LOCAL_MACHINE\\SOFTWARE\\X\\Sub\r\n" +
	"    Number    REG_DWORD    0x1\r\n"

const regFile = "\xEF\xBB\xBFWindows Registry Editor Version 5.00\r\n\r\n" +
	"[HKEY_LOCAL_MACHINE\\SOFTWARE\\X]\r\n" +
	"\"Name With Spaces\"=\"a  b    c\"\r\n" +
	"@=\"\"\r\n" +
	"\"Number\"=dword:000022ab\r\n" +
	"\"Raw\"=hex:01,\\\r\n  ff\r\n" +
	"\"Many\"=hex(7):61,00,00,00,62,00,00,00,00,00\r\n" +
	"\"Big\"=hex(b):00,00,00,d0,01,00,00,00\r\n" +
	"\"Quoted \\\"x\\\" \\\\ y\"=\"C:\\\\Windows\"\r\n" +
	"\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\X\\Sub]\r\n\"Number\"=dword:00000001\r\n"

func TestParseRegistry(t *testing.T) {
	for name, text := range map[string]string{"reg query": regOutput, "reg export": regFile} {
		t.Run(name, func(t *testing.T) {
			keys, err := ParseRegistry([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			r := keys[`HKLM\SOFTWARE\X`]
			if s, ok := r.Text("name with SPACES"); !ok || s != "a  b    c" {
				t.Errorf("text %q, %v", s, ok)
			}
			if n, ok := r.Number("Number"); !ok || n != 0x22ab {
				t.Errorf("number %#x, %v: that of the subkey must not count", n, ok)
			}
			if n, ok := r.Long("Big"); !ok || n != 0x1d0000000 {
				t.Errorf("long %#x, %v", n, ok)
			}
			if b, ok := r.Bytes("Raw"); !ok || !slices.Equal(b, []byte{1, 0xff}) {
				t.Errorf("bytes %x, %v", b, ok)
			}
			if s, ok := r.Strings("Many"); !ok || !slices.Equal(s, []string{"a", "b"}) {
				t.Errorf("strings %q, %v", s, ok)
			}
			if _, ok := r.Text("Number"); ok {
				t.Error("a number read as text")
			}
			if _, ok := r.Number("Many"); ok {
				t.Error("a list read as a number")
			}
			if _, ok := r.Text(""); ok || !r.Has("") {
				t.Error("the empty default value counts as text, or is not there")
			}
			if n, ok := keys[`HKLM\SOFTWARE\X\Sub`].Number("Number"); !ok || n != 1 {
				t.Errorf("subkey: %v, %v", n, ok)
			}
		})
	}
	if _, ok := (Registry{}).Number("x"); ok {
		t.Error("a value of no key")
	}
	keys, err := ParseRegistry([]byte("REGEDIT4\n[HKEY_LOCAL_MACHINE\\X]\n\"a\"=dword:zz\n\"b\"=hex(7):61,00,62,00,00\n\"c\n\"d\"=hex:f\n"))
	if err != nil {
		t.Fatal(err)
	}
	x := keys[`HKLM\X`]
	for _, name := range []string{"a", "d"} {
		if _, ok := x.Number(name); ok || x.Values[name].Type != Unreadable {
			t.Errorf("damaged value %s: %+v", name, x.Values[name])
		}
	}
	if s, ok := x.Strings("b"); !ok || !slices.Equal(s, []string{"a", "b"}) {
		t.Errorf("strings of version 4: %q, %v", s, ok)
	}
}

func TestMemoryRegistry(t *testing.T) {
	m := NewMemory(Windows, disk().Now())
	m.SetRegistry(regOutput)
	top, err := m.Registry(t.Context(), `HKEY_LOCAL_MACHINE\software\x\`)
	if err != nil || !slices.Equal(top.Keys, []string{"Sub"}) {
		t.Errorf("keys %q, %v", top.Keys, err)
	}
	if above, err := m.Registry(t.Context(), `HKLM\SOFTWARE`); err != nil || !slices.Equal(above.Keys, []string{"X"}) {
		t.Errorf("above: %q, %v", above.Keys, err)
	}
	if _, err := m.Registry(t.Context(), `HKLM\SOFTWARE\Y`); ReasonOf(err) != "not-found" {
		t.Errorf("a key that is not there: %v", err)
	}
}

func FuzzParseRegistry(f *testing.F) {
	f.Add([]byte(regOutput))
	f.Add([]byte(regFile))
	seedFrom(f, "windows/currentversion")
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := ParseRegistry(data)
		if err != nil {
			return
		}
		for _, key := range keys {
			for name, v := range key.Values {
				if !strings.HasPrefix(v.Type, "REG_") || strings.ToLower(v.Name) != name {
					t.Errorf("%q: %+v", name, v)
				}
			}
		}
	})
}

// seedFrom adds every capture of a folder.
func seedFrom(f *testing.F, folder string) {
	files, err := filepath.Glob("../../testfixtures/captures/" + folder + "/*")
	if err != nil || len(files) == 0 {
		f.Fatalf("captures of %s: %d, %v", folder, len(files), err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}
