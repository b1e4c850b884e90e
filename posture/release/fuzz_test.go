package release

import (
	"strings"
	"testing"
)

const head = "postern-releases\t1\t2026-08-20\n"

func TestParseRefuses(t *testing.T) {
	good := head + "release\tdebian\t12\t\tBookworm\t2023-06-10\t2026-07-11\topen\nbuild\tdebian\t12.1\t\t2023-07-22\t\n"
	if _, err := Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	const r = "release\tdebian\t12\t\t\t\topen\t\n"
	bad := map[string]string{
		"nothing":               "",
		"no release":            head,
		"another version":       strings.Replace(head, "\t1\t", "\t2\t", 1) + r,
		"no day":                "postern-releases\t1\t\n" + r,
		"an impossible day":     "postern-releases\t1\t2026-02-30\n" + r,
		"a row without its end": head + strings.TrimSuffix(r, "\n"),
		"an empty row":          head + r + "\n",
		"a carriage return":     head + strings.Replace(r, "\n", "\r\n", 1),
		"a cell too many":       head + strings.Replace(r, "\n", "\t\n", 1),
		"another kind of row":   head + r + "codename\tx\n",
		"twice":                 head + r + r,
		"no support":            head + strings.Replace(r, "open", "", 1),
		"a word for a day":      head + strings.Replace(r, "open", "soon", 1),
		"a year far off":        head + strings.Replace(r, "open", "2999-01-01", 1),
		"upper case":            head + strings.Replace(r, "debian", "Debian", 1),
		"a long cell":           head + strings.Replace(r, "\t\t\t\t", "\t\t"+strings.Repeat("n", 65)+"\t\t", 1),
		"a control character":   head + strings.Replace(r, "\t\t\t\t", "\t\t\x1b\t\t", 1),
		"a build of nothing":    head + r + "build\tdebian\t13.1\t\t\t\n",
		"a build of no kind":    head + r + "build\tdebian\t12.1\t\t\tbeta\n",
		"a build twice":         head + r + "build\tdebian\t12.1\t\t\t\nbuild\tdebian\t12.1\t\t\t\n",
		"too many rows":         head + r + strings.Repeat("\n", MaxRows),
		"too many bytes":        head + r + strings.Repeat("x", MaxBytes),
	}
	for name, text := range bad {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// A table that is taken answers every question about its own rows.
func FuzzParse(f *testing.F) {
	f.Add(table, "windows", "26100.4061")
	f.Add([]byte(head+"release\tlinuxmint\t22\t\tWilma\t\topen\tover\nrelease\tlinuxmint\t22.3\t\t\t\t2029-04-30\t\n"), "linuxmint", "22.9")
	f.Add([]byte("postern-releases\t1\t2026-08-20\n"), "", "")
	f.Fuzz(func(t *testing.T, data []byte, product, version string) {
		table, err := Parse(data)
		if err != nil {
			return
		}
		if table.Dated().IsZero() || len(data) > MaxBytes {
			t.Fatal("a table without a day, or a large one, was taken")
		}
		if r, ok := table.Find(product, version); ok && (!table.Known(product, version) || !strings.HasPrefix(version, r.Version)) {
			t.Errorf("%s %s is %+v", product, version, r)
		}
		if b, ok := table.Newest(product, version); ok && b.Product != product {
			t.Errorf("newest of %s %s is %+v", product, version, b)
		}
		if b, ok := table.Build(product, version); ok && b.Number != version {
			t.Errorf("build %s of %s is %+v", version, product, b)
		}
	})
}
