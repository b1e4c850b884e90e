package evidence

import (
	"os"
	"slices"
	"testing"
	"time"
)

func TestParseRowsOfCaptures(t *testing.T) {
	read := func(name string) Row {
		data, err := os.ReadFile("../../testfixtures/captures/windows/" + name)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := ParseRows(data)
		if err != nil || len(rows) == 0 {
			t.Fatalf("%s: %d rows, %v", name, len(rows), err)
		}
		return rows[0]
	}
	guard := read("deviceguard/win11-hvci-cg-running.txt")
	if list, ok := guard.List("securityservicesrunning"); !ok || !slices.Contains(list, "1") || !slices.Contains(list, "2") {
		t.Errorf("services running: %q, %v", list, ok)
	}
	stale := read("mpcomputerstatus/normal-stale-278d.txt")
	if on, ok := stale.Bool("RealTimeProtectionEnabled"); !ok || !on {
		t.Errorf("real time protection: %v, %v", on, ok)
	}
	if n, ok := stale.Number("AntivirusSignatureAge"); !ok || n != 278 {
		t.Errorf("age of signatures: %d, %v", n, ok)
	}
}

func TestParseRowsForms(t *testing.T) {
	json := `[{"A":"x","B":[1,2],"C":null,"D":true,"E":{"deep":1},"F":"\/Date(1763719200000)\/","G":"20251121100000.000000+060"}]`
	text := "\r\nA : x\r\nB : {1, 2}\r\nD : True\r\nLong : one\r\n       two\r\n\r\n\r\nA : second\r\n"
	rows, err := ParseRows([]byte(json))
	if err != nil || len(rows) != 1 {
		t.Fatalf("%v, %v", rows, err)
	}
	for name, want := range map[string]time.Time{"f": time.UnixMilli(1763719200000), "g": time.Date(2025, 11, 21, 9, 0, 0, 0, time.UTC)} {
		if at, ok := rows[0].Time(name); !ok || !at.Equal(want) {
			t.Errorf("time %s: %v, %v", name, at, ok)
		}
	}
	if _, there := rows[0].List("C"); there {
		t.Error("a null is there")
	}
	other, err := ParseRows([]byte(text))
	if err != nil || len(other) != 2 {
		t.Fatalf("%v, %v", other, err)
	}
	for _, row := range []Row{rows[0], other[0]} {
		a, _ := row.Text("a")
		b, _ := row.List("b")
		d, _ := row.Bool("d")
		if a != "x" || !slices.Equal(b, []string{"1", "2"}) || !d {
			t.Errorf("row %v", row)
		}
	}
	if long, _ := other[0].Text("Long"); long != "onetwo" {
		t.Errorf("long value %q", long)
	}
	if rows, err := ParseRows([]byte(" \n")); err != nil || len(rows) != 0 {
		t.Errorf("nothing: %v, %v", rows, err)
	}
	if _, err := ParseRows([]byte(`[{"A":`)); err == nil {
		t.Error("half an array was taken")
	}
}

func FuzzParseRows(f *testing.F) {
	for _, folder := range []string{"windows/mpcomputerstatus", "windows/deviceguard", "windows/securitycenter"} {
		seedFrom(f, folder)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := ParseRows(data)
		if err != nil {
			return
		}
		size := 0
		for _, row := range rows {
			for name, values := range row {
				for _, v := range values {
					size += len(name) + len(v)
				}
				row.Text(name)
				row.Time(name)
			}
		}
		if size > 4*len(data)+64 {
			t.Errorf("%d bytes became %d", len(data), size)
		}
	})
}
