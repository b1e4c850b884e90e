package state

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
)

var (
	noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ada  = api.Person{Issuer: "https://id.example", Subject: "ada"}
)

// four is a pause of four hours, noted one hour after it began, on a machine
// that had run for two days.
func four() KeptPause {
	boot := 48 * time.Hour
	return KeepPause(Paused{Reason: "lunch", Since: boot - time.Hour, Until: boot + 3*time.Hour}, "uid:1000", ada, noon, boot)
}

func TestKeptPauseIsReadAsItWasWritten(t *testing.T) {
	k := four()
	data, err := k.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParsePause(data)
	if err != nil || !reflect.DeepEqual(got, k) {
		t.Errorf("%+v, %v; written was %+v", got, err, k)
	}
	if bytes.Contains(data, []byte("ada")) || bytes.Contains(data, []byte("id.example")) {
		t.Errorf("the note names the person: %s", data)
	}
	if !k.Since.Equal(noon.Add(-time.Hour)) || !k.Until.Equal(noon.Add(3*time.Hour)) {
		t.Errorf("it lasts from %s to %s", k.Since, k.Until)
	}
	lee := api.Person{Issuer: ada.Issuer, Subject: "lee"}
	if !k.Of("uid:1000", ada) || k.Of("uid:1001", ada) || k.Of("uid:1000", lee) || k.Of("", api.Person{}) {
		t.Error("the note does not know whose it is")
	}
}

// What is left of three hours, by what both clocks say.
func TestWhatIsLeftByBothClocks(t *testing.T) {
	k, boot := four(), 48*time.Hour
	for name, c := range map[string]struct {
		wall time.Duration // after the note
		boot time.Duration
		want time.Duration
	}{
		"the agent starts again at once": {0, boot, 3 * time.Hour},
		"an hour later":                  {time.Hour, boot + time.Hour, 2 * time.Hour},
		"at its end":                     {3 * time.Hour, boot + 3*time.Hour, 0},
		"long after":                     {300 * time.Hour, boot + 300*time.Hour, 0},
		"the computer started again, off for 1 h":    {time.Hour + time.Minute, time.Minute, 2*time.Hour - time.Minute},
		"clock set back by a day, agent restarted":   {-23 * time.Hour, boot + time.Hour, 2 * time.Hour},
		"clock set back, all of it has passed":       {-23 * time.Hour, boot + 3*time.Hour, 0},
		"clock set back, computer started again":     {-23 * time.Hour, 10 * time.Minute, 3*time.Hour - 10*time.Minute},
		"clock at its beginning after a start":       {-50 * 365 * 24 * time.Hour, time.Minute, 3*time.Hour - time.Minute},
		"clock set ahead ends it early":              {2 * time.Hour, boot + time.Minute, time.Hour},
		"clock set far ahead ends it":                {365 * 24 * time.Hour, boot + time.Minute, 0},
		"boot time is beyond what the note had":      {-time.Hour, boot + 2*time.Hour, time.Hour},
		"the system cannot tell the boot time":       {time.Minute, math.MaxInt64, 0},
		"the wall clock is as far back as it can be": {math.MinInt64, boot, 3 * time.Hour},
	} {
		p, lasts := k.Paused(noon.Add(c.wall), c.boot)
		if got := k.Left(noon.Add(c.wall), c.boot); got != c.want || lasts != (c.want > 0) {
			t.Errorf("%s: %v are left (%v), want %v", name, got, lasts, c.want)
		}
		if lasts && (p.Until != c.boot+c.want || p.Since > c.boot || p.Reason != "lunch") {
			t.Errorf("%s: it goes on as %+v at %v", name, p, c.boot)
		}
	}
}

// Whatever happens to the wall clock: of what the boot clock saw pass on the
// same start of the machine, nothing is given back; with a right clock the end
// is the same to the millisecond, however often all starts again.
func TestNoRestartProlongsAPause(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	between := func(d time.Duration) time.Duration { return time.Duration(rnd.Int64N(int64(d))) }
	for range 2000 {
		wall, boot := noon, time.Duration(rnd.Int64N(int64(1000*time.Hour)))
		length := time.Millisecond + between(MaxPause-time.Millisecond)
		p := Paused{Reason: "lunch", Since: boot, Until: boot + length}
		end, right := wall.Add(length), true
		seen := time.Duration(0) // paused and running, by the boot clock
		for n := 0; ; n++ {
			k := KeepPause(p, "uid:1", ada, wall, boot)
			data, err := k.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if k, err = ParsePause(data); err != nil {
				t.Fatalf("%v\n%s", err, data)
			}
			before := k.Left(wall, boot)
			if before > length-seen {
				t.Fatalf("%v are left of %v, of which %v have passed", before, length, seen)
			}
			passes := between(3 * time.Hour)
			wall = wall.Add(passes)
			switch rnd.IntN(4) {
			case 0: // the agent starts again
				boot += passes
				seen += passes
			case 1: // the computer does
				boot = min(between(time.Minute), passes)
			case 2: // the clock is set back
				boot += passes
				seen += passes
				wall, right = wall.Add(-between(1000*time.Hour)), false
			case 3: // or ahead
				boot += passes
				seen += passes
				wall, right = wall.Add(between(time.Hour)), false
			}
			var lasts bool
			if p, lasts = k.Paused(wall, boot); !lasts {
				if d := end.Sub(wall); right && d > time.Duration(n+2)*time.Millisecond {
					t.Fatalf("it ended %v early", d)
				}
				break
			}
			if d := end.Sub(wall.Add(p.Until - boot)); right && (d < 0 || d > time.Duration(n+2)*time.Millisecond) {
				t.Fatalf("its end moved by %v", -d)
			}
		}
	}
}

