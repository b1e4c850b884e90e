//go:build linux || windows

// Command sample is a tray icon with a menu, by which the desktop of the tests is tested itself.
package main

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"fyne.io/systray"

	"github.com/postern-zt/postern/tray/icons"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: sample FILE, which gets a line for each thing that happens")
		os.Exit(2)
	}
	out, err := os.OpenFile(os.Args[1], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sample:", err)
		os.Exit(1)
	}
	defer out.Close()
	say := func(line string) { fmt.Fprintln(out, line) }
	systray.Run(func() { ready(say) }, func() { say("ended") })
}

// ready builds the menu and answers clicks from then on.
func ready(say func(string)) {
	systray.SetIcon(icon("healthy"))
	systray.SetTitle("Sample")
	systray.SetTooltip("Sample: first icon")
	systray.AddMenuItem("Sample _menu", "").Disable()
	systray.AddSeparator()
	mark := systray.AddMenuItemCheckbox("Mark", "", false)
	deep := systray.AddMenuItem("More", "").AddSubMenuItem("Deep", "")
	change := systray.AddMenuItem("Change", "")
	quit := systray.AddMenuItem("Quit", "")
	say("ready")
	shown := icon("healthy")
	go func() {
		// The library's item is on the bus before it has an icon. A panel that
		// reads it then, and does not listen yet, would never hear of the icon.
		again := time.NewTicker(time.Second)
		defer again.Stop()
		for {
			select {
			case <-again.C:
				systray.SetIcon(shown)
			case <-mark.ClickedCh:
				mark.Check()
				say("mark")
			case <-deep.ClickedCh:
				say("deep")
			case <-change.ClickedCh:
				shown = icon("closed")
				systray.SetIcon(shown)
				systray.SetTooltip("Sample: second icon")
				say("change")
			case <-quit.ClickedCh:
				say("quit")
				systray.Quit()
				return
			}
		}
	}()
}

// icon is a picture of the kind that the system wants.
func icon(name string) []byte {
	i, _ := icons.Tray(name)
	if runtime.GOOS == "windows" {
		return i.ICO
	}
	data, err := icons.ForSystray(i.PNG[32])
	if err != nil {
		return i.PNG[32]
	}
	return data
}
