package notify

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/postern-zt/postern/platform/osexec"
)

// startDunst starts a notification service that people really use, on a screen
// of the test's own.
func startDunst(t *testing.T, address string) {
	t.Helper()
	const screen, program = "/usr/bin/Xvfb", "/usr/bin/dunst"
	for _, p := range []string{screen, program} {
		if _, err := os.Stat(p); err != nil {
			t.Skipf("%s is not installed (Debian: apt-get install xvfb dunst)", p)
		}
	}
	out, in := io.Pipe()
	start(t, screen, osexec.Self{Args: []string{"-displayfd", "1", "-screen", "0", "800x600x24", "-nolisten", "tcp"}, Stdout: in})
	number, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("screen did not tell its number: %v", err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "dunstrc")
	if err := os.WriteFile(config, []byte("[global]\nmarkup = full\nformat = \"%s\\n%b\"\nidle_threshold = 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, program, osexec.Self{Args: []string{"-conf", config}, Env: []string{
		"DISPLAY=:" + strings.TrimSpace(number), "DBUS_SESSION_BUS_ADDRESS=" + address, "HOME=" + dir, "XDG_RUNTIME_DIR=" + dir,
	}})
}

// TestDunst shows, replaces, clicks and withdraws with dunst, which tells by an
// interface of its own what is on the screen.
func TestDunst(t *testing.T) {
	address := startBus(t)
	startDunst(t, address)
	user := joinBus(t, address)
	eventually(t, func() error { // the service is slow to come
		return user.BusObject().Call("org.freedesktop.DBus.GetNameOwner", 0, busName).Err
	})
	const control = "org.dunstproject.cmd0"
	service := user.Object(busName, busPath)
	displayed := func(want uint32) {
		t.Helper()
		eventually(t, func() error {
			v, err := service.GetProperty(control + ".displayedLength")
			if err == nil && v.Value() != want {
				err = fmt.Errorf("%v on the screen, want %d", v, want)
			}
			return err
		})
	}
	n := notifier(t, address)
	note := Note{ID: "a", Title: "Git is closed", Body: "1 < 2 & <i>so on</i>", Urgent: true, Choices: []Choice{{"fix", "Fix…"}}}
	for _, title := range []string{"first", note.Title} {
		note.Title = title
		if err := n.Show(t.Context(), note); err != nil {
			t.Fatal(err)
		}
	}
	displayed(1) // the second replaced the first
	if err := service.Call(control+".NotificationAction", 0, uint32(0)).Err; err != nil {
		t.Fatal(err)
	}
	if got := next(t, n); got != (Chosen{"a", ""}) {
		t.Errorf("%+v", got)
	}
	if err := n.Withdraw(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	displayed(0)
	var history []map[string]dbus.Variant
	if err := service.Call(control+".NotificationListHistory", 0).Store(&history); err != nil || len(history) == 0 {
		t.Fatalf("%v, %v", history, err)
	}
	last := history[0]
	// dunst keeps the body as it was sent, and what it drew of it.
	if last["summary"].Value() != note.Title || last["body"].Value() != "1 &lt; 2 &amp; &lt;i&gt;so on&lt;/i&gt;" {
		t.Errorf("%v", last)
	}
}
