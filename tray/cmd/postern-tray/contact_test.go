package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/files"
)

// What an agent said of the helpdesk is known to the next tray without one.
func TestContactIsRemembered(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if err := files.MkdirOwnerOnly(dir); err != nil {
		t.Fatal(err)
	}
	path, log := filepath.Join(dir, contactName), slog.New(slog.DiscardHandler)
	want := localapi.Managed{By: "Example Ltd", Support: "help@example.com"}
	c := reachable(path, log)
	if c.known() != (localapi.Managed{}) {
		t.Errorf("at first %+v", c.known())
	}
	c.saw(localapi.Status{Managed: want})
	c.saw(localapi.Status{}) // an agent that names nobody takes nothing away
	if got := reachable(path, log).known(); got != want || c.known() != want {
		t.Errorf("%+v and %+v", got, c.known())
	}
	for _, damaged := range []string{"", "{", `{"by":1}`, strings.Repeat(" ", contactMost) + "{}"} {
		if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := reachable(path, log).known(); got != (localapi.Managed{}) {
			t.Errorf("%.20q: %+v", damaged, got)
		}
	}
}
