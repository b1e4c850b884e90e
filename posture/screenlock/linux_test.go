package screenlock

import (
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

func linuxBox(files map[string]string, running ...string) *evidence.Memory {
	m := evidence.NewMemory(evidence.Linux, day)
	m.SetSessions(evidence.Session{User: "ada", ID: "1000", Home: "/home/ada", Active: true})
	for path, data := range files {
		m.SetFile(path, data)
	}
	list := []evidence.Process{{PID: 1, Name: "systemd", Owner: "0"}, {PID: 9, Name: "gnome-shell", Owner: "120"}}
	for i, name := range running {
		list = append(list, evidence.Process{PID: 100 + i, Name: name, Owner: "1000"})
	}
	m.SetProcesses(list...)
	return m
}

const (
	userDB   = "/home/ada/.config/dconf/user"
	profile  = "/etc/dconf/profile/user"
	localDB  = "/etc/dconf/db/local"
	compiled = "/usr/share/glib-2.0/schemas/gschemas.compiled"
	twoDBs   = "# comment\nuser-db:user\nsystem-db:local # site\n"
	gIdle    = "/org/gnome/desktop/session/idle-delay"
	gLock    = "/org/gnome/desktop/screensaver/lock-enabled"
	gDelay   = "/org/gnome/desktop/screensaver/lock-delay"
)

func TestGNOME(t *testing.T) {
	locks := func(keys ...string) entry {
		e := entry{table: map[string]entry{}}
		for _, k := range keys {
			e.table[k] = entry{kind: "()"}
		}
		return e
	}
	tests := []struct {
		name  string
		files map[string]string
		want  want
	}{
		{"as it comes", nil, want{"true", "300", "0", "false"}}, // gsettings-desktop-schemas
		{"person's own", map[string]string{userDB: build(map[string]entry{gIdle: u32(600), gDelay: u32(30)})}, want{"true", "600", "30", "false"}},
		{"never dark", map[string]string{userDB: build(map[string]entry{gIdle: u32(0)})}, want{"false", notFound, "0", "false"}},
		{"no lock", map[string]string{userDB: build(map[string]entry{gLock: boolean(0)})}, want{"false", "300", "0"}},
		{"locking forbidden", map[string]string{userDB: build(map[string]entry{"/org/gnome/desktop/lockdown/disable-lock-screen": boolean(1)})}, want{"false"}},
		{"value of another type", map[string]string{userDB: build(map[string]entry{gIdle: i32(0)})}, want{"true", "300"}},
		{"database of another form", map[string]string{userDB: "not a database of dconf"}, want{"unknown:unreadable-output", "unknown:unreadable-output"}},
		{"distribution's default", map[string]string{compiled: build(map[string]entry{"org.gnome.desktop.session": {table: map[string]entry{"idle-delay": u32(900).inSchema("")}}})},
			want{"true", "900", "0"}},
		{"system's default under the person's", map[string]string{profile: twoDBs, localDB: build(map[string]entry{gIdle: u32(120)}), userDB: build(map[string]entry{gIdle: u32(700)})},
			want{"true", "700", "0", "false"}},
		{"system's lock over the person's", map[string]string{profile: twoDBs,
			localDB: build(map[string]entry{gIdle: u32(120), gLock: boolean(1), ".locks": locks(gIdle, gLock)}),
			userDB:  build(map[string]entry{gIdle: u32(0), gLock: boolean(0)})}, want{"true", "120", "0", "true"}},
		{"locked value hides a broken database of the person", map[string]string{profile: twoDBs, userDB: "broken",
			localDB: build(map[string]entry{gIdle: u32(120), gLock: boolean(1), ".locks": locks(gIdle, gLock)})}, want{"unknown:unreadable-output", "120", "unknown:unreadable-output", "true"}},
		{"key files that were not compiled", map[string]string{profile: twoDBs,
			localDB + ".d/00-lock":    "[org/gnome/desktop/session]\nidle-delay=uint32 120\n[org/gnome/desktop/screensaver]\nlock-enabled=true\n",
			localDB + ".d/locks/lock": gIdle + "\n" + gLock + "\n"}, want{"true", disagree, "0", disagree}},
		{"key files that would change nothing", map[string]string{profile: twoDBs, localDB + ".d/00": "[org/gnome/desktop/session]\nidle-delay=uint32 300\n"}, want{"true", "300", "0", "false"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { check(t, linuxBox(tt.files, "gnome-shell"), tt.want) })
	}
	m := linuxBox(nil, "gnome-shell")
	m.Fail(userDB, fact.ReasonNeedsPrivilege)
	check(t, m, want{"unknown:needs-privilege", "unknown:needs-privilege", "unknown:needs-privilege", "false"})
}

func TestLinuxDesktops(t *testing.T) {
	check(t, linuxBox(nil), want{"unknown:unsupported-system"}) // the only gnome-shell is the login screen's
	check(t, linuxBox(nil, "sway"), want{"unknown:unsupported-system"})
	check(t, linuxBox(nil, "gnome-shell", "lightdm"), want{"unknown:unsupported-system"})
	check(t, linuxBox(nil, "gnome-shell", "gdm3", "sddm"), want{"true"})

	check(t, linuxBox(nil, "cinnamon"), want{notFound, notFound, notFound, "false"})
	check(t, linuxBox(map[string]string{userDB: build(map[string]entry{
		"/org/cinnamon/desktop/session/idle-delay": u32(900), "/org/cinnamon/desktop/screensaver/lock-enabled": boolean(1), "/org/cinnamon/desktop/screensaver/lock-delay": u32(2),
	})}, "cinnamon"), want{"true", "900", "2", "false"})

	schemas := build(map[string]entry{
		"org.mate.session":     {table: map[string]entry{"idle-delay": i32(5).inSchema("")}},
		"org.mate.screensaver": {table: map[string]entry{"lock-enabled": boolean(1).inSchema(""), "lock-delay": i32(0).inSchema(""), "idle-activation-enabled": boolean(1).inSchema("")}},
	})
	mate := map[string]string{compiled: schemas}
	check(t, linuxBox(mate, "mate-session", "mate-screensave"), want{"true", "300", "0", "false"})
	check(t, linuxBox(mate, "mate-session"), want{"false (not-running)"})
	check(t, linuxBox(mate, "mate-session", "light-locker"), want{"unknown:unsupported-system"})
	mate[userDB] = build(map[string]entry{"/org/mate/screensaver/idle-activation-enabled": boolean(0)})
	check(t, linuxBox(mate, "mate-session", "mate-screensaver"), want{"false"})
}

func TestKDE(t *testing.T) {
	const own, system = "/home/ada/.config/kscreenlockerrc", "/etc/xdg/kscreenlockerrc"
	tests := []struct {
		name  string
		files map[string]string
		want  want
	}{
		{"as it comes", nil, want{"true", "300", "5", "false"}},
		{"own", map[string]string{own: "[$Version]\nupdate_info=x\n\n[Daemon]\nTimeout=10\nLockGrace=30\n[Greeter]\nTimeout=99\n"}, want{"true", "600", "30", "false"}},
		{"off", map[string]string{own: "[Daemon]\nAutolock=false\n"}, want{"false", notFound, "5"}},
		{"never asks", map[string]string{own: "[Daemon]\nLockGrace=-1\n"}, want{"false", "300", notFound}},
		{"no password", map[string]string{own: "[Daemon]\nRequirePassword=false\n"}, want{"false"}},
		{"never", map[string]string{own: "[Daemon]\nTimeout=0\n"}, want{"false", notFound}},
		{"odd", map[string]string{own: "[Daemon]\nTimeout=ten\n"}, want{malformed, malformed, "5"}},
		{"system's under own", map[string]string{system: "[Daemon]\nTimeout=2\n", own: "[Daemon]\nTimeout=20\n"}, want{"true", "1200", "5", "false"}},
		{"immutable keys", map[string]string{system: "[Daemon]\nTimeout[$i]=2\nAutolock[$i]=true\n", own: "[Daemon]\nTimeout=20\nAutolock=false\n"}, want{"true", "120", "5", "true"}},
		{"immutable group", map[string]string{system: "[Daemon][$i]\nTimeout=2\n", own: "[Daemon]\nAutolock=false\n"}, want{"true", "120", "5", "true"}},
		{"person's own mark means nothing", map[string]string{own: "[Daemon][$i]\nTimeout=2\n"}, want{"true", "120", "5", "false"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { check(t, linuxBox(tt.files, "plasmashell"), tt.want) })
	}
}

func TestXFCE(t *testing.T) {
	const file = "/xfce4/xfconf/xfce-perchannel-xml/xfce4-screensaver.xml"
	const own, system = "/home/ada/.config" + file, "/etc/xdg" + file
	channel := func(attr, inner string) string {
		return `<?xml version="1.0" encoding="UTF-8"?><channel name="xfce4-screensaver" version="1.0"` + attr + `>` + inner + `</channel>`
	}
	const idle20 = `<property name="saver" type="empty"><property name="idle-activation" type="empty"><property name="delay" type="int" value="20"/></property></property>`
	const noLock = `<property name="lock" type="empty"><property name="enabled" type="bool" value="false"/></property>`
	tests := []struct {
		name  string
		files map[string]string
		want  want
	}{
		{"as it comes", nil, want{"true", "300", "0", "false"}},
		{"own", map[string]string{own: channel("", idle20+`<property name="lock" type="empty"><property name="saver-activation" type="empty"><property name="delay" type="int" value="1"/></property></property>`)},
			want{"true", "1200", "60", "false"}},
		{"no lock", map[string]string{own: channel("", noLock)}, want{"false", "300"}},
		{"locked by the system", map[string]string{system: channel(` locked="*"`, `<property name="lock" type="empty"><property name="enabled" type="bool" value="true"/></property>`+idle20), own: channel("", noLock)},
			want{"true", "1200", "0", "true"}},
		{"odd", map[string]string{own: channel("", `<property name="saver" type="empty"><property name="idle-activation" type="empty"><property name="delay" type="string" value="x"/></property></property>`)}, want{"true", malformed}},
		{"cut short", map[string]string{own: `<channel name="xfce4-screensaver"><property`}, want{"unknown:unreadable-output"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { check(t, linuxBox(tt.files, "xfce4-session", "xfce4-screensav"), tt.want) })
	}
	check(t, linuxBox(nil, "xfce4-session"), want{"false (not-running)", "unknown:not-running"})
}
