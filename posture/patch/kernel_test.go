package patch

import (
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

func at(path string) file { return file{path, day, "x"} }

func running(release string) file { return file{"/proc/sys/kernel/osrelease", day, release + "\n"} }

func TestKernel(t *testing.T) {
	tests := []struct {
		name            string
		running         string
		files           string
		current, newest string
	}{
		{"Debian", "6.1.0-55-amd64", "/boot/vmlinuz-6.1.0-9-amd64 /boot/vmlinuz-6.1.0-55-amd64", "true", "6.1.0-55-amd64"},
		{"Debian, a newer one", "6.1.0-55-amd64", "/boot/vmlinuz-6.1.0-100-amd64 /boot/vmlinuz-6.1.0-55-amd64", "false", "6.1.0-100-amd64"},
		{"Debian 13", "6.12.43+deb13-amd64", "/boot/vmlinuz-6.12.43+deb13-amd64 /boot/vmlinuz-6.12.48+deb13-amd64", "false", "6.12.48+deb13-amd64"},
		{"another kind beside it", "6.1.0-55-cloud-amd64", "/boot/vmlinuz-6.1.0-56-amd64 /boot/vmlinuz-6.1.0-55-cloud-amd64", "true", "6.1.0-55-cloud-amd64"},
		{"Ubuntu, another series", "5.15.0-122-generic", "/boot/vmlinuz-5.15.0-122-generic /boot/vmlinuz-6.8.0-45-generic /boot/vmlinuz /boot/vmlinuz.old", "false", "6.8.0-45-generic"},
		{"Fedora", "6.11.5-300.fc41.x86_64", "/boot/vmlinuz-0-rescue-1234 /boot/vmlinuz-6.11.5-300.fc41.x86_64 /boot/vmlinuz-6.11.4-301.fc41.x86_64", "true", "6.11.5-300.fc41.x86_64"},
		{"Fedora, from one release to the next", "6.11.5-200.fc40.x86_64", "/boot/vmlinuz-6.11.5-200.fc40.x86_64 /boot/vmlinuz-6.11.5-300.fc41.x86_64", "false", "6.11.5-300.fc41.x86_64"},
		{"Oracle's own beside Red Hat's", "5.15.0-206.153.7.el9uek.x86_64", "/boot/vmlinuz-5.15.0-206.153.7.el9uek.x86_64 /boot/vmlinuz-6.14.0-1.el9.x86_64", "true", "5.15.0-206.153.7.el9uek.x86_64"},
		{"SUSE", "6.4.0-150600.23.22-default", "/boot/vmlinuz-6.4.0-150600.23.25-default /boot/vmlinuz-6.4.0-150600.23.22-default", "false", "6.4.0-150600.23.25-default"},
		{"Arch, replaced", "6.12.3-arch1-1", "/boot/vmlinuz-linux /usr/lib/modules/6.12.4-arch1-1/vmlinuz", "false", "6.12.4-arch1-1"},
		{"Arch, the slower kind", "6.6.63-1-lts", "/lib/modules/6.12.4-arch1-1/vmlinuz /lib/modules/6.6.63-1-lts/vmlinuz", "true", "6.6.63-1-lts"},
		{"Alpine", "6.6.63-0-lts", "/boot/vmlinuz-lts /lib/modules/6.6.64-0-lts/modules.dep", "false", "6.6.64-0-lts"},
		{"Raspberry Pi", "6.6.51+rpt-rpi-v8", "/boot/vmlinuz-6.6.51+rpt-rpi-v8 /boot/vmlinuz-6.6.60+rpt-rpi-2712", "true", "6.6.51+rpt-rpi-v8"},
		{"what an uninstalled one left", "6.1.0-55-amd64", "/lib/modules/6.1.0-55-amd64/modules.dep /lib/modules/6.1.0-56-amd64/updates/dkms/x.ko", "true", "6.1.0-55-amd64"},
		{"from elsewhere", "6.18.44", "/boot/vmlinuz-6.1.0-55-amd64", "unknown: not-found", "unknown: not-found"},
		{"none", "6.1.0-55-amd64", "", "unknown: not-found", "unknown: not-found"},
	}
	for _, tt := range tests {
		files := []file{running(tt.running)}
		for _, path := range strings.Fields(tt.files) {
			files = append(files, at(path))
		}
		m := linuxMachine(files...)
		if g := got(t, m, "kernel_current"); g != tt.current {
			t.Errorf("%s: kernel_current %s, want %s", tt.name, g, tt.current)
		}
		if g := got(t, m, "newest_known"); g != tt.newest {
			t.Errorf("%s: newest_known %s, want %s", tt.name, g, tt.newest)
		}
	}
	m := linuxMachine(running("6.1.0-55-amd64"))
	m.Fail("/boot", fact.ReasonNeedsPrivilege)
	if g := got(t, m, "kernel_current"); g != "unknown: needs-privilege" {
		t.Errorf("refused: %s", g)
	}
}

// The newest kernel on offer is what the package that stands for it asks for.
func TestOfferedKernel(t *testing.T) {
	meta := func(version, release string) string {
		return "linux-image-amd64 " + version + " amd64 Depends: linux-image-" + release + " (= 6.1.1), x\nStatus: install ok installed"
	}
	m := small{
		installed: []string{meta("6.1.1", "6.1.0-55-amd64")},
		security:  []string{meta("6.1.2", "6.1.0-56-amd64")},
		edit: func(m *evidence.Memory) {
			m.SetFile("/proc/sys/kernel/osrelease", "6.1.0-55-amd64\n")
			m.SetFile("/boot/vmlinuz-6.1.0-55-amd64", "")
		},
	}.machine()
	for field, want := range map[string]string{"newest_known": "6.1.0-56-amd64", "kernel_current": "true", "security_pending": "true"} {
		if g := got(t, m, field); g != want {
			t.Errorf("%s %s, want %s", field, g, want)
		}
	}
}

func TestRestart(t *testing.T) {
	kernel := running("6.1.0-55-amd64")
	status := file{dpkgStatus, day, stanzas(true, []string{"dpkg 1 amd64", "unattended-upgrades 2 all"})}
	other := file{dpkgStatus, day, stanzas(true, []string{"dpkg 1 amd64", "needrestart 3 all"})}
	apk := file{"/lib/apk/db/installed", day, "P:musl\nV:1-r0\n\n"}
	tests := []struct {
		name  string
		files []file
		want  string
	}{
		{"flag", []file{at("/run/reboot-required")}, "true"},
		{"flag in the old place", []file{at("/var/run/reboot-required")}, "true"},
		{"SUSE's flag", []file{at("/run/reboot-needed")}, "true"},
		{"an offline update is prepared", []file{at("/system-update")}, "true"},
		{"no flag, and who would set it is there", []file{{dpkgStatus, day, "x"}, kernel, at("/usr/share/update-notifier/notify-reboot-required")}, "false"},
		{"no flag, unattended-upgrades", []file{status}, "false"},
		{"no flag, needrestart", []file{other}, "unknown: tool-missing"},
		{"no flag, needrestart, and the kernel tells", []file{other, kernel, at("/boot/vmlinuz-6.1.0-55-amd64")}, "false"},
		{"no flag, but a newer kernel", []file{status, kernel, at("/boot/vmlinuz-6.1.0-100-amd64"), at("/boot/vmlinuz-6.1.0-55-amd64")}, "true"},
		{"only the kernel tells", []file{apk, kernel, at("/boot/vmlinuz-6.1.0-55-amd64")}, "false"},
		{"nothing tells", []file{kernel}, "unknown: tool-missing"},
	}
	for _, tt := range tests {
		if g := got(t, linuxMachine(tt.files...), "reboot_pending"); g != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, g, tt.want)
		}
	}
	m := linuxMachine(status, kernel)
	m.Fail("/run/reboot-required", fact.ReasonNeedsPrivilege)
	if g := got(t, m, "reboot_pending"); g != "unknown: needs-privilege" {
		t.Errorf("a flag that may not be looked at: %s", g)
	}
	m = linuxMachine(status, kernel, at("/boot/vmlinuz-6.1.0-100-amd64"))
	m.Fail("/proc/sys/kernel/osrelease", fact.ReasonNeedsPrivilege) // the kernels could have said that one waits
	if g := got(t, m, "reboot_pending"); g != "unknown: needs-privilege" {
		t.Errorf("a kernel that may not be looked at: %s", g)
	}
	m = linuxMachine(at("/etc/NIXOS"))
	m.SetLink("/run/booted-system/kernel", "/nix/store/a-linux-6.6.1/bzImage")
	m.SetLink("/run/current-system/kernel", "/nix/store/b-linux-6.6.2/bzImage")
	if g := got(t, m, "reboot_pending"); g != "true" {
		t.Errorf("NixOS: %s", g)
	}
	if g := got(t, m, "pending"); g != "unknown: unsupported-system" {
		t.Errorf("NixOS: %s", g)
	}
}

