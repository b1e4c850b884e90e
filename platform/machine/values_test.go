package machine

import (
	"bytes"
	"encoding/binary"
	"encoding/pem"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/postern-zt/postern/posture/evidence"
)

func wideBytes(s string) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return out
}

// The texts are what `reg query` prints for such values.
func TestRegValue(t *testing.T) {
	tests := []struct {
		kind       uint32
		data       []byte
		name, text string
	}{
		{regText, wideBytes("Größe\x00"), "REG_SZ", "Größe"},
		{regText, wideBytes("no zero"), "REG_SZ", "no zero"},
		{regText, wideBytes("a\x00behind"), "REG_SZ", "a"},
		{regText, []byte{'a', 0, 'b'}, "REG_SZ", "a"},
		{regText, nil, "REG_SZ", ""},
		{regExpand, wideBytes("%SystemRoot%\\x\x00"), "REG_EXPAND_SZ", `%SystemRoot%\x`},
		{regMulti, wideBytes("a\x00b c\x00\x00"), "REG_MULTI_SZ", `a\0b c`},
		{regMulti, wideBytes("\x00"), "REG_MULTI_SZ", ""},
		{regMulti, wideBytes("a\x00\x00lost\x00"), "REG_MULTI_SZ", "a"},
		{regDword, []byte{0xab, 0x22, 0, 0}, "REG_DWORD", "0x22ab"},
		{regDword, []byte{1}, "REG_DWORD", ""},
		{regDwordBig, []byte{0, 0, 0x22, 0xab}, "REG_DWORD_BIG_ENDIAN", "0x22ab"},
		{regQword, []byte{1, 0, 0, 0, 0, 0, 0, 0x80}, "REG_QWORD", "0x8000000000000001"},
		{regBinary, []byte{0xde, 0xad}, "REG_BINARY", "DEAD"},
		{regNone, nil, "REG_NONE", ""},
		{77, []byte{1}, "REG_77", "01"},
	}
	for _, tt := range tests {
		v := regValue("Name", tt.kind, tt.data)
		if want := (evidence.RegistryValue{Name: "Name", Type: tt.name, Data: tt.text}); v != want {
			t.Errorf("%s %x: %+v", tt.name, tt.data, v)
		}
	}
}

func TestImagePath(t *testing.T) {
	for line, want := range map[string]string{
		`"C:\Program Files\A B\x.exe" -k run`:           `C:\Program Files\A B\x.exe`,
		`C:\Windows\system32\svchost.exe -k netsvcs -p`: `C:\Windows\system32\svchost.exe`,
		`C:\Program Files\A B\x.exe`:                    `C:\Program Files\A B\x.exe`,
		`C:\Program Files\A.exe files\x.EXE`:            `C:\Program Files\A.exe`, // as the service manager tries first
		`C:\x.exex\y.exe /f`:                            `C:\x.exex\y.exe`,
		`\SystemRoot\System32\drivers\csagent.sys`:      `C:\Windows\System32\drivers\csagent.sys`,
		`system32\DRIVERS\WdFilter.sys`:                 `C:\Windows\system32\DRIVERS\WdFilter.sys`,
		`\??\C:\Program Files\Sensor\driver.sys`:        `C:\Program Files\Sensor\driver.sys`,
		`\\server\share\x.exe`:                          `\\server\share\x.exe`,
		`x.exe`:                                         "",
		``:                                              "",
		`"`:                                             "",
		`"C:\never closed.exe`:                          `C:\never closed.exe`,
		`C:\Program Files\Sensor\bin`:                   `C:\Program Files\Sensor\bin`,
	} {
		if got := imagePath(line, `C:\Windows`); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	if serviceState(4) != "running" || serviceState(1) != "stopped" || serviceState(99) != "" {
		t.Error("states")
	}
	if serviceStart(2) != "auto" || serviceStart(4) != "disabled" || serviceStart(99) != "" {
		t.Error("start types")
	}
}

// The examples for days before 1899 are those of "Automation Data Types".
func TestOLEDate(t *testing.T) {
	for days, want := range map[float64]string{
		0: "1899-12-30T00:00:00Z", 0.25: "1899-12-30T06:00:00Z", -1.25: "1899-12-29T06:00:00Z",
		2: "1900-01-01T00:00:00Z", 46082.75: "2026-03-01T18:00:00Z",
	} {
		if at, ok := oleDate(days); !ok || at.Format(time.RFC3339) != want {
			t.Errorf("%v: %v, %v", days, at, ok)
		}
	}
	for _, days := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e12, -1e12} {
		if at, ok := oleDate(days); ok {
			t.Errorf("%v is %v", days, at)
		}
	}
}

