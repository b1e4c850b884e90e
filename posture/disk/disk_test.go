package disk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const captures = "../../testfixtures/captures/"

func capture(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(captures + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// seeds adds every file of a folder of captures to a fuzz test.
func seeds(f *testing.F, folders ...string) {
	f.Helper()
	for _, folder := range folders {
		entries, err := os.ReadDir(captures + folder)
		if err != nil {
			f.Fatal(err)
		}
		for _, e := range entries {
			if !e.IsDir() {
				f.Add(capture(f, filepath.Join(folder, e.Name())))
			}
		}
	}
}

// got is a fact as text: its value, with its reason in parentheses, or its state
// with the reason.
func got(s fact.Signal, field, key string) string {
	f, ok := s.Find(key, field)
	if !ok {
		return "missing"
	}
	why := orElse(f.Reason, s.Reason)
	switch state := s.StateOf(f); {
	case state == fact.Observed && f.Reason != "":
		return f.Value.String() + " (" + string(f.Reason) + ")"
	case state == fact.Observed:
		return f.Value.String()
	default:
		return string(state) + ": " + string(why)
	}
}

func collect(t testing.TB, m evidence.Machine) fact.Signal {
	t.Helper()
	s := Collect(t.Context(), m)
	s.Collector = "test"
	if keys := s.Keys(); len(keys) > fact.MaxEntries { // cut by whoever runs the collectors
		if len(keys) > fact.MaxEntries+1 {
			t.Errorf("%d volumes", len(keys))
		}
		return s
	}
	if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
		t.Errorf("not valid: %v", err)
	}
	return s
}

// expect compares facts by address: "system_status", or "key field".
func expect(t *testing.T, s fact.Signal, want map[string]string) {
	t.Helper()
	for address, w := range want {
		key, field := "", address
		if i := strings.LastIndexByte(address, ' '); i >= 0 {
			key, field = address[:i], address[i+1:]
		}
		if g := got(s, field, key); g != w {
			t.Errorf("%s is %q, want %q", address, g, w)
		}
	}
}

func TestOtherSystem(t *testing.T) {
	s := collect(t, evidence.NewMemory("plan9", day))
	if s.State != fact.Unknown || s.Reason != fact.ReasonUnsupported {
		t.Errorf("%+v", s)
	}
}

func TestVolumeKey(t *testing.T) {
	long := volumeKey("/" + strings.Repeat("x", 300))
	if len(long) > fact.MaxString || long == volumeKey("/"+strings.Repeat("x", 301)) {
		t.Errorf("long id: %s", long)
	}
	if volumeKey("/a[b]") == volumeKey("/a%5Bb%5D") {
		t.Error("two ids have one key")
	}
}

func TestOrderOfVolumes(t *testing.T) {
	m := newLab(root)
	m.device("254:0", "dm-0", luks, "sda")
	m.device("8:0", "sda", "")
	lines := []string{root}
	for i := range 100 {
		n := string(rune('a'+i/26)) + string(rune('a'+i%26))
		lines = append(lines, "3 1 9:"+n+" / /mnt/"+n+" rw - ext4 /dev/x"+n+" rw")
		m.device("9:"+n, "x"+n, map[bool]string{true: luks + n}[i != 70])
	}
	m.SetFile(mountInfo, strings.Join(lines, "\n")+"\n")
	s := collect(t, m)
	keys := s.Keys()
	if len(keys) != fact.MaxEntries+1 {
		t.Fatalf("%d volumes", len(keys))
	}
	if got(s, "name", keys[0]) != "/" || got(s, "protected", keys[1]) != "false" || got(s, "data_protected", "") != "false" {
		t.Errorf("first %s, second %s", got(s, "name", keys[0]), got(s, "name", keys[1]))
	}
}
