// Command demo-tray shows the menus that it reads, one JSON object of
// tray/view's Menu per line, and prints what was chosen.
//
// It prints one line per event: "present true|false" when the desktop gains or
// loses its place for trays, "drawn" after each drawing, "refused <reason>",
// "chose <kind> <argument>", and "ended <error>" at the end. A line "rebuild N"
// in place of a menu draws N menus of different entries, one after the other,
// and prints "rebuilt N <goroutines> <bytes of heap> <resident KiB>".
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/postern-zt/postern/tray/shell"
	"github.com/postern-zt/postern/tray/view"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := demo(ctx, os.Stdin, os.Stdout); err != nil {
		stop()
		os.Exit(1)
	}
}

// lines writes whole lines from several goroutines.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = fmt.Fprintf(l.w, format+"\n", args...)
}

// demo runs the tray until in ends, "quit" is chosen, or ctx ends.
func demo(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	say := &lines{w: out}
	var rebuilding atomic.Bool
	drawn := make(chan struct{}, 1)
	tray := shell.New(shell.Options{
		Name: "Postern demo", Icons: icons(), Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Hidden: func() { say.say("hidden") },
		Drawn: func() {
			if rebuilding.Load() {
				drawn <- struct{}{} // rebuild waits for each one
			} else {
				say.say("drawn")
			}
		},
	})
	var host sync.WaitGroup
	host.Go(func() {
		if err := shell.WatchHost(ctx, func(present bool) { say.say("present %t", present) }); err != nil {
			say.say("watch %v", err)
		}
	})
	defer host.Wait()
	defer cancel()
	go func() { // ends with in, which whoever started this closes
		defer cancel()
		read(in, tray, say, func(n int) {
			rebuilding.Store(true)
			defer rebuilding.Store(false)
			rebuild(n, tray, say, drawn)
		})
	}()
	err := tray.Run(ctx, view.Menu{Icon: view.IconConnecting, Tooltip: "Postern demo", Items: []view.Item{
		{ID: "headline", Text: "Waiting for a menu"},
		{ID: "quit", Text: "Quit", Do: view.Action{Kind: view.DoQuitTray}},
	}}, func(a view.Action) {
		say.say("chose %s %s", a.Kind, a.Argument)
		if a.Kind == view.DoQuitTray {
			cancel()
		}
	})
	say.say("ended %v", err)
	return err
}

func read(in io.Reader, tray shell.Backend, say *lines, rebuild func(n int)) {
	scan := bufio.NewScanner(in)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		line := scan.Text()
		if n := 0; strings.HasPrefix(line, "rebuild ") {
			if _, err := fmt.Sscanf(line, "rebuild %d", &n); err == nil {
				rebuild(n)
			}
			continue
		}
		var m view.Menu
		err := json.Unmarshal([]byte(line), &m)
		if err == nil {
			err = tray.Show(m)
		}
		if err != nil {
			say.say("refused %v", err)
		}
	}
}

// rebuild draws n menus and waits for each.
func rebuild(n int, tray shell.Backend, say *lines, drawn chan struct{}) {
	for i := range n {
		if err := tray.Show(changing(i)); err != nil {
			say.say("refused %v", err)
			return
		}
		<-drawn
	}
	runtime.GC()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	say.say("rebuilt %d %d %d %d", n, runtime.NumGoroutine(), mem.HeapAlloc, resident())
}

// changing returns a menu whose entries differ from those of its neighbours.
func changing(i int) view.Menu {
	names := view.Icons()
	m := view.Menu{Icon: names[i%len(names)], Tooltip: fmt.Sprintf("state %d", i), Items: []view.Item{
		{ID: "headline", Text: fmt.Sprintf("State %d", i)},
		{Separator: true},
	}}
	for j := range 4 + i%3 {
		id := fmt.Sprintf("app.%d.%d", i, j)
		m.Items = append(m.Items, view.Item{ID: id, Text: id, Checked: j == 0, Items: []view.Item{
			{ID: id + ".open", Text: "Open", Do: view.Action{Kind: view.DoOpenApp, Argument: id}},
			{ID: id + ".copy", Text: "Copy address", Do: view.Action{Kind: view.DoCopyApp, Argument: id}},
		}})
	}
	m.Items = append(m.Items, view.Item{ID: "quit", Text: "Quit", Do: view.Action{Kind: view.DoQuitTray}})
	return m
}

// resident returns the resident memory in KiB, or 0 where the system does not
// say it in a file (proc_pid_status(5)).
func resident() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib := 0
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		return 0
	}
	return kib
}
