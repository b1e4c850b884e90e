package settings

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// fakeLinux makes a private root with programs and other files in it.
func fakeLinux(t *testing.T, env map[string]string, programs []string, files ...string) linuxMachine {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("modes of files are those of Unix")
	}
	m := linuxMachine{root: t.TempDir(), env: func(name string) string { return env[name] }}
	write := func(path string, mode os.FileMode) {
		path = filepath.Join(m.root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range programs {
		write(p, 0o755)
	}
	for _, f := range files {
		write(f, 0o644)
	}
	return m
}

func session(desktop string) map[string]string {
	return map[string]string{"DISPLAY": ":0", "XDG_CURRENT_DESKTOP": desktop}
}

const applications = "usr/share/applications/"

func TestLinuxWays(t *testing.T) {
	for _, c := range []struct {
		name     string
		desktop  string
		programs []string
		files    []string
		page     Page
		want     string // path in the root and arguments
	}{
		{"GNOME 43, Debian 12", "GNOME", []string{"usr/bin/gnome-control-center"}, []string{applications + "gnome-screen-panel.desktop"}, ScreenLock, "/usr/bin/gnome-control-center screen"},
		{"GNOME 3.38", "ubuntu:GNOME", []string{"usr/bin/gnome-control-center"}, []string{applications + "gnome-lock-panel.desktop"}, ScreenLock, "/usr/bin/gnome-control-center lock"},
		{"GNOME without the panel", "GNOME", []string{"usr/bin/gnome-control-center"}, nil, ScreenLock, ""},
		{"GNOME 47", "GNOME", []string{"usr/bin/gnome-control-center"}, []string{applications + "gnome-system-panel.desktop", applications + "gnome-datetime-panel.desktop"}, DateTime, "/usr/bin/gnome-control-center system datetime"},
		{"GNOME 43, the clock", "GNOME", []string{"usr/bin/gnome-control-center"}, []string{applications + "gnome-datetime-panel.desktop"}, DateTime, "/usr/bin/gnome-control-center datetime"},
		{"GNOME, firmware", "GNOME", []string{"usr/bin/gnome-control-center"}, []string{applications + "gnome-firmware-security-panel.desktop"}, SecureBoot, "/usr/bin/gnome-control-center firmware-security"},
		{"GNOME, updates", "GNOME", []string{"usr/bin/gnome-software"}, nil, Updates, "/usr/bin/gnome-software --mode=updates"},
		{"Plasma 5.27", "KDE", []string{"usr/bin/systemsettings"}, []string{applications + "kcm_screenlocker.desktop"}, ScreenLock, "/usr/bin/systemsettings kcm_screenlocker"},
		{"Plasma 5.18", "KDE", []string{"usr/bin/systemsettings5"}, []string{"usr/share/kservices5/screenlocker.desktop"}, ScreenLock, "/usr/bin/systemsettings5 screenlocker"},
		{"Plasma, updates", "KDE", []string{"usr/bin/plasma-discover", "usr/bin/systemsettings"}, []string{applications + "kcm_updates.desktop"}, Updates, "/usr/bin/plasma-discover --mode update"},
		{"Plasma, firewall module missing", "KDE", []string{"usr/bin/systemsettings", "usr/bin/gufw"}, nil, Firewall, "/usr/bin/gufw"},
		{"Xfce", "XFCE", []string{"usr/bin/xfce4-screensaver-preferences"}, nil, ScreenLock, "/usr/bin/xfce4-screensaver-preferences"},
		{"Cinnamon", "X-Cinnamon", []string{"usr/bin/cinnamon-settings"}, nil, ScreenLock, "/usr/bin/cinnamon-settings screensaver"},
		{"MATE", "MATE", []string{"usr/bin/mate-screensaver-preferences"}, nil, ScreenLock, "/usr/bin/mate-screensaver-preferences"},
		{"a window manager", "sway", []string{"usr/local/bin/firewall-config"}, nil, Firewall, "/usr/local/bin/firewall-config"},
		{"NixOS", "GNOME", []string{"run/current-system/sw/bin/gnome-control-center"}, []string{"run/current-system/sw/share/applications/gnome-network-panel.desktop"}, Network, "/run/current-system/sw/bin/gnome-control-center network"},
		{"another desktop's program", "XFCE", []string{"usr/bin/gnome-control-center"}, []string{applications + "gnome-screen-panel.desktop"}, ScreenLock, ""},
		{"in no listed folder", "XFCE", []string{"opt/bin/xfce4-screensaver-preferences"}, nil, ScreenLock, ""},
		{"disk encryption", "GNOME", []string{"usr/bin/gnome-disks"}, nil, DiskEncryption, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := fakeLinux(t, session(c.desktop), c.programs, c.files...)
			f, err := m.find(c.page)
			got := strings.TrimPrefix(strings.Join(append([]string{f.path}, f.args...), " "), m.root)
			if got != c.want || (err == nil) != (c.want != "") || err != nil && !errors.Is(err, ErrNoPage) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestLinuxWithoutScreen(t *testing.T) {
	m := fakeLinux(t, map[string]string{"XDG_CURRENT_DESKTOP": "GNOME"}, []string{"usr/bin/gnome-software"})
	if _, err := m.find(Updates); err == nil || !strings.Contains(err.Error(), "no screen") {
		t.Errorf("%v", err)
	}
	m = fakeLinux(t, map[string]string{"WAYLAND_DISPLAY": "wayland-0"}, []string{"usr/bin/gnome-software"})
	if _, err := m.find(Updates); err != nil {
		t.Error(err)
	}
}

// TestProgramsOnly: a file that cannot be run, or a folder, is not a program.
func TestProgramsOnly(t *testing.T) {
	m := fakeLinux(t, session("XFCE"), nil, "usr/bin/xfce4-screensaver-preferences")
	if _, err := m.find(ScreenLock); !errors.Is(err, ErrNoPage) {
		t.Errorf("a file without the right to be run: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(m.root, "usr/bin/light-locker-settings"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := m.find(ScreenLock); !errors.Is(err, ErrNoPage) {
		t.Errorf("a folder: %v", err)
	}
}

// TestEveryLinuxWay installs each way of the table alone and expects it to be
// found on its own desktop.
func TestEveryLinuxWay(t *testing.T) {
	names := map[desktop]string{gnome: "GNOME", kde: "KDE", xfce: "XFCE", cinnamon: "X-Cinnamon", mate: "MATE", lxqt: "LXQt", anywhere: ""}
	for _, p := range Pages() {
		for _, d := range everyDesktop() {
			for _, way := range linuxPages(p, d) {
				var files []string
				if way.marker != "" {
					files = append(files, "usr/share/"+way.marker)
				}
				m := fakeLinux(t, session(names[d]), []string{"usr/bin/" + way.program}, files...)
				f, err := m.find(p)
				if err != nil || f.path != filepath.Join(m.root, "usr/bin", way.program) || !slices.Equal(f.args, way.args) {
					t.Errorf("%s on %s by %s: %+v, %v", p, d, way.program, f, err)
				}
			}
		}
	}
}
