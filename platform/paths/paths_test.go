package paths

import (
	"errors"
	"path/filepath"
	"runtime"
	"testing"
)

func env(kv map[string]string) func(string) string {
	return func(name string) string { return kv[name] }
}

func TestLayouts(t *testing.T) {
	must := func(s Set, err error) Set {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, tc := range []struct {
		name      string
		got, want Set
	}{
		{"linux system", linuxSystem(), Set{
			"/var/lib/postern", "/etc/postern/settings.yaml", "/run/postern/agent.sock", "/var/cache/postern"}},
		{"linux user", must(linuxUser(env(map[string]string{"HOME": "/home/ada", "XDG_RUNTIME_DIR": "/run/user/1000"}))), Set{
			"/home/ada/.local/state/postern", "/home/ada/.config/postern/settings.yaml", "/run/user/1000/postern/agent.sock", "/home/ada/.cache/postern"}},
		{"linux user, all set", must(linuxUser(env(map[string]string{
			"XDG_STATE_HOME": "/s", "XDG_CONFIG_HOME": "/c/", "XDG_CACHE_HOME": "/k", "XDG_RUNTIME_DIR": "/r"}))), Set{
			"/s/postern", "/c/postern/settings.yaml", "/r/postern/agent.sock", "/k/postern"}},
		{"linux user, relative does not count", must(linuxUser(env(map[string]string{
			"HOME": "/home/ada", "XDG_STATE_HOME": "s", "XDG_RUNTIME_DIR": "./r"}))), Set{
			"/home/ada/.local/state/postern", "/home/ada/.config/postern/settings.yaml", "/home/ada/.local/state/postern/agent.sock", "/home/ada/.cache/postern"}},
		{"macos system", darwinSystem(), Set{
			"/Library/Application Support/Postern", "/Library/Application Support/Postern/settings.yaml", "/var/run/postern/agent.sock", "/Library/Caches/Postern"}},
		{"macos user", must(darwinUser(env(map[string]string{"HOME": "/Users/ada"}))), Set{
			"/Users/ada/Library/Application Support/Postern", "/Users/ada/Library/Application Support/Postern/settings.yaml",
			"/Users/ada/Library/Application Support/Postern/agent.sock", "/Users/ada/Library/Caches/Postern"}},
		{"windows", windowsUnder(`C:\ProgramData\`, systemPipe), Set{
			`C:\ProgramData\Postern`, `C:\ProgramData\Postern\settings.yaml`, `\\.\pipe\postern\system`, `C:\ProgramData\Postern\Cache`}},
		{"windows user", windowsUnder(`C:\Users\Ada\AppData\Local`, userPipe("S-1-5-21-1-2-3-1001")), Set{
			`C:\Users\Ada\AppData\Local\Postern`, `C:\Users\Ada\AppData\Local\Postern\settings.yaml`,
			`\\.\pipe\postern\user-S-1-5-21-1-2-3-1001`, `C:\Users\Ada\AppData\Local\Postern\Cache`}},
	} {
		if tc.got != tc.want {
			t.Errorf("%s:\n got %+v\nwant %+v", tc.name, tc.got, tc.want)
		}
	}
}

func TestNoHome(t *testing.T) {
	for _, home := range []string{"", "relative"} {
		vars := env(map[string]string{"HOME": home, "XDG_STATE_HOME": "/s"})
		if s, err := linuxUser(vars); !errors.Is(err, errNoHome) || s != (Set{}) {
			t.Errorf("linux, HOME=%q: %+v, %v", home, s, err)
		}
		if s, err := darwinUser(vars); !errors.Is(err, errNoHome) || s != (Set{}) {
			t.Errorf("macos, HOME=%q: %+v, %v", home, s, err)
		}
	}
}

func TestHere(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	user, err := User()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []Set{System(), user, InState("relative"), InState(t.TempDir())} {
		for _, p := range []string{s.State, s.Config, s.Socket, s.Cache} {
			if !filepath.IsAbs(p) {
				t.Errorf("%q is not absolute", p)
			}
		}
	}
	if System() == user {
		t.Error("the user's places are the system's")
	}
	dir := t.TempDir()
	want := Set{dir, filepath.Join(dir, "settings.yaml"), socketIn(dir), filepath.Join(dir, "cache")}
	if got := InState(dir); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestStatePipe(t *testing.T) {
	first := statePipe(`C:\Users\Ada\Postern`)
	for _, same := range []string{`c:\users\ada\postern`, `C:/Users/Ada/Postern/`} {
		if got := statePipe(same); got != first {
			t.Errorf("%s has the pipe %s, and %s", same, got, first)
		}
	}
	if other := statePipe(`C:\Users\Bob\Postern`); other == first {
		t.Errorf("two folders have the pipe %s", other)
	}
	if runtime.GOOS != "windows" && InState("/x").Socket != "/x/agent.sock" {
		t.Errorf("the socket of /x is %s", InState("/x").Socket)
	}
}
