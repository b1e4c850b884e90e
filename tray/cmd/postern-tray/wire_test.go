package main

import (
	"errors"
	"testing"

	"github.com/postern-zt/postern/platform/clipboard"
	"github.com/postern-zt/postern/platform/settings"
)

// TestFixTakesOnlyIds: what is no id of the table is not handed on, whatever the
// room of the settings would say to it; and what is one, is.
func TestFixTakesOnlyIds(t *testing.T) {
	for _, id := range []string{"", "screensaver", "Screen-lock", "screen-lock ", "/usr/bin/true", "ms-settings:about", "--help"} {
		err := fix(t.Context(), id)
		if err == nil || errors.Is(err, settings.ErrNoPage) {
			t.Errorf("%q: %v", id, err)
		}
		if hasPage(id) {
			t.Errorf("there is a page %q", id)
		}
	}
	for _, p := range settings.Pages() {
		if hasPage(string(p)) != settings.Has(p) {
			t.Errorf("page %q: %t", p, hasPage(string(p)))
		}
		if !settings.Has(p) {
			if err := fix(t.Context(), string(p)); !errors.Is(err, settings.ErrNoPage) {
				t.Errorf("page %q: %v", p, err)
			}
		}
	}
}

// TestCopier: it copies where the system can, and only there.
func TestCopier(t *testing.T) {
	if can := copier() != nil; can != clipboard.Has() {
		t.Errorf("it copies: %t", can)
	}
}
