package tray

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/testfixtures/desktop"
	menu "github.com/postern-zt/postern/tray/view"
)

// settingsPrograms are some of what shows pages of settings on the desktops that
// platform/settings knows.
func settingsPrograms() []string {
	return []string{"cinnamon-settings", "mintupdate", "firewall-config", "gufw", "gnome-control-center", "systemsettings",
		"gnome-software", "plasma-discover", "update-manager", "nm-connection-editor", "xscreensaver-settings", "time-admin"}
}

// standIns are programs in the places of those of the system, each of which
// writes down its name and arguments.
type standIns struct{ folder, log string }

func newStandIns(t testing.TB) standIns {
	t.Helper()
	dir := t.TempDir()
	s := standIns{folder: filepath.Join(dir, "programs"), log: filepath.Join(dir, "started")}
	ok(t, os.Mkdir(s.folder, 0o755))
	script := "#!/bin/sh\nline=${0##*/}\nfor a in \"$@\"; do line=\"$line <$a>\"; done\nprintf '%s\\n' \"$line\" >>" + s.log + "\n"
	for _, name := range settingsPrograms() {
		ok(t, os.WriteFile(filepath.Join(s.folder, name), []byte(script), 0o755))
	}
	return s
}

// started is what was started so far.
func (s standIns) started() []string {
	data, _ := os.ReadFile(s.log)
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

// expect waits until so many were started, and holds them against what should
// have been.
func (s standIns) expect(t testing.TB, want ...string) {
	t.Helper()
	ok(t, desktop.Until("a program of settings", desktop.Patience, func() (bool, error) {
		got := s.started()
		return len(got) >= len(want) && got[0] != "", fmt.Errorf("started %q, want %q", got, want)
	}))
	if got := s.started(); !slices.Equal(got, want) {
		t.Fatalf("started %q, want %q", got, want)
	}
}

// ownMounts are the arguments of unshare(1) with which a process gets mounts of its
// own, also without being root.
func ownMounts() []string {
	if os.Geteuid() == 0 {
		return []string{"--mount"}
	}
	return []string{"--user", "--map-current-user", "--keep-caps", "--mount"}
}

// within has a program see the stand-ins where the system's would be, which are
// looked for in fixed folders, whatever PATH says.
const within = `set -e
for f in "$0"/*; do b=/usr/bin/${f##*/}; if [ -e "$b" ]; then mount --bind "$f" "$b"; fi; done
mount --bind "$0" /usr/local/bin
exec "$@"`

// startWith starts the tray on a desktop like Cinnamon that has the stand-ins.
func (p *person) startWith(s standIns, socket string) {
	p.t.Helper()
	args := append(ownMounts(), "--", "/bin/sh", "-c", within, s.folder, program("postern-tray"), "--socket", socket, "--verbose")
	must[*desktop.Process](p.t)(p.Run(p.environment("XDG_CURRENT_DESKTOP=X-Cinnamon"), "/usr/bin/unshare", args...))
}

// unmet is a status in which checks fail: two for which there is a page of
// settings here, and one for which there is none.
func unmet() localapi.Status {
	st := denied()
	st.Posture.Checks = nil
	for name, page := range map[string]string{"screen": "screen-lock", "clock": "date-time", "disk": "disk-encryption"} {
		st.Posture.Checks = append(st.Posture.Checks, localapi.Check{Code: "org/" + name, Name: name, Outcome: "fail", Enforced: true,
			Remedy: localapi.Remedy{Text: "See to the " + name + ".", Target: page}})
	}
	st.Apps[1].Reasons = []string{"org/screen"}
	return st
}

// paths are the ways through a menu to the entries with a text.
func paths(e *desktop.Entry, text string) [][]string {
	var out [][]string
	for _, below := range e.Entries {
		if below.Text == text {
			out = append(out, []string{text})
		}
		for _, path := range paths(below, text) {
			out = append(out, append([]string{below.Text}, path...))
		}
	}
	return out
}

// TestFix chooses each Fix… that there is: the program of the system that shows
// this page is started with the arguments for it, and nothing else happens.
func TestFix(t *testing.T) {
	t.Parallel()
	if out, err := exec.CommandContext(t.Context(), "/usr/bin/unshare", append(ownMounts(), "true")...).CombinedOutput(); err != nil {
		t.Skipf("no mounts of its own for a process here: %v %s", err, out)
	}
	p, w, s := newPerson(t, desktop.Options{}), newTwin(t, well()), newStandIns(t)
	w.serve(p)
	p.startWith(s, w.socket)
	p.find()
	p.wears(menu.IconHealthy, "2 apps open")
	w.says(unmet())
	p.wears(menu.IconClosed, "Payroll is closed")
	told := p.notes.expect("Payroll was closed")
	const lock, clock = "cinnamon-settings <screensaver>", "cinnamon-settings <calendar>"
	var want []string
	if i := slices.Index(told.Actions, "Fix…"); i > 0 {
		p.notes.click(told.Number, told.Actions[i-1])
		want = append(want, lock)
		s.expect(t, want...)
	} else {
		t.Errorf("the notification can be answered with %q", told.Actions)
	}
	var in []string
	for _, path := range paths(p.shows("Fix…"), "Fix…") {
		next, name := lock, strings.Join(path, " > ")
		if strings.Contains(name, "“clock”") {
			next = clock
		} else if !strings.Contains(name, "“screen”") {
			t.Errorf("there is %s", name)
			continue
		}
		p.choose(path...)
		want, in = append(want, next), append(in, path[0])
		s.expect(t, want...)
	}
	// of the application, and of each of the two faults
	if len(in) != 3 || !strings.HasPrefix(in[0], "Payroll – closed") || !strings.HasPrefix(in[1], "What is wrong") || in[1] != in[2] {
		t.Errorf("Fix… is in %q of\n%s", in, p.shows())
	}
	if urls, err := os.ReadFile(p.urls); err == nil && len(urls) > 0 {
		t.Errorf("the browser got %q", urls)
	}
	if did, err := os.ReadFile(w.file + ".did"); err == nil {
		t.Errorf("the agent was asked to %q", did)
	}
	p.notes.only(told.Title)
}
