package agent

import (
	"context"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// rooms are those whose tests run under Wine: what the agent does with files,
// processes, clocks and settings of Windows. The tests of posternd itself and of
// its local socket are among them.
func rooms() []string {
	return []string{
		"platform/clock", "platform/files", "platform/hwkey", "platform/osexec", "platform/paths", "platform/secret",
		"client/brokerclient", "client/cmd/posternd", "client/config", "client/login", "client/loopback", "client/waiting", "tray/desk",
	}
}

// TestRooms runs the tests of rooms on Wine's Windows. Go's library is patched
// where Wine 8 lacks what deleting folders needs.
func TestRooms(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), buildPatience)
	defer cancel()
	dir := t.TempDir()
	args := []string{"test", "-c", "-overlay", here.overlay, "-o", dir + string(filepath.Separator)}
	for _, room := range rooms() {
		args = append(args, "./"+room)
	}
	began := time.Now()
	ok(t, forWindows(ctx, args...))
	t.Logf("compiled in %d ms", time.Since(began).Milliseconds())
	for _, room := range rooms() {
		t.Run(path.Base(room), func(t *testing.T) {
			r := must[result](t)(here.pc.run(t.Context(), filepath.Join(dir, path.Base(room)+".test.exe"), "-test.v", "-test.timeout=110s"))
			if r.code != 0 || !strings.Contains(r.out, "--- PASS: ") {
				t.Errorf("%s: %s", room, r)
			}
		})
	}
}
