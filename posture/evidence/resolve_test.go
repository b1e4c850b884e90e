package evidence

import (
	"strings"
	"testing"
)

func TestResolve(t *testing.T) {
	m := NewMemory(Linux, disk().Now())
	m.SetFile("/srv/falcon-7/bin/sensor17", "elf")
	m.SetLink("/opt/falcon", "../srv/falcon-7")
	m.SetLink("/srv/falcon-7/sensor", "bin/sensor17")
	m.SetLink("/bin", "/usr/bin")
	m.SetLink("/loop", "/loop")
	for p, want := range map[string]string{
		"/opt/falcon/sensor": "/srv/falcon-7/bin/sensor17", "/bin/true": "/usr/bin/true",
		"relative": "relative", "/a/../b": "/b", "/nowhere/at/all": "/nowhere/at/all", "/": "/",
	} {
		if got := Resolve(t.Context(), m, p); got != want {
			t.Errorf("%s is %s, want %s", p, got, want)
		}
	}
	if got := Resolve(t.Context(), m, "/loop/x"); !strings.HasPrefix(got, "/") {
		t.Errorf("a loop of links became %q", got)
	}
	if got := Resolve(t.Context(), NewMemory(Windows, disk().Now()), `C:\x\..\y`); got != `C:\x\..\y` {
		t.Errorf("a path of Windows became %s", got)
	}
}
