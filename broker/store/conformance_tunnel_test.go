package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
)

func testSession(t *testing.T, open Opener) {
	s, ctx := open(t), t.Context()
	v := session("s", "d")
	want(t, s.AddSession(ctx, v), ErrNotFound) // no such device
	ok(t, s.AddDevice(ctx, device("d")))
	plain := v
	plain.Handle = "the handle itself"
	want(t, s.AddSession(ctx, plain), ErrNotHashed)
	ok(t, s.AddSession(ctx, v))
	want(t, s.AddSession(ctx, v), ErrExists)
	twin := session("t", "d")
	twin.Handle = v.Handle
	want(t, s.AddSession(ctx, twin), ErrExists)

	got, err := s.SessionByID(ctx, "s")
	ok(t, err)
	same(t, got, v)
	got, generation, err := s.SessionByHandle(ctx, v.Handle)
	ok(t, err)
	same(t, got, v)
	same(t, generation, HandleCurrent)
	_, err = s.SessionByID(ctx, "t")
	want(t, err, ErrNotFound)
	_, generation, err = s.SessionByHandle(ctx, Hash("never"))
	want(t, err, ErrNotFound)
	same(t, generation, Generation(""))
}

// ages checks how old each handle of session s is.
func ages(t *testing.T, s Store, wanted map[string]Generation) {
	t.Helper()
	for handle, age := range wanted {
		v, got, err := s.SessionByHandle(t.Context(), Hash(handle))
		ok(t, err)
		if got != age || v.ID != "s" {
			t.Fatalf("handle %s of session %s is %s, want %s", handle, v.ID, got, age)
		}
	}
}

func testRotate(t *testing.T, open Opener) {
	s, ctx := signedIn(t, open), t.Context()
	rotate := func(from, to string) error { return s.RotateHandle(ctx, "s", Hash(from), Hash(to), 3000) }
	ok(t, rotate("s/1", "s/2"))
	ages(t, s, map[string]Generation{"s/1": HandlePrevious, "s/2": HandleCurrent})
	v, err := s.SessionByID(ctx, "s")
	ok(t, err)
	same(t, []any{v.Handle, v.PrevHandle, v.LastRefresh}, []any{Hash("s/2"), Hash("s/1"), int64(3000)})

	// The answer was lost, twice.
	ok(t, rotate("s/1", "s/2b"))
	ok(t, rotate("s/1", "s/2c"))
	ages(t, s, map[string]Generation{"s/1": HandlePrevious, "s/2c": HandleCurrent})
	// The new one is used: now the first is two generations old.
	ok(t, rotate("s/2c", "s/3"))
	ages(t, s, map[string]Generation{"s/1": HandleOlder, "s/2c": HandlePrevious, "s/3": HandleCurrent})
	want(t, rotate("s/1", "s/x"), ErrHandleSpent)
	ok(t, rotate("s/3", "s/4"))
	want(t, rotate("s/2c", "s/x"), ErrHandleSpent)

	want(t, rotate("never", "s/x"), ErrNotFound)
	want(t, rotate("s/4", "s/1"), ErrExists)
	want(t, s.RotateHandle(ctx, "s", Hash("s/4"), "plain", 3000), ErrNotHashed)
	want(t, s.RotateHandle(ctx, "other", Hash("s/4"), Hash("s/x"), 3000), ErrNotFound)
	want(t, s.RotateHandle(ctx, "s", Hash("s/4"), Hash("s/x"), 100_000), ErrSessionEnded)
	ages(t, s, map[string]Generation{"s/4": HandleCurrent}) // the refusals changed nothing
	if _, _, err := s.SessionByHandle(ctx, Hash("s/x")); !errors.Is(err, ErrNotFound) {
		t.Fatalf("a refused handle is there: %v", err)
	}
}

// A request that was given up arrives after its repetition was answered.
func testRotateOvertaken(t *testing.T, open Opener) {
	s, ctx := signedIn(t, open), t.Context()
	ok(t, s.RotateHandle(ctx, "s", Hash("s/1"), Hash("got"), 3000))
	ok(t, s.RotateHandle(ctx, "s", Hash("s/1"), Hash("late"), 3001))
	ages(t, s, map[string]Generation{"got": HandleCurrent, "late": HandleCurrent})
	ok(t, s.RotateHandle(ctx, "s", Hash("got"), Hash("s/3"), 3002))
	ok(t, s.RotateHandle(ctx, "s", Hash("s/3"), Hash("s/4"), 3003))
	ages(t, s, map[string]Generation{"s/1": HandleOlder, "got": HandleOlder, "late": HandleOlder, "s/3": HandlePrevious})
}

