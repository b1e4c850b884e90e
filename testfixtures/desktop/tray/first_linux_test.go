package tray

import (
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/postern-zt/postern/testfixtures/desktop"
	"github.com/postern-zt/postern/tray/view"
)

// late is by how much the agent's answers are late in this file: less than the
// tray waits for one (tray/desk), and enough for a host to see what it would
// show meanwhile.
const late = 500 * time.Millisecond

// TestFirstMenu reads the menu as soon as the tray is on the bus, beside an agent
// that is slow: what is read first is what the agent says, and neither nothing
// nor something that is shown until the agent has answered.
func TestFirstMenu(t *testing.T) {
	t.Parallel()
	p, w := newPerson(t, desktop.Options{NoPanel: true}), newTwin(t, well())
	w.serve(p, "--slow", late.String())
	conn := must[*dbus.Conn](t)(p.Connect())
	defer conn.Close()
	came := make(chan *dbus.Signal, 100)
	conn.Signal(came)
	ok(t, conn.AddMatchSignal(dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged")))
	began := time.Now()
	p.start(w.socket)
	// Each program that comes is asked, as those that are no trays refuse.
	var first *desktop.Entry
	var seen desktop.Properties
	services := map[string]bool{}
	ok(t, desktop.Until("the tray on the bus", desktop.Patience, func() (bool, error) {
		for len(came) > 0 {
			if s := <-came; len(s.Body) == 3 {
				name, _ := s.Body[0].(string)
				services[name] = s.Body[2] != ""
			}
		}
		var err error
		for name, there := range services {
			if !there {
				continue
			}
			item := p.ItemAt(name)
			if seen, err = item.Properties(); err != nil {
				continue
			}
			if first, err = item.Layout(); err == nil {
				p.item = item
				return true, nil
			}
		}
		return false, err
	}))
	t.Logf("it came after %v with\n%s", time.Since(began).Round(time.Millisecond), first)
	p.wearsOnBus(view.IconHealthy, "2 apps open")
	whole := p.shows("2 apps open", "Wiki & docs_1 – open", "Check again").String()
	if first.String() != whole {
		t.Errorf("the first menu is\n%swhile this is so\n%s", first, whole)
	}
	if seen.TooltipTitle != "Postern: 2 apps open · device healthy" || len(seen.Icons) == 0 {
		t.Errorf("the first icon has %d pictures and says %q", len(seen.Icons), seen.TooltipTitle)
	}
}
