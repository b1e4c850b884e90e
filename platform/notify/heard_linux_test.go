package notify

import (
	"testing"

	"github.com/godbus/dbus/v5"
)

// hearing is a service's end with one note shown, number 41 of the owner :1.7.
func hearing(clicked *[]Chosen) *freedesktop {
	f := &freedesktop{click: func(c Chosen) { *clicked = append(*clicked, c) },
		capabilities: []string{"body-markup"}, owner: ":1.7", numbers: map[string]uint32{"closed": 41}}
	f.live.set(Note{ID: "closed", Choices: []Choice{{ID: "fix", Label: "Fix"}}})
	return f
}

// A signal counts only if the one it concerns has sent it, and in its form: a
// click could choose for the person, and another service would be spoken to in
// the manner of the one before, in which its markup would be alive.
func TestOnlyTheServiceIsHeard(t *testing.T) {
	click := dbus.Signal{Sender: ":1.7", Path: busPath, Name: busName + ".ActionInvoked", Body: []any{uint32(41), "choice-0"}}
	for name, change := range map[string]func(*dbus.Signal){
		"another sender":     func(s *dbus.Signal) { s.Sender = ":1.8" },
		"no sender":          func(s *dbus.Signal) { s.Sender = "" },
		"the name for it":    func(s *dbus.Signal) { s.Sender = busName },
		"another object":     func(s *dbus.Signal) { s.Path = "/org/freedesktop/Other" },
		"another signal":     func(s *dbus.Signal) { s.Name = busName + ".ActivationToken" },
		"another interface":  func(s *dbus.Signal) { s.Name = "org.example.Notifications.ActionInvoked" },
		"another note":       func(s *dbus.Signal) { s.Body = []any{uint32(42), "choice-0"} },
		"another choice":     func(s *dbus.Signal) { s.Body = []any{uint32(41), "choice-1"} },
		"a negative choice":  func(s *dbus.Signal) { s.Body = []any{uint32(41), "choice--1"} },
		"no choice":          func(s *dbus.Signal) { s.Body = []any{uint32(41), "choice-"} },
		"a number of int":    func(s *dbus.Signal) { s.Body = []any{int32(41), "choice-0"} },
		"a choice of number": func(s *dbus.Signal) { s.Body = []any{uint32(41), uint32(0)} },
		"too little":         func(s *dbus.Signal) { s.Body = []any{uint32(41)} },
		"too much":           func(s *dbus.Signal) { s.Body = []any{uint32(41), "choice-0", "x"} },
	} {
		var clicked []Chosen
		s := click
		change(&s)
		f := hearing(&clicked)
		f.heard(&s)
		if len(clicked) > 0 || len(f.numbers) != 1 {
			t.Errorf("%s: clicked %v, shown %v", name, clicked, f.numbers)
		}
	}
	var clicked []Chosen
	hearing(&clicked).heard(&click)
	if len(clicked) != 1 || clicked[0] != (Chosen{ID: "closed", Choice: "fix"}) {
		t.Errorf("the service's own: %v", clicked)
	}
}

// That the service is another is said by the bus alone.
func TestOnlyTheBusTellsOfANewService(t *testing.T) {
	changed := dbus.Signal{Sender: "org.freedesktop.DBus", Path: "/org/freedesktop/DBus", Name: busOwner, Body: []any{busName, ":1.7", ":1.9"}}
	for name, tc := range map[string]struct {
		change  func(*dbus.Signal)
		forgets bool
	}{
		"the bus":           {func(*dbus.Signal) {}, true},
		"it ended":          {func(s *dbus.Signal) { s.Body = []any{busName, ":1.7", ""} }, true},
		"another program":   {func(s *dbus.Signal) { s.Sender = ":1.8" }, false},
		"the service":       {func(s *dbus.Signal) { s.Sender = ":1.7" }, false},
		"of another name":   {func(s *dbus.Signal) { s.Body = []any{"org.example", ":1.7", ":1.9"} }, false},
		"the same as asked": {func(s *dbus.Signal) { s.Body = []any{busName, "", ":1.7"} }, false},
		"without a body":    {func(s *dbus.Signal) { s.Body = nil }, false},
	} {
		var clicked []Chosen
		s := changed
		tc.change(&s)
		f := hearing(&clicked)
		f.heard(&s)
		if forgot := f.capabilities == nil && f.owner == "" && len(f.numbers) == 0; forgot != tc.forgets {
			t.Errorf("%s: %v, %q, %v", name, f.capabilities, f.owner, f.numbers)
		}
	}
}
