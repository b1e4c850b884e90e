package settings

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// constants reads the ids of Page from the source, so that no list in a test
// has to be kept.
func constants(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "settings.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Page" {
			return true
		}
		for _, value := range spec.Values {
			id, err := strconv.Unquote(value.(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		return true
	})
	slices.Sort(ids)
	return ids
}

func TestEveryIDIsAConstant(t *testing.T) {
	var ids []string
	for _, p := range Pages() {
		ids = append(ids, string(p))
		if known, ok := Known(string(p)); !ok || known != p {
			t.Errorf("%q is not known", p)
		}
	}
	want := constants(t)
	if !slices.Equal(ids, want) {
		t.Errorf("Pages lists %v, the constants are %v", ids, want)
	}
	if len(slices.Compact(slices.Clone(want))) != len(want) || len(want) < 10 {
		t.Errorf("constants: %v", want)
	}
	for _, id := range want {
		if !regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`).MatchString(id) {
			t.Errorf("%q is not a plain word", id)
		}
	}
}

func TestUnknownIDs(t *testing.T) {
	for _, id := range []string{"", "Updates", "updates ", "ms-settings:privacy", "../updates", "/bin/sh", "updates\x00"} {
		if _, ok := Known(id); ok {
			t.Errorf("%q is known", id)
		}
		if Has(Page(id)) {
			t.Errorf("%q is here", id)
		}
		if err := Open(t.Context(), Page(id)); !errors.Is(err, ErrNoPage) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// TestEverySystemAnswers wants of each table either a way or a reason, and of
// each page a way on at least one system.
func TestEverySystemAnswers(t *testing.T) {
	everything := winMachine{handles: func(string) bool { return true }}
	for _, p := range Pages() {
		ways := 0
		if _, err := everything.choose(p); err == nil {
			ways++
		} else if !errors.Is(err, ErrNoPage) {
			t.Errorf("windows, %s: %v", p, err)
		}
		for _, version := range []string{"12.7", "13.0", "26.1"} {
			if _, err := macAddress(p, version); err == nil {
				ways++
			} else if !errors.Is(err, ErrNoPage) {
				t.Errorf("macOS %s, %s: %v", version, p, err)
			}
		}
		for _, d := range everyDesktop() {
			ways += len(linuxPages(p, d))
		}
		if ways == 0 {
			t.Errorf("no system has %s", p)
		}
		if never := linuxNever(p) != ""; never != (linuxWays(p) == 0) {
			t.Errorf("linux, %s: never is %v with %d ways", p, never, linuxWays(p))
		}
	}
}

func everyDesktop() []desktop { return []desktop{gnome, kde, xfce, cinnamon, mate, lxqt, anywhere} }

func linuxWays(p Page) int {
	n := 0
	for _, d := range everyDesktop() {
		n += len(linuxPages(p, d))
	}
	return n
}

// TestShapes holds every constant of the tables to what it may be: no table can
// come to hold a path, a second argument or another scheme by mistake.
func TestShapes(t *testing.T) {
	address := regexp.MustCompile(`^(ms-settings:[a-z-]+|windowsdefender://[a-z]+/)$`)
	item := regexp.MustCompile(`^Microsoft\.[A-Za-z]+$`)
	bundle := regexp.MustCompile(`^com\.apple\.[A-Za-z.-]+(\?[A-Za-z_]+)?$`)
	name := regexp.MustCompile(`^[a-z0-9-]+$`)
	argument := regexp.MustCompile(`^(--mode=updates|--mode|--updates|[a-z_-]+)$`)
	marker := regexp.MustCompile(`^(applications|kservices5)/[a-z_-]+\.desktop$`)
	for _, p := range Pages() {
		for _, w := range winPages(p) {
			if (w.address == "") == (w.item == "") || w.address != "" && !address.MatchString(w.address) || w.item != "" && !item.MatchString(w.item) {
				t.Errorf("windows, %s: %+v", p, w)
			}
		}
		m := macPages(p)
		for _, s := range []string{m.extension, m.pane} {
			if s != "" && !bundle.MatchString(s) {
				t.Errorf("macOS, %s: %q", p, s)
			}
		}
		if (m.none == "") == (m.extension == "") {
			t.Errorf("macOS, %s: neither way nor reason, or both: %+v", p, m)
		}
		for _, d := range everyDesktop() {
			for _, w := range linuxPages(p, d) {
				if !name.MatchString(w.program) || w.marker != "" && !marker.MatchString(w.marker) || len(w.args) > 2 {
					t.Errorf("%s, %s: %+v", d, p, w)
				}
				for _, a := range w.args {
					if !argument.MatchString(a) {
						t.Errorf("%s, %s: argument %q", d, p, a)
					}
				}
			}
		}
	}
	for _, folder := range append(programFolders(), dataFolders()...) {
		if !strings.HasPrefix(folder, "/") || !fs.ValidPath(folder[1:]) {
			t.Errorf("folder %q", folder)
		}
	}
}

func TestWindowsWays(t *testing.T) {
	with := func(schemes ...string) func(string) bool {
		return func(s string) bool { return slices.Contains(schemes, s) }
	}
	full := with("ms-settings", "windowsdefender")
	for _, c := range []struct {
		page    Page
		machine winMachine
		want    winWay
		none    bool
	}{
		{Updates, winMachine{handles: full}, winWay{address: "ms-settings:windowsupdate"}, false},
		{DiskEncryption, winMachine{handles: full}, winWay{item: "Microsoft.BitLockerDriveEncryption", notHome: true}, false},
		{DiskEncryption, winMachine{home: true, handles: full}, winWay{address: "ms-settings:deviceencryption"}, false},
		{DiskEncryption, winMachine{home: true, handles: with()}, winWay{}, true},
		{Firewall, winMachine{handles: full}, winWay{address: "windowsdefender://network/"}, false},
		{Firewall, winMachine{handles: with("ms-settings")}, winWay{item: "Microsoft.WindowsFirewall"}, false},
		{DeviceSecurity, winMachine{handles: with("ms-settings")}, winWay{}, true}, // Server without Windows Security
		{MenuBar, winMachine{handles: full}, winWay{}, true},
	} {
		got, err := c.machine.choose(c.page)
		if got != c.want || errors.Is(err, ErrNoPage) != c.none {
			t.Errorf("%s: %+v, %v", c.page, got, err)
		}
	}
}

func TestMacAddresses(t *testing.T) {
	for _, c := range []struct {
		page          Page
		version, want string
	}{
		{DiskEncryption, "12.7.6", macPrefix + "com.apple.preference.security?FDE"},
		{DiskEncryption, "13.0", macPrefix + "com.apple.settings.PrivacySecurity.extension?FileVault"},
		{DiskEncryption, "26.1", macPrefix + "com.apple.settings.PrivacySecurity.extension?FileVault"},
		{Updates, "12.0", macPrefix + "com.apple.preferences.softwareupdate"},
		{Updates, "15.6", macPrefix + "com.apple.Software-Update-Settings.extension"},
		{Updates, "", macPrefix + "com.apple.Software-Update-Settings.extension"}, // unreadable: a new one
		{MenuBar, "26.0", macPrefix + "com.apple.MenuBarSettings"},
		{MenuBar, "16.0", macPrefix + "com.apple.MenuBarSettings"}, // what 26 says to older programs
		{MenuBar, "15.6", ""},
		{MenuBar, "12.7", ""},
		{Antivirus, "15.6", ""},
		{SecureBoot, "15.6", ""},
	} {
		got, err := macAddress(c.page, c.version)
		if got != c.want || (err == nil) != (c.want != "") || err != nil && !errors.Is(err, ErrNoPage) {
			t.Errorf("%s on %q: %q, %v", c.page, c.version, got, err)
		}
	}
}

func TestNoPageError(t *testing.T) {
	err := noPage(MenuBar, "macOS %d has none", 12)
	var typed *NoPageError
	if !errors.As(err, &typed) || typed.Page != MenuBar || typed.Reason != "macOS 12 has none" {
		t.Errorf("%#v", err)
	}
	if got := err.Error(); got != `settings page "menu-bar": macOS 12 has none` {
		t.Error(got)
	}
}
