package buildinfo

import (
	"runtime/debug"
	"testing"
)

func TestChoose(t *testing.T) {
	module := func(v string) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: v}}
	}
	for _, tc := range []struct {
		name, linked string
		info         *debug.BuildInfo
		want         string
	}{
		{"linker wins", "1.2.3", module("v9.9.9"), "1.2.3"},
		{"module version", "", module("v0.4.0"), "v0.4.0"},
		{"unversioned build", "", module("(devel)"), "dev"},
		{"empty module version", "", module(""), "dev"},
		{"no build information", "", nil, "dev"},
	} {
		if got := choose(tc.linked, tc.info); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
	if Version() == "" {
		t.Error("the version is empty")
	}
}
