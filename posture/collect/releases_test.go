package collect

import (
	"testing"

	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// A newer table of releases takes the place of the shipped one; an older one or
// text that is none does not.
func TestSetReleases(t *testing.T) {
	const row = "release\tdebian\t99\t\tFuture\t2030-01-01\t2035-06-30\t\n"
	m := evidence.NewMemory(evidence.Linux, day)
	m.SetFile("/etc/os-release", "ID=debian\nVERSION_ID=99\n")
	c := New(Config{Machine: m, Clock: clock.NewFake(day), Version: "1"})
	ends := func() fact.Fact {
		c.Reread(t.Context(), fact.SignalOS, fact.SignalPatch)
		s := signal(t, c.Last(), fact.SignalOS)
		f, _ := s.Find("", "support_end")
		f.State = s.StateOf(f)
		return f
	}
	if f := ends(); f.State != fact.Unknown || f.Reason != fact.ReasonNoRelease {
		t.Errorf("by the shipped table: %+v", f)
	}
	if err := c.SetReleases("postern-releases\t1\t2099-01-01\n" + row); err != nil {
		t.Fatal(err)
	}
	if at, ok := ends().Value.AsTime(); !ok || at.Format("2006-01-02") != "2035-07-01" {
		t.Errorf("by a newer table: %v, %v", at, ok)
	}
	if err := c.SetReleases("no table"); err == nil {
		t.Error("text that is no table was taken")
	}
	if f := ends(); f.State != fact.Observed {
		t.Errorf("after a bad one: %+v", f)
	}
	for name, text := range map[string]string{"an older one": "postern-releases\t1\t2020-01-01\n" + row, "none": ""} {
		if err := c.SetReleases(text); err != nil {
			t.Fatal(err)
		}
		if f := ends(); f.State != fact.Unknown {
			t.Errorf("by %s: %+v", name, f)
		}
	}
}
