package desktop

import (
	"errors"
	"fmt"
	"image"
)

// Tray is the place on a screen where icons are drawn, as eyes and hands know
// it.
type Tray struct {
	*Screen

	bare *image.RGBA     // the screen without icons, nil until there is a tray
	bar  image.Rectangle // where icons are
	body image.Rectangle // where menus and tooltips are
	rest image.Point     // where the mouse touches nothing
	size int             // of an icon, in pixels
}

// Rest moves the mouse to where nothing is, so that nothing is highlighted.
func (t *Tray) Rest() error { return t.MoveTo(t.rest) }

// FindIcon waits until an icon is drawn in the tray and is still, and gives its
// place: what differs from the tray without it. With several icons the place
// holds all. The mouse is moved away first.
func (t *Tray) FindIcon() (image.Rectangle, error) {
	place, _, err := t.findIcon()
	return place, err
}

func (t *Tray) findIcon() (image.Rectangle, *image.RGBA, error) {
	if t.bare == nil {
		return image.Rectangle{}, nil, errors.New("find icon: there was no tray yet")
	}
	if err := t.Rest(); err != nil {
		return image.Rectangle{}, nil, err
	}
	// A change of a third of an icon is one; less is an edge of the panel.
	least := t.size / 3
	now, err := t.waitFor("an icon in the tray", func(now *image.RGBA) bool {
		place := Changed(t.bare, now, t.bar)
		return place.Dx() >= least && place.Dy() >= least
	})
	if err != nil {
		return image.Rectangle{}, nil, err
	}
	return Changed(t.bare, now, t.bar), now, nil
}

// WaitForNoIcon waits until the tray is drawn without icons.
func (t *Tray) WaitForNoIcon() error {
	if err := t.Rest(); err != nil {
		return err
	}
	_, err := t.WaitForReturn(t.bare, t.bar)
	return err
}

// Icon is a picture of the icon in the tray: a square of the size of icons
// around its middle, whatever its shape.
func (t *Tray) Icon() (*image.RGBA, error) {
	place, now, err := t.findIcon()
	if err != nil {
		return nil, err
	}
	return Crop(now, around(Middle(place), t.size)), nil
}

// WaitForIcon waits until the icon is drawn otherwise than in a picture that
// Icon has given, and gives the new one.
func (t *Tray) WaitForIcon(before *image.RGBA) (*image.RGBA, error) {
	var icon *image.RGBA
	err := Until("another icon", Patience, func() (bool, error) {
		var err error
		icon, err = t.Icon()
		return err == nil && !Changed(before, icon, image.Rectangle{}).Empty(), err
	})
	return icon, err
}

// around is a square around a point.
func around(p image.Point, size int) image.Rectangle {
	corner := p.Sub(image.Pt(size/2, size/2))
	return image.Rectangle{corner, corner.Add(image.Pt(size, size))}
}

// OpenMenu clicks on the icon and waits until a menu is drawn; it gives the
// menu's place and the screen with it. The mouse is moved away again, as a
// tooltip would cover the menu.
func (t *Tray) OpenMenu(b Button) (image.Rectangle, *image.RGBA, error) {
	place, before, err := t.findIcon()
	if err != nil {
		return image.Rectangle{}, nil, err
	}
	if err := t.Click(Middle(place), b); err != nil {
		return image.Rectangle{}, nil, err
	}
	_, err = t.waitFor("a menu", func(now *image.RGBA) bool { return len(Rows(now, Changed(before, now, t.body))) > 0 })
	if err != nil {
		return image.Rectangle{}, nil, fmt.Errorf("open menu: %w", err)
	}
	if err := t.Rest(); err != nil {
		return image.Rectangle{}, nil, err
	}
	now, err := t.Still()
	if err != nil {
		return image.Rectangle{}, nil, err
	}
	return Changed(before, now, t.body), now, nil
}

// CloseMenu closes an open menu by a click beside it and waits until nothing is
// drawn any more where it was.
func (t *Tray) CloseMenu(menu image.Rectangle) error {
	if err := t.Click(t.rest, Left); err != nil {
		return err
	}
	return t.WaitForNoMenu(menu)
}

// WaitForNoMenu waits until nothing is drawn any more where a menu was.
func (t *Tray) WaitForNoMenu(menu image.Rectangle) error {
	_, err := t.WaitForReturn(t.bare, menu)
	return err
}

// OpenSubmenu clicks on a row of an open menu, of which the screen is given, and
// waits until another menu is drawn beside it; it gives that one's place and the
// screen with both.
func (t *Tray) OpenSubmenu(menu, row image.Rectangle, screen *image.RGBA) (image.Rectangle, *image.RGBA, error) {
	if err := t.Click(Middle(row), Left); err != nil {
		return image.Rectangle{}, nil, err
	}
	beside := t.body
	beside.Max.X = menu.Min.X
	now, err := t.WaitForChange(screen, beside)
	if err != nil {
		return image.Rectangle{}, nil, fmt.Errorf("open submenu: %w", err)
	}
	return Changed(screen, now, beside), now, nil
}

// Hover holds the mouse over the icon until a tooltip is drawn, and gives the
// tooltip's place and the screen with it.
func (t *Tray) Hover() (image.Rectangle, *image.RGBA, error) {
	place, before, err := t.findIcon()
	if err != nil {
		return image.Rectangle{}, nil, err
	}
	if err := t.MoveTo(Middle(place)); err != nil {
		return image.Rectangle{}, nil, err
	}
	now, err := t.WaitForChange(before, t.body)
	if err != nil {
		return image.Rectangle{}, nil, fmt.Errorf("hover: %w", err)
	}
	return Changed(before, now, t.body), now, nil
}
