package ipc

import (
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// calling is a caller and what came of hearing him.
type calling struct {
	net.Conn
	heard chan bool
}

func callOn(g *greeter) calling {
	far, near := net.Pipe()
	c := calling{far, make(chan bool, 1)}
	go func() { c.heard <- g.hear(near) }()
	synctest.Wait()
	return c
}

// outcome is what came of it so far.
func (c calling) outcome() string {
	synctest.Wait()
	select {
	case ok := <-c.heard:
		if ok {
			return "heard"
		}
		if _, err := c.Write([]byte{hello}); err == nil {
			return "refused, but not hung up on"
		}
		return "refused"
	default:
		return "silent"
	}
}

func (c calling) want(t *testing.T, who, outcome string) {
	t.Helper()
	if got := c.outcome(); got != outcome {
		t.Errorf("%s: %s, want %s", who, got, outcome)
	}
}

func TestTheOldestSilentCallerMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGreeter(2)
		first, second, third := callOn(g), callOn(g), callOn(g)
		first.want(t, "the first of three", "refused")
		second.want(t, "the second", "silent")
		third.Write([]byte{hello})
		third.want(t, "the third, who speaks", "heard")
		time.Sleep(helloTime + time.Second)
		second.want(t, "the second, when the time is over", "refused")
		if g.silent.Len() != 0 {
			t.Errorf("%d are still silent", g.silent.Len())
		}
	})
}

func TestWrongBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGreeter(2)
		wrong, gone := callOn(g), callOn(g)
		wrong.Write([]byte("G"))
		wrong.want(t, "another byte", "refused")
		gone.Close()
		gone.want(t, "one who leaves", "refused")
	})
}

func TestNobodyIsHeardAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGreeter(2)
		before := callOn(g)
		g.end()
		before.want(t, "who was silent at the end", "refused")
		callOn(g).want(t, "who comes after", "refused")
	})
}
