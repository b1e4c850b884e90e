package engine

import (
	"slices"
	"strings"
	"time"
)

// States of an application at the engine.
const (
	StateClosed     = "closed"     // no lease; connections are reset
	StateReady      = "ready"      // a lease; the tunnel opens with the first connection
	StateConnecting = "connecting" // the gateway has not answered yet
	StateOpen       = "open"
)

// Status is one application as it is now.
type Status struct {
	App           string
	Name          string
	State         string
	Local         map[int]string // local address by port at the application; 0: primary, number not known
	Primary       string         // local address of the primary port, "" if there is none
	PublicKey     string         // our end of the tunnel, "" when closed
	Until         time.Duration  // boot time of the lease's end
	Rx, Tx        uint64         // bytes of this tunnel since it opened, WireGuard's own included
	LastHandshake time.Time      // wall clock; zero: never
}

// Status lists the known applications by id.
func (e *Engine) Status() []Status {
	e.mu.Lock()
	var list []Status
	clients := map[string]Client{}
	for id, a := range e.apps {
		s := Status{App: id, Name: a.Name, State: StateClosed, Local: map[int]string{}}
		for port, l := range a.ports {
			s.Local[port] = l.addr
		}
		s.Primary = s.Local[a.primary]
		if t := a.tunnel; t != nil && t.plan.Until > e.cfg.Clock.Boot() {
			s.State, s.PublicKey, s.Until = StateReady, t.plan.PublicKey.String(), t.plan.Until
			clients[id] = t.current()
		}
		list = append(list, s)
	}
	e.mu.Unlock()
	for i := range list {
		if c := clients[list[i].App]; c != nil {
			list[i].State = StateConnecting
			list[i].Rx, list[i].Tx = c.Counters()
			if at, ok := c.LastHandshake(); ok {
				list[i].State, list[i].LastHandshake = StateOpen, at
			}
		}
	}
	slices.SortFunc(list, func(x, y Status) int { return strings.Compare(x.App, y.App) })
	return list
}
