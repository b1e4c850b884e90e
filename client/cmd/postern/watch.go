package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
	terminals "github.com/postern-zt/postern/platform/terminal"
)

// How long a watch waits before it asks an agent again that did not answer.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 2 * time.Second
)

// sight is what a watch sees at one moment: a status, or why there is none.
type sight struct {
	in   view.Input
	err  error
	back bool // the first after the agent could not be asked
}

// watch shows each change until ctx ends.
func (a *app) watch(ctx context.Context, c *localapi.Client) error {
	ctx, stop := context.WithCancel(ctx)
	sights, done := make(chan sight), make(chan struct{})
	go func() { defer close(done); a.follow(ctx, c, sights) }()
	defer func() { stop(); <-done }()
	size, quiet := terminals.Resized()
	defer quiet()
	show, end := a.watcher()
	var last *sight
	var late <-chan time.Time // when time alone changes the words
	for {
		select {
		case s, ok := <-sights:
			if !ok {
				return end(last)
			}
			last = &s
		case <-size:
		case <-late:
		}
		if last == nil {
			continue
		}
		last.in.Now, late = time.Now(), nil
		v := view.New(last.in)
		if !v.Until.IsZero() {
			late = time.After(max(time.Until(v.Until), time.Second))
		}
		if err := show(*last, v); err != nil {
			return err
		}
	}
}

// follow tells what is seen, and each change of it, until ctx ends.
func (a *app) follow(ctx context.Context, c *localapi.Client, to chan<- sight) {
	defer close(to)
	wait, gone := firstRetry, false
	s, err := c.Status(ctx)
	for ctx.Err() == nil {
		now := sight{err: err, back: gone && err == nil}
		if err == nil {
			now.in = a.whole(ctx, c, named(s, c))
		} else {
			now.in = a.troubled(err)
		}
		select {
		case to <- now:
		case <-ctx.Done():
			return
		}
		if gone = err != nil; !gone {
			wait = firstRetry
			s, err = a.next(ctx, c, s)
			continue
		}
		if !pause(ctx, wait) {
			return
		}
		wait = min(2*wait, lastRetry)
		s, err = c.Status(ctx)
	}
}

// next waits for another status than s. An agent that answers at once with the
// same one is not asked again at once.
func (a *app) next(ctx context.Context, c *localapi.Client, s localapi.Status) (localapi.Status, error) {
	began := time.Now()
	now, err := c.NextStatus(ctx, s)
	if err == nil && now.Revision == s.Revision && time.Since(began) < time.Second {
		pause(ctx, time.Second)
	}
	return now, err
}

// pause waits, and reports whether ctx still lives.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// watcher is how sights are shown, and what comes after the last one, which is
// nil when there was none.
func (a *app) watcher() (show func(sight, view.View) error, end func(*sight) error) {
	nothing := func(*sight) error { return nil }
	switch {
	case a.json:
		return a.jsonLine(), nothing
	case moves(a.outTerm, a.getenv):
		return a.screen()
	}
	return a.textLine(), nothing
}

// jsonLine writes each change as a line: a status, or an error.
func (a *app) jsonLine() func(sight, view.View) error {
	var told string
	return func(s sight, _ view.View) error {
		var line any = s.in.Status
		key := fmt.Sprint(s.in.Status.Revision)
		if s.err != nil {
			f := a.failureOf(s.err)
			line, key = map[string]*failure{"error": f}, f.Code
		}
		if key == told && !s.back {
			return nil // only time has passed
		}
		told = key
		return a.writeLine(line)
	}
}

// textLine writes each change that a person would see as a line.
func (a *app) textLine() func(sight, view.View) error {
	var told string
	return func(s sight, v view.View) error {
		text := oneLine(v)
		if s.back {
			text += " · " + a.said().Status.Back
		} else if text == told {
			return nil
		}
		told = oneLine(v)
		return a.print(s.in.Now.Format(time.DateTime) + "  " + a.clean(text) + "\n")
	}
}

// oneLine is a view in a line: the headline, what is wrong, the applications.
func oneLine(v view.View) string {
	parts := []string{v.Headline}
	for _, f := range v.Faults {
		if f.Required {
			parts = append(parts, coded(f.Title, f.Code))
		}
	}
	for _, x := range v.Apps {
		parts = append(parts, x.Name+": "+x.Says)
	}
	return strings.Join(parts, " · ")
}

// Control sequences (ECMA-48; 1049 and 25 are xterm's private modes, "XTerm
// Control Sequences"): another screen, so that what was on the terminal comes
// back, and no cursor in it.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	homeCursor  = "\x1b[H"
	clearLine   = "\x1b[K"
	clearRest   = "\x1b[J"
)

// screen shows each sight in place of the one before, and leaves the last one
// on the terminal.
func (a *app) screen() (show func(sight, view.View) error, end func(*sight) error) {
	enter := enterScreen
	show = func(s sight, v view.View) error {
		p := a.page()
		p.status(v)
		if s.back {
			p.blank()
			p.say(0, a.said().Status.Back)
		}
		_, rows := a.outTerm.size()
		text := enter + homeCursor + screenful(p.String(), rows, s.in.Now.Format(time.TimeOnly)+"  "+a.clean(a.said().Status.CtrlC)) + clearRest
		enter = ""
		return a.print(text)
	}
	end = func(s *sight) error {
		if s == nil {
			return nil
		}
		p := a.page()
		p.status(view.New(s.in))
		return a.print(leaveScreen + p.String())
	}
	return show, end
}

// screenful cuts a text to the rows of a screen, the last of which is the foot. 0 rows are as many as there are lines.
func screenful(text string, rows int, foot string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if room := rows - 2; rows > 0 && len(lines) > max(room, 1) {
		lines = append(lines[:max(room-1, 0)], "…")
	}
	lines = append(lines, "", foot)
	return strings.Join(lines, clearLine+"\r\n") + clearLine
}
