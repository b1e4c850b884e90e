package release

import (
	"strings"
	"testing"
	"time"
)

func builtInTable(t testing.TB) Table {
	t.Helper()
	table, err := BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestFind(t *testing.T) {
	table := builtInTable(t)
	tests := []struct {
		product, version string
		variants         []string
		want             string // version variant name, first moment without support, without extended support
	}{
		{"windows", "26100", []string{"w"}, "26100 w 24H2 2026-10-14 -"},
		{"windows", "26100", []string{"e", ""}, "26100 e 24H2 2027-10-13 -"},
		{"windows", "26100", []string{"e-lts"}, "26100 e-lts 24H2 2029-10-10 -"},
		{"windows", "26100", []string{"iot-lts", "e-lts"}, "26100 iot-lts 24H2 2034-10-11 -"},
		{"windows", "17763", []string{"iot-lts", "e-lts"}, "17763 e-lts 1809 2029-01-10 -"},
		{"windows", "19045", []string{"w", ""}, "19045  22H2 2025-10-15 2028-10-11"},
		{"windows", "19045", nil, "19045  22H2 2025-10-15 2028-10-11"},
		{"windows", "26100", nil, ""},
		{"windows", "26200", []string{"e-lts"}, ""},
		{"windows", "26300", []string{"w"}, ""},
		{"windows-server", "26100", []string{""}, "26100  2025 2034-11-15 -"},
		{"windows-server", "14393", []string{""}, "14393  2016 2027-01-13 2030-01-13"},
		{"windows-server", "17763", []string{"sac"}, "17763 sac 1809 2020-11-11 -"},
		{"windows-server", "17763", []string{""}, "17763  2019 2029-01-10 -"},
		{"macos", "26.6.2", nil, "26  Tahoe open -"},
		{"macos", "13.7.8", nil, "13  Ventura 2025-09-16 -"},
		{"macos", "10.15.7", nil, "10.15  Catalina 2026-02-03 -"},
		{"macos", "10.16", nil, ""},
		{"macos", "27.1", nil, ""},
		{"ubuntu", "24.04", nil, "24.04  Noble Numbat 2029-06-01 2036-06-01"},
		{"ubuntu", "25.11", nil, ""},
		{"debian", "12", nil, "12  Bookworm 2026-07-12 2028-07-01"},
		{"rhel", "9.6", nil, "9   2032-06-01 2036-06-01"},
		{"rocky", "10.0", nil, "10   2035-06-01 -"},
		{"almalinux", "8.10", nil, "8   2029-06-01 -"},
		{"ol", "7.2", nil, "7   2025-01-01 2028-07-01"},
		{"sles", "15.5", nil, "15.5   2025-01-01 2028-01-01"},
		{"sles", "15.9", nil, ""},
		{"fedora", "43", nil, "43   2026-12-10 -"},
		{"amzn", "2023", nil, "2023   2029-07-01 -"},
		{"amzn", "2", nil, "2   2026-07-01 -"},
		{"opensuse-leap", "15.6", nil, "15.6   2026-05-01 -"},
		{"linuxmint", "22", nil, "22  Wilma 2029-05-01 -"},
		{"linuxmint", "22.1", nil, "22.1  Xia 2029-05-01 -"},
		{"linuxmint", "22.9", nil, ""},
		{"lmde", "6", nil, "6  Faye 2026-01-02 -"},
		{"nixos", "18.09.1436.a7fd4310c0c", nil, "18.09  Jellyfish 2019-05-01 -"},
		{"alpine", "3.22.1", nil, "3.22   2027-05-02 -"},
		{"centos-stream", "9", nil, "9   2027-06-01 -"},
		{"sl-micro", "6.1", nil, "6.1   2028-12-01 -"},
		{"debian", "", nil, ""},
		{"", "12", nil, ""},
	}
	for _, tt := range tests {
		got := ""
		if r, ok := table.Find(tt.product, tt.version, tt.variants...); ok {
			got = strings.Join([]string{r.Version, r.Variant, r.Name, show(r.Support), show(r.Extended)}, " ")
		}
		if got != tt.want {
			t.Errorf("%s %s %q: %q, want %q", tt.product, tt.version, tt.variants, got, tt.want)
		}
	}
}

func show(e End) string {
	switch {
	case e.Open:
		return "open"
	case e.Over:
		return "over"
	case e.At.IsZero():
		return "-"
	}
	return e.At.Format(day)
}

func TestBuilds(t *testing.T) {
	table := builtInTable(t)
	b, ok := table.Build(Windows, "26100.4061")
	if !ok || b.Code != "KB5058411" || b.Released.Format(day) != "2025-05-13" {
		t.Errorf("%+v, %v", b, ok)
	}
	for _, of := range [][3]string{
		{Windows, "26200", "26200.8894"}, // 8973 is a preview
		{Windows, "26100.1", "26100.8894"},
		{WindowsServer, "26100", "26100.33158"},
		{Windows, "28000", "28000.2525"},
		{MacOS, "26.1", "26.6.2"},
		{MacOS, "15.7.9", "15.7.9"},
		{MacOS, "27.0", ""},
	} {
		product, version := of[0], strings.TrimSuffix(of[1], ".1")
		if product == MacOS {
			version = of[1]
		}
		if b, _ := table.Newest(product, version); b.Number != of[2] {
			t.Errorf("newest of %s %s is %q, want %q", product, version, b.Number, of[2])
		}
	}
	if b, ok := table.ByCode(MacOS, "25G83"); !ok || b.Number != "26.6.2" {
		t.Errorf("25G83 is %+v, %v", b, ok)
	}
	if _, ok := table.ByCode(Windows, "KB2267602"); ok {
		t.Error("definitions of Defender are a build of Windows")
	}
	if !table.Product("debian") || table.Product("void") {
		t.Error("products")
	}
	if n := table.Name(Windows, "26100"); n != "24H2" {
		t.Errorf("name of all variants: %q", n)
	}
}

// Later builds of one release never came out earlier; hotpatches and previews
// keep to that too. A day that breaks it is a mistake in the table.
func TestDaysRise(t *testing.T) {
	table := builtInTable(t)
	last := map[string]Build{}
	for line := range strings.Lines(string(tableData())) {
		c := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if c[0] != "build" {
			continue
		}
		b, _ := table.Build(c[1], c[2])
		at := c[1] + table.release(c[1], c[2])
		before := last[at]
		if !AtLeast(b.Number, before.Number) && before.Number != "" {
			t.Errorf("%s follows %s", b.Number, before.Number)
		}
		// Apple still repairs the version before after a new one is out.
		if c[1] != MacOS && !b.Released.IsZero() && b.Released.Before(before.Released) {
			t.Errorf("%s of %s came out before %s of %s", b.Number, b.Released, before.Number, before.Released)
		}
		if b.Released.After(table.Dated()) {
			t.Errorf("%s came out after the table's day", b.Number)
		}
		if !b.Released.IsZero() {
			last[at] = b
		}
	}
	if want := time.Date(2026, 8, 20, 0, 0, 0, 0, time.UTC); !table.Dated().Equal(want) {
		t.Errorf("dated %s", table.Dated())
	}
}

func tableData() []byte { return table }

func TestWindowsLine(t *testing.T) {
	table := builtInTable(t)
	tests := []struct {
		marks WindowsMarks
		build string
		want  string
	}{
		{WindowsMarks{Installation: "Client", Type: 1}, "26100", Windows},
		{WindowsMarks{Installation: "Server Core"}, "26100", WindowsServer},
		{WindowsMarks{Type: 2}, "26100", WindowsServer},
		{WindowsMarks{Installation: "Client", Type: 3, Edition: "ServerRdsh"}, "26100", Windows},
		{WindowsMarks{Edition: "ServerStandard"}, "17763", WindowsServer},
		{WindowsMarks{Name: "Windows Server 2019 Datacenter"}, "17763", WindowsServer},
		{WindowsMarks{Edition: "Core"}, "26100", Windows},
		{WindowsMarks{}, "26200", Windows},
		{WindowsMarks{}, "20348", WindowsServer},
		{WindowsMarks{}, "17763", ""},
		{WindowsMarks{}, "31337", ""},
	}
	for _, tt := range tests {
		if got := table.Line(tt.marks, tt.build); got != tt.want {
			t.Errorf("%+v %s: %q, want %q", tt.marks, tt.build, got, tt.want)
		}
	}
	for build, want := range map[uint64]string{26100: "windows-11", 22000: "windows-11", 19045: "windows-10", 9600: "windows"} {
		if got := WindowsProduct(Windows, build); got != want {
			t.Errorf("%d: %q", build, got)
		}
	}
	if v, ok := WindowsVariants(Windows, "EnterpriseSEval"); !ok || v[0] != "e-lts" {
		t.Errorf("evaluation of LTSC: %q, %v", v, ok)
	}
	if v, ok := WindowsVariants(Windows, "PPIPro"); ok {
		t.Errorf("Surface Hub: %q", v)
	}
}

func TestMac(t *testing.T) {
	for kernel, want := range map[string]string{
		"25.1.0": "26", "26.0.0": "27", "24G84": "15", "21.6.0": "12", "20.1.0": "11", "19H2": "10.15", "16G1114": "10.12", "25": "26", "": "", "x": "", "4.0": "", "999999999999999999999": "",
	} {
		if got := MacByKernel(kernel); got != want {
			t.Errorf("%s: %q, want %q", kernel, got, want)
		}
	}
	for version, want := range map[string]bool{"16.0": true, "16": true, "10.16": true, "10.16.1": true, "17.0": true, "25.1": true, "x": false, "": false, "10.15.7": false, "15.6": false, "26.0": false, "1.6": false, "10.1": false} {
		if IsMacCompat(version) != want {
			t.Errorf("%s: %v", version, !want)
		}
	}
	if FitsMac("16.0", "25A354") || !FitsMac("26.0", "25A354") || FitsMac("260.1", "25.0") || !FitsMac("27.0.1", "26.0.0") {
		t.Error("fits")
	}
}
