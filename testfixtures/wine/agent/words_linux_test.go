package agent

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/postern-zt/postern/testfixtures/wine"
)

// foreign matches what means nothing to people on Windows: other systems'
// programs, folders and permissions, and paths of which a half is another's.
var foreign = regexp.MustCompile(`(?i)\bsudo\b|\broot\b[^\\]|systemctl|chmod|chown|/etc\b|/var\b|/usr\b|/run/|/tmp/|~/|XDG_|\bmode 0|\b0[67][0-7]{2}\b|\.sock\b|Unix|launchd|[A-Z]:\\[^ ]*/`)

// readable fails if a text is empty or has what no one on Windows understands.
func readable(t *testing.T, what, text string) {
	t.Helper()
	// The user of this system, and the folder in which it runs, are not ours to name.
	text = strings.ReplaceAll(text, `C:\users\root\`, `C:\users\kim\`)
	if strings.TrimSpace(text) == "" {
		t.Errorf("%s: says nothing", what)
	}
	if bad := foreign.FindAllString(text, -1); len(bad) > 0 {
		t.Errorf("%s: has %q in: %s", what, bad, text)
	}
}

// wrongStart is a way in which an agent does not start.
type wrongStart struct {
	name, settings string
	args           []string // after --user --state
	prepare        func(dir string) error
	want           string
}

func wrongStarts(dir string) []wrongStart {
	put := func(name, text string) func(string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600) }
	}
	check := []string{"--check"} // else it would wait for better settings
	return []wrongStart{
		{name: "no broker", args: check, want: "set `broker` in " + wine.Windows(dir)},
		{name: "no such settings", args: []string{"--check", "--config", `C:\nowhere\settings.yaml`}, want: `C:\nowhere\settings.yaml`},
		{name: "settings are a folder", args: []string{"--check", "--config", `C:\windows`}, want: `C:\windows`},
		{name: "wrong key", settings: "brokr: x\n", args: check, want: "brokr: no such key"},
		{name: "no such authority", settings: nowhere + "broker_ca: ca.pem\n", args: check, want: "ca.pem"},
		{name: "no authority", settings: nowhere + "broker_ca: ca.pem\n", prepare: put("ca.pem", "x"), args: check, want: "holds no certificate"},
		{name: "two tokens", settings: nowhere + "enrolment_token_file: token\n", prepare: put("token", "a\nb\n"), args: check, want: "enrolment_token_file: a token has"},
		{name: "long token", settings: nowhere + "enrolment_token_file: token\n", prepare: put("token", strings.Repeat("a", 2000)), args: check, want: "token"},
		{name: "token is a folder", settings: nowhere + "enrolment_token_file: .\n", args: check, want: "enrolment_token_file"},
		{name: "no pipe", settings: nowhere, args: []string{"--socket", "agent"}, want: `begins with \\.\pipe\`},
		{name: "damaged key", settings: nowhere, prepare: put("device.key", "x"), want: "device.key: damaged"},
		{name: "damaged addresses", settings: nowhere, prepare: put("ports.json", "x"), want: "remove the file"},
		{name: "damaged device", settings: nowhere, prepare: put("device.json", "x"), want: "device.json"},
	}
}

// TestWordsOfTheAgent reads what the agent says when it does not start.
func TestWordsOfTheAgent(t *testing.T) {
	posternd := windowsProgram("posternd")
	r := must[result](t)(here.pc.run(t.Context(), posternd, "--help"))
	readable(t, "--help", r.out)
	for _, tc := range wrongStarts("") {
		dir := filepath.Join(t.TempDir(), "state")
		ok(t, os.Mkdir(dir, 0o700))
		if tc.settings != "" {
			ok(t, os.WriteFile(filepath.Join(dir, "settings.yaml"), []byte(tc.settings), 0o600))
		}
		if tc.prepare != nil {
			ok(t, tc.prepare(dir))
		}
		r := must[result](t)(here.pc.run(t.Context(), posternd, append([]string{"--user", "--state", wine.Windows(dir)}, tc.args...)...))
		text := spoken(r.errOut)
		want := strings.Replace(tc.want, wine.Windows(""), wine.Windows(dir), 1)
		if r.code != 1 || !strings.Contains(text, want) {
			t.Errorf("%s: does not say %q: %s", tc.name, want, r)
		}
		t.Logf("%s: %s", tc.name, text)
		readable(t, tc.name, text)
	}
}

// spoken is a program's standard error without Wine's own remarks.
func spoken(text string) string {
	lines := slices.DeleteFunc(strings.Split(strings.ReplaceAll(text, "\r", ""), "\n"), func(l string) bool { return strings.HasPrefix(l, "wine: ") })
	return strings.Join(lines, "\n")
}

// TestWordsOfTheCommandLine reads all help, and what is said when something is
// wrong, without an agent and with one.
func TestWordsOfTheCommandLine(t *testing.T) {
	a := newAgent(t, nowhere)
	said := func(code int, args ...string) string {
		t.Helper()
		r := must[result](t)(here.pc.run(t.Context(), windowsProgram("postern"), args...))
		text := r.out + spoken(r.errOut)
		if r.code != code {
			t.Errorf("postern %v: want exit %d: %s", args, code, r)
		}
		readable(t, strings.Join(args, " "), text)
		return text
	}
	help := said(0, "help")
	for _, line := range regexp.MustCompile(`(?m)^  ([a-z]+)  +[a-z]`).FindAllStringSubmatch(help, -1) {
		if line[1] != "completion" { // which is about other shells too
			said(0, "help", line[1])
		}
	}
	for _, verb := range []string{"status", "apps", "check", "logout", "sent", "timeline", "login"} {
		if text := said(5, verb, "--socket", `\\.\pipe\postern\nobody`); !strings.Contains(text, "No agent is running") {
			t.Errorf("%s without an agent: %s", verb, text)
		}
	}
	said(1, "status", "--socket", `C:\agent`)
	said(1, "posture", "--machine", `C:\nowhere`)
	said(1, "posture", "--machine", `C:\windows\system.ini`)
	said(2, "posture", "--local", "--record", `C:\windows`)
	said(2, "pause")
	a.start()
	for code, calls := range map[int][][]string{
		0: {{"config"}, {"posture"}, {"posture", "--all"}, {"sent"}, {"timeline"}, {"version"}},
		1: {{"login", "--no-browser"}},
		4: {{"status"}, {"check"}, {"pause", "--reason", "lunch"}, {"explain", "wiki"}, {"open", "wiki"}},
	} {
		for _, args := range calls {
			said(code, a.flags(args)...)
		}
	}
	a.interrupt()
	for line := range strings.Lines(spoken(a.log.String())) {
		readable(t, "log", line)
	}
}
