package wine

import (
	"encoding/json"
	"fmt"
	"testing"
)

// registryReadings read what seed.reg has written, in every type.
func registryReadings() []reading {
	const key = `HKLM\SOFTWARE\Postern Test`
	return []reading{
		{ask: []string{"registry", key}, check: exactly(`{"keys":["Also below","Below"],"values":{
			"":{"name":"","type":"REG_SZ","data":"default"},
			"text":{"name":"Text","type":"REG_SZ","data":"C:\\a \"b\""},
			"empty":{"name":"Empty","type":"REG_SZ","data":""},
			"number":{"name":"Number","type":"REG_DWORD","data":"0x22ab"},
			"long":{"name":"Long","type":"REG_QWORD","data":"0x8000000000000001"},
			"bytes":{"name":"Bytes","type":"REG_BINARY","data":"DEADBEEF"},
			"several":{"name":"Several","type":"REG_MULTI_SZ","data":"a\\0bc"},
			"expand":{"name":"Expand","type":"REG_EXPAND_SZ","data":"%SystemRoot%\\x"},
			"nothing":{"name":"Nothing","type":"REG_NONE","data":""},
			"backwards":{"name":"Backwards","type":"REG_DWORD_BIG_ENDIAN","data":"0x22ab"},
			"short":{"name":"Short","type":"REG_DWORD","data":""},
			"größe":{"name":"Größe","type":"REG_SZ","data":"groß"}}}`)},
		{ask: []string{"registry", `HKEY_LOCAL_MACHINE\software\postern test\also below\`}, check: exactly(
			`{"values":{"x":{"name":"X","type":"REG_DWORD","data":"0x1"}}}`)},
		{ask: []string{"registry", key + `\Below`}, check: exactly(`{}`)},
		{ask: []string{"registry", key + `\Nowhere`}, reason: "not-found", code: "0x2"},
		{ask: []string{"registry", `HKXX\SOFTWARE`}, reason: "unsupported-system"},
		{ask: []string{"registry", `HKCU\Environment`}},
	}
}

// systemReadings read what Wine has of the system itself.
func systemReadings() []reading {
	return []reading{
		{ask: []string{"ask", "platform"}, check: exactly(`{"major":10,"minor":0,"build":18362,"product_type":1,"machine":"amd64"}`)},
		{ask: []string{"services"}, check: containing(
			`{"name":"Eventlog","state":"running","start":"auto","account":"LocalSystem","executable":"C:\\windows\\system32\\svchost.exe"}`,
			`{"name":"BITS","state":"stopped","start":"manual","exit_code":1077}`)},
		{ask: []string{"processes"}, check: containing(
			`{"name":"services.exe","executable":"C:\\windows\\system32\\services.exe","owner":"S-1-5-21-0-0-0-1000"}`,
			`{"name":"probe.exe"}`)},
		// Not even the session that every Windows has is told.
		{ask: []string{"sessions"}, reason: "unreadable-output"},
		{ask: []string{"stat", `C:\windows\system32\kernel32.dll`}, check: func(v json.RawMessage) error {
			var info struct {
				Size  int64
				Owner string
			}
			if err := json.Unmarshal(v, &info); err != nil {
				return err
			}
			if info.Size < 10_000 || info.Owner != "S-1-5-21-0-0-0-1000" {
				return fmt.Errorf("read as %+v", info)
			}
			return nil
		}},
		{ask: []string{"stat", `C:\nowhere`}, reason: "not-found"},
		{ask: []string{"file", `C:\windows`}, reason: "unreadable-output"},
		{ask: []string{"ask", "volumes"}, check: containing(`{"letter":"C:","type":"fixed","filesystem":"NTFS","system":true}`, `{"letter":"Z:","system":null}`)},
		{ask: []string{"ask", "join"}, check: exactly(`{"workgroup":"Workgroup"}`)},
		{ask: []string{"ask", "tpm"}, check: exactly(`{"present":false}`)},
		{ask: []string{"ask", "certificates", `LocalMachine\My`}, check: containing(
			`{"subject":"CN=Postern Test","issuer":"CN=Postern Test","serial":"2a","not_after":"2030-01-02T03:04:05Z"}`)},
		{ask: []string{"ask", "certificates", "machine"}, check: containing(`{"subject":"CN=Postern Test"}`)},
		{ask: []string{"ask", "certificates", "No such store"}, reason: "not-found", code: "0x2"},
		{ask: []string{"ask", "certificates", `..\x`}, reason: "unsupported-system"},
		{ask: []string{"ask", "signature", `C:\windows\system32\kernel32.dll`}, check: exactly(`{"valid":false,"error":"0x800b0100"}`)},
		{ask: []string{"ask", "signature", `C:\nowhere.exe`}, reason: "not-found", code: "0x2"},
		{ask: []string{"ask", "csr"}, reason: "unsupported-system"},
		{ask: []string{"ask", "filesystem", `C:\`}, reason: "unsupported-system"},
		{ask: []string{"sysctl", "kern.osrelease"}, reason: "unsupported-system"},
		{ask: []string{"run", "nft", "list", "ruleset"}, reason: "unsupported-system"},
	}
}

// comReadings read through COM, of which Wine has the frame and little inside.
func comReadings() []reading {
	return []reading{
		{ask: []string{"wmi", `root\cimv2`, "Win32_OperatingSystem"}, check: containing(
			`{"BuildNumber":["18362"],"OSType":["18"],"Primary":["true"],"OSArchitecture":["64-bit"],"CountryCode":["1"]}`)},
		{ask: []string{"wmi", `root/cimv2`, "win32_computersystem"}, check: containing(`{"DomainRole":["0"]}`)},
		{ask: []string{"wmi", `root\cimv2`, "Win32_Service"}, check: containing(`{"Name":["BITS"],"State":["Stopped"]}`)},
		// Windows says 0x80041010 of a class that is not there; Wine has no rows.
		{ask: []string{"wmi", `root\cimv2`, "Win32_NoSuchClass"}, check: exactly(`[]`)},
		{ask: []string{"wmi", `root\SecurityCenter2`, "AntiVirusProduct"}, reason: "not-found", code: "0x8004100e"},
		{ask: []string{"wmi", `root\CIMV2\Security\MicrosoftVolumeEncryption`, "Win32_EncryptableVolume"}, reason: "not-found", code: "0x8004100e"},
		{ask: []string{"wmi", `root\StandardCimv2`, "MSFT_NetFirewallProfile"}, reason: "not-found", code: "0x8004100e"},
		{ask: []string{"wmi", `root\Microsoft\Windows\Defender`, "MSFT_MpComputerStatus"}, reason: "not-found", code: "0x8004100e"},
		{ask: []string{"wmi", `root\CIMV2\Security\MicrosoftTpm`, "Win32_Tpm"}, reason: "not-found", code: "0x8004100e"},
		{ask: []string{"wmi", `root\Microsoft\Windows\DeviceGuard`, "Win32_DeviceGuard"}, reason: "not-found", code: "0x8004100e"},
		{ask: []string{"wmi", `root\cimv2`, "Win32_Service WHERE 1=1"}, reason: "unsupported-system"},
		{ask: []string{"ask", "firewall-policy"}, reason: "unsupported-system", code: "0x80004001"},
		{ask: []string{"ask", "updates"}, reason: "unsupported-system", code: "0x80004001"},
		{ask: []string{"ask", "volume-protection", "C:"}, reason: "unsupported-system", code: "0x80004001"},
		{ask: []string{"ask", "volume-protection", `C:\Users`}, reason: "unsupported-system"},
		{ask: []string{"ask", "security-provider", "antivirus"}, reason: "unsupported-system", code: "0x7e"},
		{ask: []string{"ask", "security-provider", "umbrella"}, reason: "unsupported-system"},
		{ask: []string{"collect"}, check: checkReport},
	}
}

// checkReport looks at what all collectors made of the machine. A machine that
// answers next to nothing must not look protected.
func checkReport(v json.RawMessage) error {
	var report struct {
		Signals []struct {
			Name  string
			State string
			Facts []struct {
				Field, Key, State string
				Value             any
			}
		}
	}
	if err := json.Unmarshal(v, &report); err != nil {
		return err
	}
	read := map[string]any{}
	for _, s := range report.Signals {
		for _, f := range s.Facts {
			if f.State == "observed" || f.State == "" && s.State == "observed" {
				read[s.Name+"."+f.Field] = f.Value
			}
		}
	}
	if read["os_version.type"] != "DESKTOP_WINDOWS" {
		return fmt.Errorf("os_version.type is %v", read["os_version.type"])
	}
	for _, good := range []string{"disk.system_protected", "disk.data_protected", "firewall.enabled", "edr.running", "integrity.tpm_usable"} {
		if read[good] == true {
			return fmt.Errorf("%s is true", good)
		}
	}
	return nil
}

// A later version of Go may have changed what is patched.
func TestOverlay(t *testing.T) {
	if _, err := Overlay(t.Context(), t.TempDir()); err != nil {
		t.Error(err)
	}
}
