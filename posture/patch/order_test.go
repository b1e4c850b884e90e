package patch

import "testing"

// The cases follow deb-version(7) and Debian Policy 5.6.12, rpm-version(7),
// vercmp(8) and the APKBUILD reference.
func TestOrder(t *testing.T) {
	tests := []struct {
		name  string
		order func(a, b string) int
		lists [][]string // each in rising order
		same  [][2]string
	}{
		{"deb", debianOrder, [][]string{
			{"~~", "~~a", "~", "", "a"},
			{"1.0~rc1-1", "1.0-1", "1.0-1+deb12u1", "1.0-1.1", "1.0-2", "1.0-10", "1.0a-1", "1.0.1-1"},
			{"1.0-1", "1.0a-1", "1.0+b-1", "1:0.1-1", "2:0-1"},
			{"2.36-9+deb12u9", "2.36-9+deb12u10", "2.36-10"},
			{"12.4+deb12u11", "12.4+deb12u15"},
			{"5.2.15-2+b8", "5.2.15-2+b13"},
			{"9.9", "10.0", "10.00001", "99999999999999999999999", "100000000000000000000000"},
			{"1-1-1", "1-1-2", "1-2-1"},
		}, [][2]string{{"1.0", "1.0-0"}, {"0:1.0-1", "1.0-1"}, {"1.00", "1.0"}}},
		{"rpm", rpmOrder, [][]string{
			{"1.0~rc1", "1.0", "1.0^git1", "1.0a", "1.0.1", "1.1"},
			{"1.0^20240101", "1.0^20240102", "1.0.1"},
			{"1.0~~a", "1.0~rc1^git2", "1.0"},
			{"6.11.5-300.fc41", "6.11.6-200.fc40", "6.11.6-300.fc41", "6.11.10-300.fc41"},
			{"1:0.1", "2:0"}, {"5.14.0-427.13.1.el9_4", "5.14.0-427.20.1.el9_4", "5.14.0-503.el9"},
		}, [][2]string{{"1.0", "1.0-5"}, {"1.0", "1_0"}, {"0:1", "1"}}},
		{"pacman", pacmanOrder, [][]string{
			{"1.0a", "1.0alpha", "1.0b", "1.0beta", "1.0p", "1.0pre", "1.0rc", "1.0", "1.0.a", "1.0.1"},
			{"1.0-1", "1.0-2", "1.0-10", "1:0.1-1"}, {"6.12.1.arch1-1", "6.12.4.arch1-1"},
		}, [][2]string{{"1.0", "1.0-3"}}},
		{"apk", alpineOrder, [][]string{
			{"1.0_alpha1-r0", "1.0_beta-r0", "1.0_rc1-r0", "1.0_rc2-r0", "1.0-r0", "1.0-r1", "1.0-r10", "1.0_p1-r0", "1.0a-r0", "1.0.1-r0"},
			{"1.2.4_git20230717-r4", "1.2.4_git20230717-r5"}, {"3.3.1-r3", "3.3.2-r0", "3.10.0-r0"},
		}, [][2]string{{"1.0", "1.0-r0"}}},
	}
	for _, tt := range tests {
		for _, list := range tt.lists {
			for i, a := range list {
				for j, b := range list {
					if c := tt.order(a, b); (c < 0) != (i < j) || (c > 0) != (i > j) {
						t.Errorf("%s: %q to %q: %d", tt.name, a, b, c)
					}
				}
			}
		}
		for _, s := range tt.same {
			if tt.order(s[0], s[1]) != 0 || tt.order(s[1], s[0]) != 0 {
				t.Errorf("%s: %q and %q differ", tt.name, s[0], s[1])
			}
		}
	}
}
