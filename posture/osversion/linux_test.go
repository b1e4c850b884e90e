package osversion

import (
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const noRelease = "unknown: release-not-in-table"
const rolling = "unknown: rolling-release"

func linuxMachine(osRelease string) *evidence.Memory {
	m := evidence.NewMemory(evidence.Linux, day)
	m.SetFile(osReleaseEtc, osRelease)
	m.SetFile(kernelRelease, "6.1.0-57-cloud-amd64\n")
	return m
}

// reading is product, version, family, release, whether the release is known,
// and the first moments without support.
type reading [7]string

func TestLinuxCaptures(t *testing.T) {
	tests := map[string]reading{
		"chef-alma_10.txt":                           {"almalinux", "10.0", "rhel", "Purple Lion", "true", "2035-06-01T00:00:00Z", "unknown: not-found"},
		"chef-arch.txt":                              {"arch", "TEMPLATE_VERSION_ID", "arch", "unknown: not-found", "false", rolling, rolling},
		"chef-bottlerocket.txt":                      {"amzn", "2", "rhel", "unknown: not-found", "true", "2026-07-01T00:00:00Z", "unknown: not-found"},
		"chef-debian_13.txt":                         {"debian", "13", "debian", "trixie", "true", "2028-08-10T00:00:00Z", "2030-07-01T00:00:00Z"},
		"chef-fedora_42.txt":                         {"fedora", "42", "fedora", "Adams", "true", "2026-05-13T00:00:00Z", "unknown: not-found"},
		"chef-fedora_43.txt":                         {"fedora", "43", "fedora", "unknown: not-found", "true", "2026-12-02T00:00:00Z", "unknown: not-found"},
		"chef-flatcar.txt":                           {"flatcar", "4459.0.0", "coreos", "unknown: not-found", "false", noRelease, noRelease},
		"chef-gardenlinux.txt":                       {"hce", "2.0", "hce", "unknown: not-found", "false", noRelease, noRelease},
		"chef-lubuntu_24_04.txt":                     {"ubuntu", "24.04", "debian", "noble", "true", "2029-06-01T00:00:00Z", "2036-06-01T00:00:00Z"},
		"chef-mxlinux.txt":                           {"debian", "12", "debian", "bookworm", "true", "2026-07-12T00:00:00Z", "2028-07-01T00:00:00Z"},
		"chef-nixos.txt":                             {"nixos", "18.09.1436.a7fd4310c0c", "nixos", "jellyfish", "true", "2019-05-01T00:00:00Z", "unknown: not-found"},
		"chef-opensuseleap_16.txt":                   {"opensuse-leap", "16.0", "suse", "unknown: not-found", "true", "2027-11-01T00:00:00Z", "unknown: not-found"},
		"chef-openwrt_2203.txt":                      {"openwrt", "22.03.4", "openwrt", "unknown: not-found", "false", noRelease, noRelease},
		"chef-redhat_10.txt":                         {"rhel", "10.0", "rhel", "Coughlan", "true", "2035-06-01T00:00:00Z", "2039-06-01T00:00:00Z"},
		"chef-sles_11.txt":                           {"sles", "11.4", "suse", "unknown: not-found", "true", "2019-04-01T00:00:00Z", "2022-04-01T00:00:00Z"},
		"chef-ubuntu_2404.txt":                       {"ubuntu", "24.04", "debian", "noble", "true", "2029-06-01T00:00:00Z", "2036-06-01T00:00:00Z"},
		"chef-ubuntu_2510.txt":                       {"ubuntu", "25.10", "debian", "questing", "true", "2026-07-02T00:00:00Z", "unknown: not-found"},
		"chef-xcp-ng_8.txt":                          {"xenenterprise", "8.2.0", "rhel", "unknown: not-found", "false", noRelease, noRelease},
		"chef-zorin.txt":                             {"zorin", "16", "debian", "focal", "false", noRelease, noRelease},
		"elastic-almalinux10-os-release.txt":         {"almalinux", "10.0", "rhel", "Purple Lion", "true", "2035-06-01T00:00:00Z", "unknown: not-found"},
		"elastic-linuxmint20-os-release.txt":         {"linuxmint", "20", "debian", "ulyana", "true", "2025-05-01T00:00:00Z", "unknown: not-found"},
		"elastic-openeuler20.03-os-release.txt":      {"openEuler", "20.03", "openEuler", "LTS-SP3", "false", noRelease, noRelease},
		"elastic-opensuse-tumbleweed-os-release.txt": {"opensuse-tumbleweed", "20230108", "suse", "unknown: not-found", "false", rolling, rolling},
		"elastic-redhat10-os-release.txt":            {"rhel", "10.0", "rhel", "Coughlan", "true", "2035-06-01T00:00:00Z", "2039-06-01T00:00:00Z"},
		"elastic-sled15sp5-os-release.txt":           {"sled", "15.5", "suse", "unknown: not-found", "true", "2025-01-01T00:00:00Z", "unknown: not-found"},
		"facter-mint.txt":                            {"linux", "unknown: not-found", "linux", "unknown: not-found", "false", noRelease, noRelease},
		"facter-oracle_linux.txt":                    {"ol", "7.2", "rhel", "unknown: not-found", "true", "2025-01-01T00:00:00Z", "2028-07-01T00:00:00Z"},
		"facter-redhat_linux_with_comment.txt":       {"rhel", "8.6", "rhel", "Ootpa", "true", "2029-06-01T00:00:00Z", "2033-06-01T00:00:00Z"},
		"facter-sles_sap.txt":                        {"sles_sap", "12.2", "suse", "unknown: not-found", "true", "2018-04-01T00:00:00Z", "2021-04-01T00:00:00Z"},
		"insights-rhvh.txt":                          {"rhel", "7.3", "rhel", "unknown: not-found", "true", "2024-07-01T00:00:00Z", "2029-06-01T00:00:00Z"},
		"facter-devuan.txt":                          {}, // only the word beowulf
		"elastic-redhat7-redhat-release.txt":         {}, // of other files, below
		"elastic-ubuntu2204-lsb-release.txt":         {},
	}
	for _, name := range names(t, "linux/os-release") {
		t.Run(name, func(t *testing.T) {
			want, ok := tests[name]
			if !ok {
				t.Fatal("a capture without an expected reading")
			}
			s := Collect(t.Context(), linuxMachine(capture(t, "linux/os-release/"+name)))
			valid(t, s)
			if want == (reading{}) {
				return
			}
			expect(t, s, map[string]string{
				"": "observed", "type": fact.OSLinux, "build": "6.1.0-57-cloud-amd64", "kernel": "6.1.0-57-cloud-amd64",
				"product": want[0], "version": want[1], "family": want[2], "release": want[3],
				"release_known": want[4], "support_end": want[5], "extended_support_end": want[6],
			})
		})
	}
}

func TestLinuxPlaces(t *testing.T) {
	const release = "ID=debian\nVERSION_ID=\"12\"\n"
	tests := []struct {
		name  string
		setup func(*evidence.Memory)
		want  map[string]string
	}{
		{"only the second place", func(m *evidence.Memory) { m.SetFile(osReleaseUsr, release) },
			map[string]string{"": "observed", "version": "12", "build": "unknown: not-found"}},
		{"the first place wins", func(m *evidence.Memory) {
			m.SetFile(osReleaseUsr, release)
			m.SetFile(osReleaseEtc, "ID=mine\nVERSION_ID=1\n")
		}, map[string]string{"product": "mine", "version": "1"}},
		{"neither", func(*evidence.Memory) {},
			map[string]string{"": "unknown", "type": fact.OSLinux, "product": "unknown: not-found", "version": "unknown: not-found"}},
		{"the first may not be read", func(m *evidence.Memory) {
			m.SetFile(osReleaseUsr, release)
			m.Fail(osReleaseEtc, fact.ReasonNeedsPrivilege)
		}, map[string]string{"": "unknown", "version": "unknown: needs-privilege", "support_end": "unknown: needs-privilege"}},
		{"no ID", func(m *evidence.Memory) { m.SetFile(osReleaseEtc, "VERSION_ID=3\n") },
			map[string]string{"product": "linux", "version": "3"}},
		{"not an os-release", func(m *evidence.Memory) { m.SetFile(osReleaseEtc, "beowulf\n") },
			map[string]string{"": "unknown", "version": "unknown: unreadable-output"}},
		{"redhat-release alone", func(m *evidence.Memory) {
			m.SetFile("/etc/redhat-release", capture(t, "linux/os-release/elastic-redhat7-redhat-release.txt"))
		}, map[string]string{"product": "rhel", "version": "7.6", "release": "maipo", "family": "rhel", "support_end": "2024-07-01T00:00:00Z"}},
		{"centos-like release line", func(m *evidence.Memory) { m.SetFile("/etc/redhat-release", "CentOS release 6.10 (Final)\n") },
			map[string]string{"product": "centos", "version": "6.10", "support_end": "2020-12-01T00:00:00Z"}},
		{"lsb-release alone", func(m *evidence.Memory) {
			m.SetFile("/etc/lsb-release", capture(t, "linux/os-release/elastic-ubuntu2204-lsb-release.txt"))
		}, map[string]string{"product": "ubuntu", "version": "22.04", "release": "jammy", "support_end": "2027-04-02T00:00:00Z", "extended_support_end": "2032-04-10T00:00:00Z"}},
		{"an lsb-release without a name", func(m *evidence.Memory) { m.SetFile("/etc/lsb-release", "LSB_VERSION=1.4\n") },
			map[string]string{"": "unknown", "product": "unknown: unreadable-output"}},
		{"uname", func(m *evidence.Memory) {
			m.SetFile(osReleaseEtc, release)
			m.SetAnswer(map[string]string{"sysname": "Linux", "release": "6.12.1", "machine": "aarch64"}, evidence.AskPlatform)
		}, map[string]string{"kernel": "6.12.1", "build": "6.12.1", "architecture": "arm64"}},
		{"uname and the file differ", func(m *evidence.Memory) {
			m.SetFile(osReleaseEtc, release)
			m.SetFile(kernelRelease, "6.1.0\n")
			m.SetAnswer(map[string]string{"release": "6.12.1", "machine": "x86_64"}, evidence.AskPlatform)
		}, map[string]string{"": "observed", "kernel": "conflict: sources-disagree", "build": "conflict: sources-disagree", "architecture": "amd64"}},
		{"architecture by the file", func(m *evidence.Memory) {
			m.SetFile(osReleaseEtc, release)
			m.SetFile(kernelArch, "x86_64\n")
		}, map[string]string{"architecture": "amd64"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := evidence.NewMemory(evidence.Linux, day)
			tt.setup(m)
			s := Collect(t.Context(), m)
			valid(t, s)
			expect(t, s, tt.want)
		})
	}
}

// What distributions print is from their base packages.
func TestLinuxDistributions(t *testing.T) {
	tests := []struct {
		name, text, debian string
		want               map[string]string
	}{
		{"a release that is newer than the table", "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"30.04\"\n", "",
			map[string]string{"version": "30.04", "release_known": "false", "support_end": noRelease, "rolling": "false"}},
		{"the same, saying itself until when", "ID=fedora\nVERSION_ID=60\nSUPPORT_END=2035-01-15\n", "",
			map[string]string{"release_known": "false", "support_end": "2035-01-15T00:00:00Z", "extended_support_end": noRelease}},
		{"the own day is later than the maker's", "ID=fedora\nVERSION_ID=43\nSUPPORT_END=2099-01-01\n", "",
			map[string]string{"support_end": "2026-12-10T00:00:00Z"}},
		{"the own day is none", "ID=fedora\nVERSION_ID=60\nSUPPORT_END=soon\n", "", map[string]string{"support_end": "unknown: malformed-value"}},
		{"the own day is none, the table has one", "ID=fedora\nVERSION_ID=43\nSUPPORT_END=soon\n", "", map[string]string{"support_end": "2026-12-10T00:00:00Z"}},
		{"point release of Debian", "ID=debian\nVERSION_ID=12\nVERSION=\"12 (bookworm)\"\n", "12.7\n",
			map[string]string{"version": "12", "revision": "12.7", "release": "bookworm"}},
		{"Debian testing", "PRETTY_NAME=\"Debian GNU/Linux forky/sid\"\nNAME=\"Debian GNU/Linux\"\nVERSION_CODENAME=forky\nID=debian\n", "forky/sid\n",
			map[string]string{"product": "debian", "version": "unknown: not-found", "rolling": "true", "support_end": rolling}},
		{"Ubuntu has debian_version too", "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=24.04\nVERSION=\"24.04.3 LTS (Noble Numbat)\"\n", "trixie/sid\n",
			map[string]string{"rolling": "false", "revision": "24.04.3", "support_end": "2029-06-01T00:00:00Z"}},
		{"LMDE", "NAME=\"LMDE\"\nVERSION=\"6 (faye)\"\nID=linuxmint\nID_LIKE=debian\nVERSION_ID=\"6\"\n", "",
			map[string]string{"product": "linuxmint", "version": "6", "family": "debian", "support_end": "2026-01-02T00:00:00Z"}},
		{"CentOS Stream", "NAME=\"CentOS Stream\"\nVERSION=\"9\"\nID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"9\"\n", "",
			map[string]string{"product": "centos", "family": "rhel", "support_end": "2027-06-01T00:00:00Z"}},
		{"CentOS Linux 8", "NAME=\"CentOS Linux\"\nID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"8\"\n", "",
			map[string]string{"support_end": "2022-01-01T00:00:00Z"}},
		{"Rocky", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.6\"\nVERSION=\"9.6 (Blue Onyx)\"\nSUPPORT_END=2032-05-31\n", "",
			map[string]string{"product": "rocky", "family": "rhel", "release": "Blue Onyx", "support_end": "2032-05-31T00:00:00Z"}},
		{"Oracle Linux 9", "ID=\"ol\"\nID_LIKE=\"fedora\"\nVARIANT=\"Server\"\nVARIANT_ID=\"server\"\nVERSION_ID=\"9.6\"\nPLATFORM_ID=\"platform:el9\"\n", "",
			map[string]string{"family": "rhel", "edition": "server"}},
		{"Fedora Workstation", "ID=fedora\nVERSION_ID=44\nVERSION=\"44 (Workstation Edition)\"\nVARIANT=\"Workstation Edition\"\nVARIANT_ID=workstation\n", "",
			map[string]string{"edition": "workstation", "release": "unknown: not-found", "support_end": "2027-06-03T00:00:00Z"}},
		{"Rawhide", "ID=fedora\nVERSION_ID=45\nVERSION=\"45 (Workstation Edition Prerelease)\"\nREDHAT_BUGZILLA_PRODUCT_VERSION=rawhide\n", "",
			map[string]string{"rolling": "true", "support_end": rolling}},
		{"Kali", "ID=kali\nID_LIKE=debian\nVERSION_ID=\"2025.3\"\nVERSION_CODENAME=kali-rolling\n", "", map[string]string{"rolling": "true", "family": "debian", "version": "2025.3"}},
		{"EndeavourOS", "ID=\"endeavouros\"\nID_LIKE=\"arch\"\nBUILD_ID=\"2025.03.19\"\n", "", map[string]string{"rolling": "true", "family": "arch", "revision": "2025.03.19"}},
		{"Void", "ID=\"void\"\n", "", map[string]string{"rolling": "true", "release_known": "false", "support_end": rolling}},
		{"Gentoo", "ID=gentoo\nVERSION_ID=\"2.17\"\n", "", map[string]string{"rolling": "true", "version": "2.17"}},
		{"NixOS", "ID=nixos\nVERSION_ID=\"26.05\"\nVERSION=\"26.05 (Yarara)\"\nBUILD_ID=\"26.05.20260701.abc\"\n", "",
			map[string]string{"rolling": "false", "support_end": "2027-01-01T00:00:00Z", "revision": "26.05.20260701.abc"}},
		{"NixOS unstable", "ID=nixos\nVERSION_ID=\"26.11\"\nBUILD_ID=\"26.11pre812345.abcdef\"\n", "", map[string]string{"rolling": "true"}},
		{"Alpine", "ID=alpine\nVERSION_ID=3.22.1\nPRETTY_NAME=\"Alpine Linux v3.22\"\n", "", map[string]string{"rolling": "false", "support_end": "2027-05-02T00:00:00Z"}},
		{"Alpine edge", "ID=alpine\nVERSION_ID=3.23_alpha20250612\nPRETTY_NAME=\"Alpine Linux edge\"\n", "", map[string]string{"rolling": "true"}},
		{"a distribution nobody knows", "ID=foo\nVERSION_ID=3\n", "", map[string]string{"family": "foo", "rolling": noRelease, "release_known": "false"}},
		{"single quotes, spaces and a byte order mark", "\uFEFFID='debian'\n  VERSION_ID='12'  \r\n", "", map[string]string{"product": "debian", "version": "12"}},
		{"cut in the middle of a value", "ID=debian\nVERSION_ID=\"1", "", map[string]string{"product": "debian", "version": "unknown: not-found", "release_known": "false"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := linuxMachine(tt.text)
			if tt.debian != "" {
				m.SetFile(debianVersion, tt.debian)
			}
			s := Collect(t.Context(), m)
			valid(t, s)
			expect(t, s, tt.want)
		})
	}
}

func TestUnquote(t *testing.T) {
	tests := map[string]string{
		`plain`: "plain", `"a b"`: "a b", `'a\b'`: `a\b`, `"a\"b\$c"`: `a"b$c`, `a\ b`: "a b", ``: "", `""`: "",
	}
	for in, want := range tests {
		if got, ok := unquote(in); !ok || got != want {
			t.Errorf("%s: %q, %v", in, got, ok)
		}
	}
	for _, in := range []string{`"open`, `'open`, `"`, `'`} {
		if got, ok := unquote(in); ok {
			t.Errorf("%s read as %q", in, got)
		}
	}
}