func TestSysctlText(t *testing.T) {
	swap := make([]byte, 32)
	binary.LittleEndian.PutUint64(swap, 2<<30)
	binary.LittleEndian.PutUint64(swap[8:], 1<<30)
	binary.LittleEndian.PutUint64(swap[16:], 1<<30)
	binary.LittleEndian.PutUint32(swap[24:], 4096)
	plain := slices.Clone(swap)
	binary.LittleEndian.PutUint32(swap[28:], 1)
	tests := []struct {
		name string
		raw  []byte
		want string
	}{
		{"kern.osrelease", []byte("25.1.0\x00"), "25.1.0"},
		{"kern.bootargs", []byte{0}, ""},
		{"kern.hv_vmm_present", []byte{1, 0, 0, 0}, "1"},
		{"hw.optional.arm64", []byte{0, 0, 0, 0}, "0"},
		{"x.negative", []byte{0xff, 0xff, 0xff, 0xff}, "-1"},
		{"x.forty-nine", []byte{'1', 0, 0, 0}, "49"},
		{"hw.memsize", []byte{0, 0, 0, 0, 4, 0, 0, 0}, "17179869184"},
		{"kern.boottime", []byte{1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0}, "{ sec = 1, usec = 2 }"},
		{"vm.swapusage", swap, "total = 2048.00M  used = 1024.00M  free = 1024.00M  (encrypted)"},
		{"vm.swapusage", plain, "total = 2048.00M  used = 1024.00M  free = 1024.00M"},
	}
	for _, tt := range tests {
		if got, err := sysctlText(tt.name, tt.raw); err != nil || got != tt.want {
			t.Errorf("%s %x: %q, %v", tt.name, tt.raw, got, err)
		}
	}
	for name, raw := range map[string][]byte{
		"kern.boottime": {1}, "vm.swapusage": {1, 2}, "x.structure": make([]byte, 100), "x.odd": {1, 2, 3},
	} {
		if got, err := sysctlText(name, raw); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// What codesign(1) prints for a signed application, for one signed ad hoc, for
// one whose resources were changed, and for a program without a signature.
func TestParseCodesign(t *testing.T) {
	const signed = `Executable=/Applications/Falcon.app/Contents/MacOS/Falcon
Identifier=com.crowdstrike.falcon.App
Format=app bundle with Mach-O universal (x86_64 arm64)
CodeDirectory v=20500 size=3021 flags=0x10000(runtime) hashes=83+7 location=embedded
Signature size=8973
Authority=Developer ID Application: CrowdStrike Inc. (X9E956P446)
Authority=Developer ID Certification Authority
Authority=Apple Root CA
TeamIdentifier=X9E956P446
Sealed Resources version=2 rules=13 files=40
`
	full := signature{Signer: "Developer ID Application: CrowdStrike Inc. (X9E956P446)", TeamID: "X9E956P446", Identifier: "com.crowdstrike.falcon.App"}
	good, changed := full, full
	good.Valid, changed.Error = true, "a sealed resource is missing or invalid"
	stderr := func(code int, text string) evidence.Output {
		return evidence.Output{Stderr: []byte(text), Code: code}
	}
	tests := []struct {
		name            string
		verify, details evidence.Output
		want            signature
	}{
		{"signed", stderr(0, ""), stderr(0, signed), good},
		{"changed", stderr(1, "/Applications/Falcon.app: a sealed resource is missing or invalid\nfile modified: /x\n"), stderr(0, signed), changed},
		{"ad hoc", stderr(0, ""), stderr(0, "Identifier=x\nSignature=adhoc\nTeamIdentifier=not set\n"), signature{Valid: true, Identifier: "x"}},
		{"no signature", stderr(1, "/x: code object is not signed at all\nIn architecture: arm64\n"), stderr(1, "/x: code object is not signed at all\n"),
			signature{Error: "code object is not signed at all"}},
	}
	for _, tt := range tests {
		if got := parseCodesign(tt.verify, tt.details); got != tt.want {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

func TestMountFlags(t *testing.T) {
	if got := mountFlags(0x40005001); strings.Join(got, " ") != "read-only local rootfs snapshot" {
		t.Errorf("flags %v", got)
	}
	if got := mountFlags(0); got == nil || len(got) != 0 {
		t.Errorf("no flags: %#v", got)
	}
}

func TestCertificatesInPEM(t *testing.T) {
	der := selfSigned(t, "Postern Test")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	text := bytes.Join([][]byte{[]byte("keychain: \"x\"\n"), block, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), block}, nil)
	list := certificatesInPEM(text)
	if len(list) != 2 || list[0] != list[1] {
		t.Fatalf("read %+v", list)
	}
	c := list[0]
	if c.Subject != "CN=Postern Test" || c.Issuer != c.Subject || c.Serial != "2a" || len(c.SHA256) != 64 ||
		!c.NotAfter.Equal(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("read %+v", c)
	}
	if list := certificatesInPEM(nil); list == nil || len(list) != 0 {
		t.Errorf("nothing: %#v", list)
	}
}
