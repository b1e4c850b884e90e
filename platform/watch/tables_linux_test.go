package watch

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/postern-zt/postern/platform/osexec"
)

// lockTables does what iptables-legacy does about its lock: the file is made if
// it is not there, opened for reading, and locked (flock(2)).
func lockTables(t *testing.T) int {
	t.Helper()
	fd, err := unix.Open(tablesLock, unix.O_CREAT|unix.O_RDONLY|unix.O_CLOEXEC, 0o600)
	if err == nil {
		err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// ownRun gives the namespace that the test is in a /run of its own.
func ownRun(t *testing.T) {
	t.Helper()
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=0755"); err != nil {
		t.Fatal(err)
	}
}

// A change of legacy tables is told when it is made: when its lock is let go
// of, and not when it is taken.
func TestLegacyTablesAreToldWhenTheirLockIsFree(t *testing.T) {
	if !inside(t, "--net") {
		return
	}
	ownRun(t)
	w := start(t)
	if err := w.SetFirewall(kind); err != nil {
		t.Fatal(err)
	}
	unix.Close(lockTables(t))
	if e := next(t, w, CauseFirewall); e.Kind != kind || e.Path != "" || e.At <= 0 {
		t.Errorf("the first lock ever: event %+v", e)
	}
	gather(t, w)
	for range 3 {
		fd := lockTables(t)
		untold(t, w, "a lock that is held")
		unix.Close(fd)
		if all := gather(t, w); len(all) != 1 || all[0].Cause != CauseFirewall {
			t.Errorf("a lock that was let go of: told were %+v, want one event", all)
		}
	}
	if err := os.Remove(tablesLock); err != nil {
		t.Fatal(err)
	}
	gather(t, w)
	unix.Close(lockTables(t))
	next(t, w, CauseFirewall)
	gather(t, w)
	write(t, "/run/another", "")
	untold(t, w, "another file of the folder")
}

// TestLegacyProgram asks the program itself: a change is told, and reading the
// tables as this product does is not, or each reading would ask for the next.
func TestLegacyProgram(t *testing.T) {
	if !inside(t, "--net") {
		return
	}
	ownRun(t)
	w := start(t)
	if err := w.SetFirewall(kind); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) bool {
		t.Helper()
		list := osexec.List{args[0]: {"/usr/sbin/" + args[0], "/sbin/" + args[0]}}
		_, err := list.Run(t.Context(), args[0], args[1:]...)
		var missing *osexec.MissingError
		var refused *osexec.ExitError
		switch {
		case errors.As(err, &missing):
			t.Log("not tried:", err)
			return false
		case errors.As(err, &refused): // a kernel without legacy tables: the lock is taken all the same
			t.Log(args, err)
		case err != nil:
			t.Fatal(err)
		}
		return true
	}
	for _, family := range []string{"iptables", "ip6tables"} {
		if !run(family+"-legacy", "-A", "INPUT", "-j", "DROP") {
			continue
		}
		next(t, w, CauseFirewall)
		gather(t, w)
		run(family + "-legacy-save")
		untold(t, w, family+"-legacy-save")
	}
}