func testRevoke(t *testing.T, open Opener) {
	s, ctx := signedIn(t, open), t.Context()
	ok(t, s.AddSession(ctx, session("s2", "d")))
	ok(t, s.AddDevice(ctx, device("e")))
	ok(t, s.AddSession(ctx, session("s3", "e")))
	want(t, s.RevokeSession(ctx, "none", "", 1), ErrNotFound)
	ok(t, s.RevokeSession(ctx, "s", "signed-out", 4000))
	ok(t, s.RevokeSession(ctx, "s", "again", 5000))
	ok(t, s.RevokeDeviceSessions(ctx, "d", "device-revoked", 6000))
	for id, wanted := range map[string][]any{
		"s": {int64(4000), "signed-out"}, "s2": {int64(6000), "device-revoked"}, "s3": {int64(0), ""},
	} {
		v, err := s.SessionByID(ctx, id)
		ok(t, err)
		same(t, []any{v.Revoked, v.RevokedWhy}, wanted)
	}
	want(t, s.RotateHandle(ctx, "s", Hash("s/1"), Hash("s/2"), 3000), ErrSessionEnded)
	ages(t, s, map[string]Generation{"s/1": HandleCurrent})
}

func testTunnel(t *testing.T, open Opener) {
	s, ctx := signedIn(t, open), t.Context()
	_, err := s.LiveTunnel(ctx, "d", "s", "app-a")
	want(t, err, ErrNotFound)
	a, err := s.OpenTunnel(ctx, tunnel("a"))
	ok(t, err)
	wanted := tunnel("a")
	wanted.Inner = 1
	same(t, a, wanted)
	got, err := s.LiveTunnel(ctx, "d", "s", "app-a")
	ok(t, err)
	same(t, got, wanted)

	second := tunnel("b")
	second.AppID = "app-a"
	_, err = s.OpenTunnel(ctx, second)
	want(t, err, ErrExists)
	stolen := tunnel("c")
	stolen.PublicKey = a.PublicKey
	_, err = s.OpenTunnel(ctx, stolen)
	want(t, err, ErrKeyUsed)

	ok(t, s.ExtendLease(ctx, []LeaseUpdate{{TunnelID: "a", LeaseID: "l2", Ends: 90_000, StandsOn: []string{"x.y"}}}, 59_999))
	wanted.LeaseID, wanted.LeaseEnds, wanted.StandsOn = "l2", 90_000, []string{"x.y"}
	got, err = s.LiveTunnel(ctx, "d", "s", "app-a")
	ok(t, err)
	same(t, got, wanted)

	other := tunnel("b")
	other.GatewayID = "g2"
	_, err = s.OpenTunnel(ctx, other)
	ok(t, err)
	for gateway, ids := range map[string][]string{"": {"a", "b"}, "g1": {"a"}, "g2": {"b"}, "g3": nil} {
		all, err := s.LiveTunnels(ctx, gateway, 3000)
		ok(t, err)
		same(t, tunnelIDs(all), ids)
	}
	ok(t, s.ExtendLease(ctx, nil, 1))
	ok(t, s.EndTunnels(ctx, nil, "", 1))
	ok(t, s.EndTunnels(ctx, []string{"a", "none"}, "revoked", 5000))
	_, err = s.LiveTunnel(ctx, "d", "s", "app-a")
	want(t, err, ErrNotFound)
	_, err = s.OpenTunnel(ctx, stolen)
	want(t, err, ErrKeyUsed) // the key of an ended tunnel
	want(t, s.ExtendLease(ctx, []LeaseUpdate{{TunnelID: "a", LeaseID: "l", Ends: 99_000}}, 1), ErrLeaseEnded)
}

func tunnelIDs(all []Tunnel) []string {
	var ids []string
	for _, t := range all {
		ids = append(ids, t.ID)
	}
	return ids
}