func TestNotesThatAreNone(t *testing.T) {
	good, err := four().Encode()
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(*KeptPause)) string {
		k := four()
		f(&k)
		data, err := k.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	var member map[string]any
	if err := json.Unmarshal(good, &member); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing":              "",
		"null":                 "null",
		"cut":                  string(good[:len(good)/2]),
		"zeros":                strings.Repeat("\x00", len(good)),
		"something after it":   string(good) + "{}",
		"twice the same":       strings.Replace(string(good), `{`, `{"until":"2030-01-01T00:00:00Z",`, 1),
		"another case":         strings.Replace(string(good), `"until"`, `"Until"`, 1),
		"too long":             strings.Replace(string(good), `{`, `{"x":"`+strings.Repeat("x", MaxKeptPause)+`",`, 1),
		"of a later version":   change(func(k *KeptPause) { k.Version = 2 }),
		"longer than a day":    change(func(k *KeptPause) { k.Until = k.Noted.Add(MaxPause + time.Nanosecond) }),
		"until year 9999":      change(func(k *KeptPause) { k.Until = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }),
		"over when noted":      change(func(k *KeptPause) { k.Until = k.Noted }),
		"begun after the note": change(func(k *KeptPause) { k.Since = k.Noted.Add(time.Second) }),
		"begun long ago":       change(func(k *KeptPause) { k.Since = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC) }),
		"boot below zero":      change(func(k *KeptPause) { k.NotedBootMS = -1 }),
		"boot beyond all":      change(func(k *KeptPause) { k.NotedBootMS = math.MaxInt64 }),
		"no owner":             change(func(k *KeptPause) { k.Owner = "" }),
		"no person":            change(func(k *KeptPause) { k.Person = "" }),
		"no reason":            change(func(k *KeptPause) { k.Reason = "" }),
		"reason of spaces":     change(func(k *KeptPause) { k.Reason = "  " }),
		"long reason":          change(func(k *KeptPause) { k.Reason = strings.Repeat("é", MaxPauseReason+1) }),
		"reason with a line":   change(func(k *KeptPause) { k.Reason = "a\nb" }),
	} {
		if k, err := ParsePause([]byte(text)); err == nil {
			t.Errorf("%s: taken as %+v", name, k)
		}
	}
	for name := range member { // nothing may be missing
		less := map[string]any{}
		for n, v := range member {
			if n != name {
				less[n] = v
			}
		}
		data, err := json.Marshal(less)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParsePause(data); err == nil {
			t.Errorf("taken without %s", name)
		}
	}
	if _, err := ParsePause([]byte(change(func(k *KeptPause) { k.Reason = strings.Repeat("é", MaxPauseReason) }))); err != nil {
		t.Errorf("the longest reason: %v", err)
	}
}

// Whatever the file holds and the clocks say: no crash, and no pause beyond a
// day from now.
func FuzzParsePause(f *testing.F) {
	good, err := four().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, int64(0), int64(0))
	f.Add(good, int64(math.MinInt64), int64(math.MaxInt64))
	f.Add(bytes.ReplaceAll(good, []byte("2026"), []byte("9999")), int64(1)<<40, int64(1)<<40)
	f.Add([]byte(`{"version":1}`), int64(1), int64(1))
	f.Fuzz(func(t *testing.T, data []byte, seconds, boot int64) {
		k, err := ParsePause(data)
		if err != nil {
			return
		}
		wall, up := time.Unix(seconds, 0), time.Duration(boot&math.MaxInt64)
		left := k.Left(wall, up)
		if left < 0 || left > MaxPause || left > k.Until.Sub(k.Noted) {
			t.Fatalf("%v are left of %+v", left, k)
		}
		if later := k.Left(wall.Add(time.Hour), up); later > left {
			t.Fatalf("an hour later %v are left, after %v", later, left)
		}
		p, lasts := k.Paused(wall, up)
		if lasts != (left > 0) || p.Since > up || lasts && up < math.MaxInt64-MaxPause && (p.Until <= up || p.Until-up > MaxPause) {
			t.Fatalf("%+v at %v goes on as %+v, %v", k, up, p, lasts)
		}
		again, err := k.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if same, err := ParsePause(again); err != nil || same.Left(wall, up) != left || same.Reason != k.Reason {
			t.Fatalf("written again it is %+v, %v; it was %+v", same, err, k)
		}
	})
}

func TestSessionGoesOnPaused(t *testing.T) {
	at := time.Minute
	in := SignedIn{At: at, Person: ada, KnownApps: known(), Pause: &Paused{Reason: "lunch", Since: -time.Hour, Until: at + time.Hour}}
	r := start(t).next(in).open().headline(at, PausedHeadline)
	if a := r.attests(false); len(a.Keys) != 0 || a.Pause != "lunch" {
		t.Errorf("the first attestation carries %v, reason %q", a.Keys, a.Pause)
	}
	if r.s.Apps["a"].ClosedCause != CausePaused {
		t.Errorf("a is closed for %q", r.s.Apps["a"].ClosedCause)
	}
	r.both(at).open() // leases that nobody asked for
	r.next(Resume{At: at + time.Second}).open()
	if a := r.attests(false); len(a.Keys) != 2 || a.Pause != "" {
		t.Errorf("after it the attestation carries %v, reason %q", a.Keys, a.Pause)
	}
	r.both(r.s.Now).open("a", "b")
	in.Pause = &Paused{Reason: "lunch", Until: at}
	if start(t).next(in).headline(at, StartingHeadline).attests(false).Pause != "" {
		t.Error("a pause that is over goes on")
	}
	if in.Pause.Until != at {
		t.Error("an event was changed")
	}
}
