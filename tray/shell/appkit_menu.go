package shell

import (
	"github.com/postern-zt/postern/tray/view"
)

const (
	iconPoints = 18.0 // height of an icon in the menu bar, in points
	utf8Text   = 4    // NSUTF8StringEncoding

	// Control Center is waited for this often, a second each time; then the item
	// is made without it.
	controlCenterTries = 30
	controlCenter      = "com.apple.controlcenter"
	// lookAfter is how long after the start the item's place is looked at, in
	// seconds: the bar arranges its items by then.
	lookAfter = 5.0
)

// place puts the status item on the bar, once the application has launched.
func (a *appKit) place() {
	if a.item != 0 {
		return
	}
	if !a.controlCenterUp() && a.waited < controlCenterTries {
		a.waited++
		a.later(selPlace, 1)
		return
	}
	bar := a.rt.Send(a.rt.Class("NSStatusBar"), "systemStatusBar")
	a.item = a.rt.Send(a.rt.Send(bar, "statusItemWithLength:", variableLength), "retain")
	a.withString("postern", func(s objID) { a.rt.Send(a.item, "setAutosaveName:", s) })
	a.rt.Send(a.item, "setVisible:", true)
	a.menu = a.newMenu()
	a.apply()
	a.rt.Send(a.item, "setMenu:", a.menu)
	if a.o.Hidden != nil {
		a.later(selLook, lookAfter)
	}
}

func (a *appKit) controlCenterUp() bool {
	up := false
	a.withString(controlCenter, func(id objID) {
		running := a.rt.Send(a.rt.Class("NSRunningApplication"), "runningApplicationsWithBundleIdentifier:", id)
		up = a.rt.Int(running, "count") > 0
	})
	return up
}

// later has the first thread send method to the target after seconds.
func (a *appKit) later(method selector, seconds float64) {
	a.rt.Send(a.target, "performSelector:withObject:afterDelay:", method, objID(0), seconds)
}

// apply draws the newest menu.
func (a *appKit) apply() {
	a.mu.Lock()
	a.coming = false // before the menu is taken: a later one hops again
	a.mu.Unlock()
	if a.item == 0 {
		return // place will
	}
	m, fresh := a.wanted.take()
	if !fresh {
		return
	}
	a.applyFace(m)
	if a.drawn == nil || !sameItems(a.drawn, m.Items) {
		a.rebuild(m.Items)
	}
	if a.o.Drawn != nil {
		a.o.Drawn()
	}
}

func sameItems(x, y []view.Item) bool {
	return view.Menu{Items: x}.Equal(view.Menu{Items: y})
}

// applyFace sets what has changed of the icon and the tooltip, which is also
// what a screen reader says.
func (a *appKit) applyFace(m view.Menu) {
	button := a.rt.Send(a.item, "button")
	if m.Icon != a.icon {
		if a.setIcon(button, a.o.Icons(m.Icon).Template) {
			a.icon = m.Icon
		} else {
			a.o.Log.Warn("no image of this tray icon", "icon", m.Icon)
		}
	}
	if m.Tooltip != a.tip {
		a.withString(m.Tooltip, func(s objID) {
			a.rt.Send(button, "setToolTip:", s)
			a.rt.Send(button, "setAccessibilityLabel:", s)
		})
		a.tip = m.Tooltip
	}
}

// setIcon reports whether the image could be read.
func (a *appKit) setIcon(button objID, png []byte) bool {
	if len(png) == 0 {
		return false
	}
	data := a.rt.Send(a.rt.Send(a.rt.Class("NSData"), "alloc"), "initWithBytes:length:", png, uint(len(png)))
	image := a.rt.Send(a.rt.Send(a.rt.Class("NSImage"), "alloc"), "initWithData:", data)
	a.rt.Send(data, "release")
	if image == 0 {
		return false
	}
	a.rt.Send(image, "setSize:", nsSize{Width: iconPoints, Height: iconPoints})
	a.rt.Send(image, "setTemplate:", true) // the bar colours it, in light and in dark
	a.rt.Send(button, "setImage:", image)
	a.rt.Send(image, "release")
	return true
}

