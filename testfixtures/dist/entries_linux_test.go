package dist

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// checkEntries reads the desktop entries as the "Desktop Entry Specification" and
// the "Desktop Application Autostart Specification" of freedesktop.org have it.
func (d *installed) checkEntries() {
	d.Helper()
	menu, tray := d.path("share/applications/postern.desktop"), d.path("share/applications/postern-tray.desktop")
	autostart := filepath.Join(d.dest, "etc/xdg/autostart/postern-tray.desktop")
	validate, err := exec.LookPath("desktop-file-validate")
	if err != nil {
		d.Log("desktop-file-validate is not here: the keys are checked by this test alone")
	}
	for _, file := range []string{menu, tray, autostart} {
		groups := d.groups(file)
		main := groups["Desktop Entry"]
		if main["Type"] != "Application" || main["Name"] == "" || main["Version"] != "1.1" || main["Terminal"] != "false" {
			d.Errorf("%s is no entry of a program: %v", file, main)
		}
		if main["Hidden"] != "" || main["OnlyShowIn"] != "" {
			d.Errorf("%s is not for all: %v", file, main)
		}
		for name, group := range groups {
			d.runs(file, name, group["Exec"])
			if name != "Desktop Entry" && group["Name"] == "" {
				d.Errorf("%s: %s has no name", file, name)
			}
		}
		if main["TryExec"] == "" || main["TryExec"] != strings.Fields(main["Exec"])[0] {
			d.Errorf("%s tries %q and starts %q", file, main["TryExec"], main["Exec"])
		}
		d.resolves(file, main["Icon"])
		if validate != "" {
			if out, err := exec.CommandContext(d.Context(), validate, "--warn-kde", file).CombinedOutput(); err != nil || len(out) > 0 {
				d.Errorf("%s: %v\n%s", file, err, out)
			}
		}
	}
	for action := range strings.SplitSeq(strings.Trim(d.groups(menu)["Desktop Entry"]["Actions"], ";"), ";") {
		if d.groups(menu)["Desktop Action "+action] == nil {
			d.Errorf("%s has no action %q", menu, action)
		}
	}
	if main := d.groups(menu)["Desktop Entry"]; main["NoDisplay"] != "" || !strings.HasSuffix(main["Exec"], "/postern open --status") {
		d.Errorf("the menu does not show the status page: %v", main)
	}
	if main := d.groups(autostart)["Desktop Entry"]; !strings.HasSuffix(main["Exec"], "/postern-tray") || main["X-GNOME-Autostart-enabled"] == "false" {
		d.Errorf("at log-on it starts %v", main)
	}
}

// groups reads an entry: its keys by their group. Comments there are none.
func (d *installed) groups(file string) map[string]map[string]string {
	d.Helper()
	groups := map[string]map[string]string{}
	var now map[string]string
	for line := range strings.Lines(read(d.T, file)) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "["); ok {
			now = map[string]string{}
			groups[strings.TrimSuffix(name, "]")] = now
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		switch {
		case line == "":
		case !ok || now == nil || now[key] != "" || value == "":
			d.Errorf("%s: %q", file, line)
		default:
			now[key] = value
		}
	}
	return groups
}

// runs: what is started is there, by a path that needs no quotes.
func (d *installed) runs(file, group, command string) {
	d.Helper()
	program, _, _ := strings.Cut(command, " ")
	info, err := os.Stat(d.dest + program)
	if err != nil || info.Mode()&0o111 == 0 || !filepath.IsAbs(program) || strings.ContainsAny(command, "\"'\\<>~|&;$*?#()`%\t") {
		d.Errorf("%s: %s starts %q: %v", file, group, command, err)
	}
}

// resolves looks an icon up as the "Icon Theme Specification" has it for the
// theme that every other one falls back to: a picture in a folder of the theme
// for programs, at each of the sizes that desktops ask for, or one that scales.
func (d *installed) resolves(file, icon string) {
	d.Helper()
	if icon == "" || strings.ContainsAny(icon, "/.") {
		d.Errorf("%s: icon %q is a file, not a name", file, icon)
		return
	}
	theme := d.path("share/icons/hicolor")
	for _, folder := range []string{"16x16", "24x24", "32x32", "48x48", "64x64", "128x128", "256x256"} {
		if _, err := os.Stat(filepath.Join(theme, folder, "apps", icon+".png")); err != nil {
			d.Errorf("%s: %v", file, err)
		}
	}
	if !strings.Contains(read(d.T, filepath.Join(theme, "scalable/apps", icon+".svg")), "<svg ") {
		d.Errorf("%s: the icon that scales is no drawing", file)
	}
	// The theme's own list of folders, where a desktop is installed.
	index, err := os.ReadFile("/usr/share/icons/hicolor/index.theme")
	if err != nil {
		d.Log("no hicolor theme is here: its folders are taken from the specification alone")
		return
	}
	var listed []string
	for line := range strings.Lines(string(index)) {
		if folders, ok := strings.CutPrefix(strings.TrimSpace(line), "Directories="); ok {
			listed = strings.Split(folders, ",")
		}
	}
	for _, path := range must(filepath.Glob(filepath.Join(theme, "*/apps/*"))) {
		folder, err := filepath.Rel(theme, filepath.Dir(path))
		if err != nil || !slices.Contains(listed, folder) {
			d.Errorf("%s is in no folder of the theme: %v", path, err)
		}
	}
}
