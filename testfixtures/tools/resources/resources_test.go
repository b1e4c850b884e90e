package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNumbers(t *testing.T) {
	for v, want := range map[string][4]uint16{
		"v1.2.3":               {1, 2, 3, 0},
		"1.2.3":                {1, 2, 3, 0},
		"v1.2.3-45-gabcdef0":   {1, 2, 3, 45},
		"v1.2.3-4-gabc-dirty":  {1, 2, 3, 4},
		"v1.2.3-dirty":         {1, 2, 3, 0},
		"v1.2.3-rc1-5-gabc":    {1, 2, 3, 0},
		"v0.70000.1":           {},
		"v1.2":                 {},
		"d96d242":              {},
		"1234567-dirty":        {},
		"dev":                  {},
		"":                     {},
		"v1.2.3-70000-gabcdef": {1, 2, 3, 0},
	} {
		if got := numbers(v); got != want {
			t.Errorf("%q is %v, want %v", v, got, want)
		}
	}
}

// TestRefuses has it stop at what it cannot do, and leave files alone then.
func TestRefuses(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "a.exe")
	if err := os.WriteFile(program, []byte("MZ and no more"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		nil, {"write"}, {"stamp"}, {"stamp", "--version", "1"}, {"stamp", program}, {"erase"}, {"write", "--root", dir},
		{"stamp", "--version", "1", program}, {"stamp", "--version", "1", filepath.Join(dir, "b.exe")},
	} {
		if err := run(args); err == nil {
			t.Errorf("%q was done", strings.Join(args, " "))
		}
	}
	if data, err := os.ReadFile(program); err != nil || string(data) != "MZ and no more" {
		t.Errorf("the file is %q, %v", data, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("there are %v, %v", entries, err)
	}
}
