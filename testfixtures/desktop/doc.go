// Package desktop gives tests a desktop of their own: a screen with a panel that shows tray icons, or the same of Wine, with eyes and hands.
package desktop
