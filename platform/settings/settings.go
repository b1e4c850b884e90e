// Package settings opens a page of the system's settings, by an id from a fixed table and never by a string from outside.
package settings

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Page is the id of a page. Its values are the constants below, and no other
// text becomes one: what comes from outside goes through Known.
type Page string

// The pages. Their ids are what findings name and what goes over the wire.
const (
	// Updates is where waiting updates of the system are seen and installed.
	Updates Page = "updates"
	// DiskEncryption is where the encryption of disks is switched on.
	DiskEncryption Page = "disk-encryption"
	// Firewall is where the host's own firewall is switched on.
	Firewall Page = "firewall"
	// Antivirus is the state of the protection against malware.
	Antivirus Page = "antivirus"
	// ScreenLock is where the screen is made to lock by itself.
	ScreenLock Page = "screen-lock"
	// DeviceSecurity is the state of the hardware's security: TPM, core
	// isolation, firmware.
	DeviceSecurity Page = "device-security"
	// SecureBoot is where the state of Secure Boot is shown.
	SecureBoot Page = "secure-boot"
	// PrivacySecurity is the page of privacy and security in general; on macOS
	// the part about which programs may run.
	PrivacySecurity Page = "privacy-security"
	// FullDiskAccess is where programs are allowed to read every file.
	FullDiskAccess Page = "full-disk-access"
	// Enrolment is where the computer is enrolled into device management.
	Enrolment Page = "enrolment"
	// WorkAccount is where the computer joins an organisation.
	WorkAccount Page = "work-account"
	// DateTime is where the clock is set.
	DateTime Page = "date-time"
	// Network is where connections are set up.
	Network Page = "network"
	// Developer is where the modes for developers are switched.
	Developer Page = "developer"
	// Notifications is where programs are allowed to notify.
	Notifications Page = "notifications"
	// MenuBar is where macOS 26 and later allow programs in the menu bar.
	MenuBar Page = "menu-bar"
)

// Pages lists every page there is on any system, sorted by its id.
func Pages() []Page {
	list := []Page{
		Updates, DiskEncryption, Firewall, Antivirus, ScreenLock, DeviceSecurity, SecureBoot, PrivacySecurity,
		FullDiskAccess, Enrolment, WorkAccount, DateTime, Network, Developer, Notifications, MenuBar,
	}
	slices.Sort(list)
	return list
}

// Known returns the page with an id, and whether there is one.
func Known(id string) (Page, bool) {
	for _, p := range Pages() {
		if string(p) == id {
			return p, true
		}
	}
	return "", false
}

// ErrNoPage is in the chain of the error for a page that cannot be opened
// because it is not there: not on this system, in this version, on this
// desktop, or in this session.
var ErrNoPage = errors.New("no such page of settings")

// NoPageError says why a page is not there. It unwraps to ErrNoPage.
type NoPageError struct {
	Page   Page
	Reason string // for people: part of a sentence, lower case, without a full stop
}

func (e *NoPageError) Error() string {
	return fmt.Sprintf("settings page %q: %s", string(e.Page), e.Reason)
}

// Unwrap returns ErrNoPage.
func (e *NoPageError) Unwrap() error { return ErrNoPage }

// noPage makes the error for a page that is not there.
func noPage(p Page, format string, args ...any) error {
	return &NoPageError{Page: p, Reason: fmt.Sprintf(format, args...)}
}

// Has reports whether this machine, as the person uses it now, has the page.
// It looks at a few files or registry keys and starts nothing.
func Has(p Page) bool {
	_, err := locate(p)
	return err == nil
}

// Open asks the system to show a page to the person this process runs as. It
// returns when the system has taken the request; nil does not say that the page
// is on the screen. What shows it goes on when this process ends. Without such a
// page the error is a *NoPageError.
func Open(ctx context.Context, p Page) error {
	target, err := locate(p)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("open settings page %q: %w", string(p), err)
	}
	if err := target.open(ctx); err != nil {
		return fmt.Errorf("open settings page %q: %w", string(p), err)
	}
	return nil
}

// locate finds what opens a page here.
func locate(p Page) (place, error) {
	if _, ok := Known(string(p)); !ok {
		return nil, noPage(p, "there is no page of this name")
	}
	return find(p)
}

// place is a page as this system knows it.
type place interface {
	open(ctx context.Context) error
}