// rebuild fills the menu anew. All entries are made before the old ones go, and
// all of it happens in one turn of the first thread: an open menu is never drawn
// empty. Tags are never used twice, so that what was chosen in an entry that is
// gone does nothing.
func (a *appKit) rebuild(items []view.Item) {
	a.tags = make(map[int]view.Action)
	made := a.entries(items)
	a.rt.Send(a.menu, "removeAllItems")
	a.fill(a.menu, made)
	a.drawn = items
}

// entries makes an NSMenuItem of each item, owned by the caller.
func (a *appKit) entries(items []view.Item) []objID {
	made := make([]objID, len(items))
	for i, it := range items {
		if it.Separator {
			made[i] = a.rt.Send(a.rt.Send(a.rt.Class("NSMenuItem"), "separatorItem"), "retain")
		} else {
			made[i] = a.entry(it)
		}
	}
	return made
}

func (a *appKit) entry(it view.Item) (entry objID) {
	a.withString(it.Text, func(title objID) {
		a.withString("", func(key objID) {
			entry = a.rt.Send(a.rt.Send(a.rt.Class("NSMenuItem"), "alloc"), "initWithTitle:action:keyEquivalent:", title, selChosen, key)
		})
	})
	a.rt.Send(entry, "setTarget:", a.target)
	a.rt.Send(entry, "setEnabled:", enabled(it))
	if it.Checked {
		a.rt.Send(entry, "setState:", 1)
	}
	if choosable(it) {
		a.lastTag++
		a.tags[a.lastTag] = it.Do
		a.rt.Send(entry, "setTag:", a.lastTag)
	}
	if len(it.Items) > 0 {
		sub := a.newMenu()
		a.fill(sub, a.entries(it.Items))
		a.rt.Send(entry, "setSubmenu:", sub)
		a.rt.Send(sub, "release")
	}
	return entry
}

// fill gives the entries to the menu, which owns them from then on.
func (a *appKit) fill(menu objID, entries []objID) {
	for _, e := range entries {
		a.rt.Send(menu, "addItem:", e)
		a.rt.Send(e, "release")
	}
}

// newMenu makes a menu that leaves enabling its entries to us.
func (a *appKit) newMenu() objID {
	menu := a.rt.Send(a.rt.Send(a.rt.Class("NSMenu"), "alloc"), "init")
	a.rt.Send(menu, "setAutoenablesItems:", false)
	return menu
}

// withString lends f an NSString of s, which tidy has made valid.
func (a *appKit) withString(s string, f func(objID)) {
	text := a.rt.Send(a.rt.Send(a.rt.Class("NSString"), "alloc"), "initWithBytes:length:encoding:", []byte(s), uint(len(s)), uint(utf8Text))
	f(text)
	a.rt.Send(text, "release")
}

// choose passes on what was chosen, by the entry's tag.
func (a *appKit) choose(sender objID) {
	if do, ok := a.tags[a.rt.Int(sender, "tag")]; ok {
		a.pick(do)
	}
}

// look asks where the item ended up: one that the system keeps off the bar has
// no window, or one at the foot of the screen, whose origin is at the bottom.
func (a *appKit) look() {
	window := a.rt.Send(a.rt.Send(a.item, "button"), "window")
	if window != 0 {
		var frame [4]float64 // x, y, width, height
		var value objID
		a.withString("frame", func(key objID) { value = a.rt.Send(window, "valueForKey:", key) })
		a.rt.Send(value, "getValue:size:", &frame, uint(len(frame)*8))
		if frame[1] >= 1 {
			return
		}
	}
	a.o.Log.Warn("the system seems to keep the tray icon off the menu bar")
	a.calls.add(a.o.Hidden)
}