func TestLivepatch(t *testing.T) {
	const dir = "/sys/kernel/livepatch/"
	tests := []struct {
		name  string
		files []file
		want  string
	}{
		{"on", []file{{dir + "lp_1/enabled", day, "1\n"}, {dir + "lp_1/transition", day, "0\n"}}, "true"},
		{"one of two", []file{{dir + "a/enabled", day, "0\n"}, {dir + "b/enabled", day, "1\n"}}, "true"},
		{"not yet for all tasks", []file{{dir + "lp_1/enabled", day, "1\n"}, {dir + "lp_1/transition", day, "1\n"}}, "false"},
		{"off", []file{{dir + "lp_1/enabled", day, "0\n"}}, "false"},
		{"Red Hat's of old", []file{{"/sys/kernel/kpatch/patches/kpatch_3_10_0_1062_1_1_1_4/enabled", day, "1\n"}}, "true"},
		{"a kernel that cannot", []file{at("/sys/kernel/uevent_seqnum")}, "false"},
		{"no /sys", nil, "unknown: not-found"},
	}
	for _, tt := range tests {
		if g := got(t, linuxMachine(tt.files...), "livepatch"); g != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, g, tt.want)
		}
	}
	m := linuxMachine(file{dir + "lp_1/enabled", day, "1\n"})
	m.Fail(dir+"lp_1/enabled", fact.ReasonNeedsPrivilege)
	if g := got(t, m, "livepatch"); g != "unknown: needs-privilege" {
		t.Errorf("refused: %s", g)
	}
	m = linuxMachine(file{dir + "lp_1/enabled", day, "1\n"}, file{dir + "lp_1/transition", day, "1\n"})
	m.Fail(dir+"lp_1/transition", fact.ReasonNeedsPrivilege) // it could have said that tasks are not moved over
	if g := got(t, m, "livepatch"); g != "unknown: needs-privilege" {
		t.Errorf("transition refused: %s", g)
	}
}
