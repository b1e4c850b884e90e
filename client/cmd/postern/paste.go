package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/postern-zt/postern/client/loopback"
	terminals "github.com/postern-zt/postern/platform/terminal"
)

// maxLine bounds what a person types or pastes, in bytes.
const maxLine = 64 << 10

// arrival is what came of waiting for the redirect.
type arrival struct {
	res loopback.Result
	err error
}

// await waits for the redirect, or for the person to paste where it led:
// whichever comes first. Only a terminal is read: other input may be meant for
// whatever runs after this program.
func (a *app) await(ctx context.Context, r *loopback.Receiver, state string, paste bool) (loopback.Result, error) {
	waiting, stop := context.WithCancel(ctx)
	redirect := make(chan arrival, 1)
	go func() {
		res, err := r.Wait(waiting, state)
		redirect <- arrival{res, err}
	}()
	var pasted <-chan string
	if paste && a.inTerm != nil && terminals.Foreground(a.inTerm.file) {
		restore, err := terminals.ReadUnseen(a.inTerm.file)
		if err == nil {
			defer restore()
			a.warn("%s", a.said().Session.Paste)
			pasted = a.lines(waiting)
		}
	}
	clock := a.countdown(ctx)
	defer clock.end()
	for {
		select {
		case got := <-redirect:
			stop()
			return got.res, got.err
		case line := <-pasted:
			if strings.TrimSpace(line) == "" {
				continue // somebody only pressed Enter
			}
			res, err := loopback.ParseAnswer(line, state)
			if err == nil {
				stop()
				<-redirect // the receiver is done with, whatever it says
				return res, nil
			}
			clock.clear()
			a.warn("%s", a.pasteWords(err, cutShort(line, state)))
		case <-clock.tick():
			clock.show()
		}
	}
}

// pasteWords says what is wrong with what was pasted, and never repeats it.
func (a *app) pasteWords(err error, short bool) string {
	if errors.Is(err, loopback.ErrOtherSignIn) && !short {
		return a.said().Session.OtherSignIn
	}
	return a.said().Session.NotWhole
}

// cutShort reports whether a pasted address ends before or within the state of
// this sign-in: then it belongs to no other one, and the rest of it is missing.
func cutShort(line, state string) bool {
	_, end, found := strings.Cut(strings.TrimSpace(line), "state=")
	return !found || len(end) < len(state) && strings.HasPrefix(state, end)
}

// lines gives what is typed, line by line, until ctx ends. Reading from a
// terminal cannot be broken off: the goroutine that reads ends with its next
// line, or with the program.
func (a *app) lines(ctx context.Context) <-chan string {
	to := make(chan string)
	go func() {
		r := bufio.NewReaderSize(io.LimitReader(a.in, maxLine), 4<<10)
		for ctx.Err() == nil {
			line, err := r.ReadString('\n')
			if line == "" && err != nil {
				return
			}
			select {
			case to <- line:
			case <-ctx.Done():
				return
			}
		}
	}()
	return to
}

// countdown shows on a terminal how long there still is; elsewhere nothing.
type countdown struct {
	a      *app
	until  time.Time
	ticker *time.Ticker // nil where nothing is shown
}

func (a *app) countdown(ctx context.Context) *countdown {
	until, ok := ctx.Deadline()
	c := &countdown{a: a, until: until}
	if ok && moves(a.errTerm, a.getenv) {
		c.ticker = time.NewTicker(time.Second)
		c.show()
	}
	return c
}

func (c *countdown) tick() <-chan time.Time {
	if c.ticker == nil {
		return nil
	}
	return c.ticker.C
}

func (c *countdown) show() {
	left := fill(c.a.said().Session.Left, "time", remaining(time.Until(c.until)))
	fmt.Fprint(c.a.err, "\r"+c.a.clean(left)+clearLine)
}

// clear makes room for a line.
func (c *countdown) clear() {
	if c.ticker != nil {
		fmt.Fprint(c.a.err, "\r"+clearLine)
	}
}

func (c *countdown) end() {
	c.clear()
	if c.ticker != nil {
		c.ticker.Stop()
	}
}
