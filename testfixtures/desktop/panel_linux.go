package desktop

import (
	"errors"
	"fmt"
	"image"
	"image/draw"
	"path/filepath"
)

// PanelHeight is how high the panel at the upper edge of the screen is, in
// pixels; IconSize is the size of the icons in it.
const (
	PanelHeight = 32
	IconSize    = 22
)

// panelConfig is a panel along the upper edge with nothing but the tray, at its
// right end, so that what changes in it is the tray.
const panelConfig = `<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="dark-mode" type="bool" value="%[1]t"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="length" type="uint" value="100"/>
      <property name="size" type="uint" value="%[2]d"/>
      <property name="icon-size" type="uint" value="%[3]d"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/><value type="int" value="2"/></property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="separator">
      <property name="expand" type="bool" value="true"/>
      <property name="style" type="uint" value="0"/>
    </property>
    <property name="plugin-2" type="string" value="systray">
      <property name="square-icons" type="bool" value="true"/>
      <property name="icon-size" type="int" value="%[3]d"/>
    </property>
  </property>
</channel>
`

// watcherName is the well-known name of who keeps the list of tray icons
// (StatusNotifierItem specification, StatusNotifierWatcher).
const (
	watcherName = "org.kde.StatusNotifierWatcher"
	watcherPath = "/StatusNotifierWatcher"
)

func (d *Desktop) writePanelConfig(dark bool) error {
	path := filepath.Join(d.dir, "home", ".config", "xfce4", "xfconf", "xfce-perchannel-xml", "xfce4-panel.xml")
	return writeFile(path, fmt.Appendf(nil, panelConfig, dark, PanelHeight, IconSize))
}

// StartPanel starts the panel and waits until it shows tray icons: its watcher
// has the name on the bus and says that a host is there.
func (d *Desktop) StartPanel() error {
	if d.panel != nil {
		return errors.New("start panel: it runs already")
	}
	panel, err := launch(filepath.Join(d.Artifacts, "panel.log"), d.env, "xfce4-panel", "--disable-wm-check", "--sm-client-disable")
	if err != nil {
		return err
	}
	d.panel = panel
	err = Until("the panel's tray", Patience, func() (bool, error) {
		if panel.ended(0) {
			return false, fmt.Errorf("the panel ended: %w", panel.err)
		}
		host, err := d.watcher().GetProperty(watcherName + ".IsStatusNotifierHostRegistered")
		return err == nil && host.Value() == true, err
	})
	if err != nil {
		return err
	}
	now, err := d.waitFor("the panel to be drawn", drawn)
	if err != nil {
		return err
	}
	d.bare = withoutIcons(now)
	return nil
}

// drawn says whether the panel is on the screen, which is black without it.
func drawn(m *image.RGBA) bool {
	for _, x := range []int{plainColumn, m.Bounds().Dx() / 2} {
		if m.RGBAAt(x, PanelHeight/2) == m.RGBAAt(x, 3*PanelHeight) {
			return false
		}
	}
	return true
}

// plainColumn is a column of the screen in which the panel has nothing.
const plainColumn = 16

// withoutIcons is the screen as it is with an empty panel, whose columns are
// all alike.
func withoutIcons(m *image.RGBA) *image.RGBA {
	out := image.NewRGBA(m.Bounds())
	for x := range m.Bounds().Dx() {
		draw.Draw(out, image.Rect(x, 0, x+1, m.Bounds().Dy()), m, image.Pt(plainColumn, 0), draw.Src)
	}
	return out
}

// StopPanel ends the panel and waits until nobody keeps the list of tray icons
// any more.
func (d *Desktop) StopPanel() error {
	if d.panel == nil {
		return errors.New("stop panel: it does not run")
	}
	panel := d.panel
	d.panel = nil
	if err := panel.Stop(); err != nil {
		return err
	}
	return d.waitForNoTray()
}

// waitForNoTray waits until nobody keeps the list of tray icons: the tray is a
// process of its own, which ends soon after the panel.
func (d *Desktop) waitForNoTray() error {
	return Until("the end of the panel's tray", Patience, func() (bool, error) {
		owned, err := d.Owned(watcherName)
		return err == nil && !owned, err
	})
}

// RestartPanel kills the panel, as when it crashes, and starts it again. When it
// returns the tray is there, but programs may still be on their way to it.
func (d *Desktop) RestartPanel() error {
	if d.panel == nil {
		return errors.New("restart panel: it does not run")
	}
	d.panel.Kill()
	d.panel = nil
	if err := d.waitForNoTray(); err != nil {
		return err
	}
	return d.StartPanel()
}
