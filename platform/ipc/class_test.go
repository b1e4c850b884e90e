package ipc

import "testing"

func TestClassOfUID(t *testing.T) {
	for _, tc := range []struct {
		goos          string
		uid, overflow uint32
		want          Class
	}{
		{"linux", 0, 65534, ClassAdministrator},
		{"linux", 1, 65534, ClassService},
		{"linux", 999, 65534, ClassService},
		{"linux", 1000, 65534, ClassPerson},
		{"linux", 60000, 65534, ClassPerson},
		{"linux", 61183, 65534, ClassPerson},
		{"linux", 61184, 65534, ClassService},
		{"linux", 65519, 65534, ClassService},
		{"linux", 65520, 65534, ClassPerson},
		{"linux", 65534, 65534, ClassService},
		{"linux", 65534, 70000, ClassService},
		{"linux", 70000, 70000, ClassService},
		{"linux", 1_200_001, 65534, ClassPerson}, // of a directory
		{"darwin", 0, 65534, ClassAdministrator},
		{"darwin", 1, 65534, ClassService},
		{"darwin", 499, 65534, ClassService},
		{"darwin", 500, 65534, ClassPerson},
		{"darwin", 501, 65534, ClassPerson},
		{"darwin", 1<<32 - 2, 65534, ClassService},
		{"darwin", 61184, 65534, ClassPerson},
		{"freebsd", 1001, 65534, ""},
		{"windows", 1001, 65534, ""},
	} {
		if got := classOfUID(tc.goos, tc.uid, tc.overflow); got != tc.want {
			t.Errorf("%s uid %d, overflow %d: %q, want %q", tc.goos, tc.uid, tc.overflow, got, tc.want)
		}
	}
}

func TestClassOfToken(t *testing.T) {
	const ada = "S-1-5-21-1004336348-1177238915-682003330-1001"
	interactive, users := group{"S-1-5-4", true}, group{"S-1-5-32-545", true}
	admin, filtered := group{sidAdministrators, true}, group{sidAdministrators, false}
	service, network := group{sidService, true}, group{"S-1-5-2", true}
	for _, tc := range []struct {
		name, user string
		groups     []group
		want       Class
	}{
		{"a person", ada, []group{users, interactive}, ClassPerson},
		{"a person of Entra ID", "S-1-12-1-1-2-3-4", []group{users}, ClassPerson},
		{"an administrator who elevated", ada, []group{users, admin, interactive}, ClassAdministrator},
		{"an administrator who did not", ada, []group{users, filtered, interactive}, ClassPerson},
		{"a person over SSH", ada, []group{users, network}, ClassPerson},
		{"LocalSystem", sidSystem, []group{admin}, ClassAdministrator},
		{"LocalSystem as a service", sidSystem, []group{admin, service}, ClassAdministrator},
		{"LocalService", "S-1-5-19", []group{users, service}, ClassService},
		{"NetworkService", "S-1-5-20", []group{users, service}, ClassService},
		{"a service's virtual account", "S-1-5-80-1-2-3-4-5", nil, ClassService},
		{"a pool of IIS", "S-1-5-82-1-2-3-4-5", nil, ClassService},
		{"the window manager", "S-1-5-90-0-1", nil, ClassService},
		{"anonymous", "S-1-5-7", nil, ClassService},
		{"a service under a person's account", ada, []group{users, service}, ClassService},
		{"a service under an administrator's account", ada, []group{admin, service}, ClassService},
		{"nobody", "", []group{admin}, ClassService},
		{"a name that only begins alike", "S-1-5-211-1", []group{admin}, ClassService},
	} {
		if got := classOfToken(tc.user, tc.groups); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}
