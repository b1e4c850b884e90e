package localserver

import (
	"math"
	"testing"

	"github.com/postern-zt/postern/platform/ipc"
)

func TestConnBudget(t *testing.T) {
	for descriptors, want := range map[uint64]int{0: 0, 256: 128, 1024: 512, 8192: mostConns, 524288: mostConns, math.MaxUint64: mostConns} {
		if got := connBudget(descriptors); got != want {
			t.Errorf("%d descriptors: %d connections, want %d", descriptors, got, want)
		}
	}
	if descriptors() < leastDescriptors {
		t.Errorf("this process may have %d descriptors", descriptors())
	}
}

func person(uid uint32) ipc.Peer { return ipc.Peer{Known: true, UID: uid, Class: ipc.ClassPerson} }

func noOwner(ipc.Peer) bool { return false }

// fill takes as many places as p gets.
func fill(l *limited, p ipc.Peer) int {
	n := 0
	for l.enter(p) {
		n++
	}
	return n
}

func TestEveryUserGetsAShare(t *testing.T) {
	l := newLimited(nil, mostConns, noOwner)
	if n := fill(l, person(1000)); n != mostConns/2 {
		t.Errorf("one user alone holds %d", n)
	}
	// 1,000 watchers of a second user, though the first took all he could.
	if n := fill(l, person(1001)); n < 1000 {
		t.Errorf("the second user holds %d", n)
	}
	for uid := uint32(1002); uid < 1012; uid++ {
		if n := fill(l, person(uid)); n < 1 {
			t.Errorf("user %d is shut out", uid)
		}
	}
	if l.all >= mostConns {
		t.Errorf("%d are held of %d", l.all, mostConns)
	}
}

func TestPlacesAreGivenBack(t *testing.T) {
	l := newLimited(nil, 100, noOwner)
	for range 3 {
		n := fill(l, person(1000))
		if n != 50 {
			t.Fatalf("one user holds %d of 100", n)
		}
		for range n {
			l.leave(userOf(person(1000)))
		}
		if l.all != 0 || len(l.held) != 0 {
			t.Fatalf("%d are held by %d users after the end", l.all, len(l.held))
		}
	}
}

func TestServicesGetFew(t *testing.T) {
	l := newLimited(nil, mostConns, noOwner)
	for _, p := range []ipc.Peer{{}, {Known: true, UID: 33, Class: ipc.ClassService}, {Known: true, UID: 5}} {
		if n := fill(l, p); n != fewConns {
			t.Errorf("%+v holds %d", p, n)
		}
	}
	if n := fill(l, ipc.Peer{Known: true, Class: ipc.ClassAdministrator}); n <= 1000 {
		t.Errorf("an administrator holds %d", n)
	}
}

// One person with many user ids takes all there is; the session's owner and
// administrators still get through, and nobody else does.
func TestOwnerAndAdministratorsGetThrough(t *testing.T) {
	l := newLimited(nil, mostConns, func(p ipc.Peer) bool { return p.UID == 1000 })
	for uid := uint32(100_000); l.all < mostConns; uid++ {
		fill(l, person(uid))
		if uid > 200_000 {
			t.Fatalf("%d are held", l.all)
		}
	}
	if n := fill(l, person(1000)); n != keptConns {
		t.Errorf("the owner gets %d", n)
	}
	if n := fill(l, ipc.Peer{Known: true, Class: ipc.ClassAdministrator}); n != keptConns {
		t.Errorf("an administrator gets %d", n)
	}
	for _, p := range []ipc.Peer{person(1001), {}, {Class: ipc.ClassAdministrator}, {Known: true, UID: 33, Class: ipc.ClassService}} {
		if n := fill(l, p); n != 0 {
			t.Errorf("%+v gets %d", p, n)
		}
	}
}
