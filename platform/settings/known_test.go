package settings

import (
	"errors"
	"strings"
	"testing"
)

// A text that is no id of the table gets to nothing that looks for a program.
func TestOnlyIDsOfTheTable(t *testing.T) {
	for _, id := range []string{"", "Firewall", "firewall ", "../firewall", "firewall\x00", "/usr/bin/xterm", "ms-settings:about", "-h"} {
		_, err := locate(Page(id))
		var no *NoPageError
		if !errors.As(err, &no) || !errors.Is(err, ErrNoPage) || !strings.Contains(no.Reason, "of this name") || Has(Page(id)) {
			t.Errorf("%q: %v", id, err)
		}
	}
}
