package codes

import (
	"testing"

	"github.com/postern-zt/postern/platform/settings"
	"github.com/postern-zt/postern/posture/catalogue"
)

// Every settings page that a finding names is one that the systems' table has.
func TestSettingsPages(t *testing.T) {
	for _, id := range catalogue.Pages() {
		if _, ok := settings.Known(id); !ok {
			t.Errorf("no settings page %q", id)
		}
	}
	if len(catalogue.Pages()) < 5 {
		t.Errorf("findings name %d pages only", len(catalogue.Pages()))
	}
}
