package screenlock

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

func seed(f *testing.F, folders ...string) {
	f.Helper()
	for _, folder := range folders {
		entries, err := os.ReadDir(captures + folder)
		if err != nil {
			f.Fatal(err)
		}
		for _, e := range entries {
			data, err := os.ReadFile(filepath.Join(captures+folder, e.Name()))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
}

func valid(t *testing.T, m evidence.Machine) {
	t.Helper()
	s := Collect(t.Context(), m)
	s.Collector = "test"
	if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
		t.Error(err)
	}
}

func FuzzScreenLock(f *testing.F) {
	seed(f, "macos/sysadminctl-screenlock")
	f.Add([]byte("displaysleep 10\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := mac(string(data), nil)
		m.SetCommand(pmsetLine, string(data))
		valid(t, m)
	})
}

func FuzzSaver(f *testing.F) {
	seed(f, "macos/malformed")
	f.Add([]byte(plist("<key>askForPassword</key><true/><key>idleTime</key><integer>5</integer>")))
	f.Fuzz(func(t *testing.T, data []byte) {
		valid(t, mac("x screenLock is off", map[string]string{byHost: string(data), personal: string(data)}))
	})
}

func FuzzGVDB(f *testing.F) {
	f.Add([]byte(build(map[string]entry{gIdle: u32(300), gLock: boolean(1), ".locks": {table: map[string]entry{gIdle: {kind: "()"}}}})))
	f.Add([]byte(build(map[string]entry{"org.gnome.desktop.session": {table: map[string]entry{"idle-delay": u32(9).inSchema("")}}})))
	f.Fuzz(func(t *testing.T, data []byte) {
		valid(t, linuxBox(map[string]string{userDB: string(data), localDB: string(data), compiled: string(data), profile: twoDBs}, "gnome-shell"))
	})
}

func FuzzKeyfile(f *testing.F) {
	f.Add([]byte("[org/gnome/desktop/session]\nidle-delay=uint32 120\n"))
	f.Add([]byte(gIdle + "\n"))
	f.Add([]byte(twoDBs))
	f.Fuzz(func(t *testing.T, data []byte) {
		into := map[string]scalar{}
		if parseKeyfile(string(data), into); len(into) > 4096 {
			t.Errorf("%d values", len(into))
		}
		valid(t, linuxBox(map[string]string{profile: twoDBs, localDB + ".d/0": string(data), localDB + ".d/locks/0": string(data)}, "gnome-shell"))
		valid(t, linuxBox(map[string]string{profile: string(data)}, "gnome-shell"))
	})
}

func FuzzKConfig(f *testing.F) {
	f.Add([]byte("[Daemon]\nTimeout[$i]=10\nLockGrace=-1\nAutolock=false\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		valid(t, linuxBox(map[string]string{"/etc/xdg/kscreenlockerrc": string(data), "/home/ada/.config/kscreenlockerrc": string(data)}, "plasmashell"))
	})
}

func FuzzXfconf(f *testing.F) {
	f.Add([]byte(`<channel name="x" locked="*"><property name="lock" type="empty"><property name="enabled" type="bool" value="false"/></property></channel>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		into := map[string]xfceValue{}
		if parseXfconf(data, into); len(into) > 1024 {
			t.Errorf("%d values", len(into))
		}
		valid(t, linuxBox(map[string]string{"/home/ada/.config/xfce4/xfconf/xfce-perchannel-xml/xfce4-screensaver.xml": string(data)}, "xfce4-session", "xfce4-screensaver"))
	})
}

func FuzzWindows(f *testing.F) {
	f.Add("1", "1", "600", "x.scr")
	f.Fuzz(func(t *testing.T, active, secure, timeout, program string) {
		m := evidence.NewMemory(evidence.Windows, day)
		m.SetSessions(evidence.Session{User: "ada", ID: "S-1-5-21-1", Active: true})
		m.SetRegistry("HKEY_USERS\\S-1-5-21-1\\Control Panel\\Desktop\n    ScreenSaveActive    REG_SZ    " + active + "\n    ScreenSaverIsSecure    REG_SZ    " + secure +
			"\n    ScreenSaveTimeOut    REG_SZ    " + timeout + "\n    SCRNSAVE.EXE    REG_SZ    " + program + "\n")
		valid(t, m)
	})
}
