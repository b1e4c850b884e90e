package evidence

import (
	"io/fs"
	"testing"
	"testing/fstest"
)

// FuzzOpen opens folders of two files that a stranger made, and asks the
// machine for what may be in them.
func FuzzOpen(f *testing.F) {
	head := `{"format":1,"system":"linux","now":"2026-11-21T10:00:00Z","missing":"absent"}`
	f.Add(head, "files.json", `[{"path":"/etc/x","mode":"4755","kind":"socket","listing":["a"],"link":"../y"}]`)
	f.Add(head, "errors.json", `[{"op":"read","target":"/etc/x","reason":"timeout"}]`)
	f.Add(head, "commands/nft -j list ruleset.out", "{}")
	f.Add(head, "registry/x.txt", regOutput)
	f.Add(head, "wmi/root/cimv2/Win32_Bios.json", `[{"a":1}]`)
	f.Add(head, "distilled/what/etc/x", "y")
	f.Add(`{"format":1,"system":"windows","now":"2026-11-21T10:00:00+01:00","missing":"not-recorded","cut":true}`, "files/C%3A/x", "z")
	f.Fuzz(func(t *testing.T, header, name, content string) {
		if !fs.ValidPath(name) || len(content) > 1<<16 {
			return
		}
		m, err := Open(fstest.MapFS{headerFile: {Data: []byte(header)}, name: {Data: []byte(content)}})
		if err != nil {
			return
		}
		for range 2 {
			everything(t.Context(), m)
		}
	})
}