func testTunnelInner(t *testing.T, open Opener) {
	s, ctx := signedIn(t, open), t.Context()
	add := func(id string, inner int64) {
		t.Helper()
		got, err := s.OpenTunnel(ctx, tunnel(id))
		ok(t, err)
		same(t, got.Inner, inner)
	}
	add("a", 1)
	add("b", 2)
	add("c", 3)
	ok(t, s.EndTunnels(ctx, []string{"b"}, "closed", 1))
	add("d", 2)
	add("e", 4)
	ok(t, s.EndTunnels(ctx, []string{"a", "c", "d"}, "closed", 1))
	add("f", 1)
	add("g", 2)
	add("h", 3)
	add("i", 5)
}

func testTunnelRace(t *testing.T, open Opener) {
	signedIn(t, open)
	var mu sync.Mutex
	var inner []int64
	race(t, open, 12, func(s Store, i int) {
		got, err := s.OpenTunnel(context.Background(), tunnel(fmt.Sprint(i)))
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		inner = append(inner, got.Inner)
	})
	slices.Sort(inner)
	same(t, inner, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
}

func testTunnelExpiry(t *testing.T, open Opener) {
	s, ctx := signedIn(t, open), t.Context()
	for i, id := range []string{"a", "b", "c"} {
		n := tunnel(id)
		n.LeaseEnds = int64(10_000 * (i + 1))
		_, err := s.OpenTunnel(ctx, n)
		ok(t, err)
	}
	// Past its time is past extending, marked or not; and the good one with it is not extended.
	updates := []LeaseUpdate{{TunnelID: "c", LeaseID: "l", Ends: 80_000}, {TunnelID: "a", LeaseID: "l", Ends: 80_000}}
	want(t, s.ExtendLease(ctx, updates, 10_000), ErrLeaseEnded)
	live, err := s.LiveTunnels(ctx, "", 20_000)
	ok(t, err)
	same(t, tunnelIDs(live), []string{"c"})
	same(t, live[0].LeaseEnds, int64(30_000))

	expired, err := s.ExpireTunnels(ctx, 20_000)
	ok(t, err)
	same(t, len(expired), 2)
	for _, n := range expired {
		if n.Ended != n.LeaseEnds || n.EndCause != "expired" || len(n.StandsOn) != 2 {
			t.Fatalf("%+v", n)
		}
	}
	expired, err = s.ExpireTunnels(ctx, 20_000)
	ok(t, err)
	same(t, len(expired), 0)
	got, err := s.LiveTunnel(ctx, "d", "s", "app-c")
	ok(t, err)
	same(t, got.ID, "c")
}

// What was on its way when a device or a session was revoked comes too late.
func testTunnelAfterRevoke(t *testing.T, open Opener) {
	s, ctx := signedIn(t, open), t.Context()
	_, err := s.OpenTunnel(ctx, tunnel("a"))
	ok(t, err)
	extend := []LeaseUpdate{{TunnelID: "a", LeaseID: "l", Ends: 70_000}}

	foreign := tunnel("x")
	foreign.DeviceID = "e"
	_, err = s.OpenTunnel(ctx, foreign)
	want(t, err, ErrNotFound) // not that device's session
	want(t, s.ExtendLease(ctx, []LeaseUpdate{{TunnelID: "none"}}, 1), ErrLeaseEnded)
	late := tunnel("x")
	late.Created = 100_000
	_, err = s.OpenTunnel(ctx, late)
	want(t, err, ErrSessionEnded)

	ok(t, s.SetDeviceState(ctx, "d", StateQuarantined))
	_, err = s.OpenTunnel(ctx, tunnel("b"))
	want(t, err, ErrDeviceState)
	want(t, s.ExtendLease(ctx, extend, 3000), ErrDeviceState)
	ok(t, s.SetDeviceState(ctx, "d", StateActive))
	ok(t, s.ExtendLease(ctx, extend, 3000))

	ok(t, s.RevokeSession(ctx, "s", "signed-out", 4000))
	_, err = s.OpenTunnel(ctx, tunnel("b"))
	want(t, err, ErrSessionEnded)
	extend[0].Ends = 80_000
	want(t, s.ExtendLease(ctx, extend, 3000), ErrSessionEnded)
	got, err := s.LiveTunnel(ctx, "d", "s", "app-a")
	ok(t, err)
	same(t, got.LeaseEnds, int64(70_000))
}
