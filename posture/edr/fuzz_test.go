package edr

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// seeds adds every capture of the folders.
func seeds(f *testing.F, folders ...string) {
	f.Helper()
	for _, folder := range folders {
		entries, err := os.ReadDir(filepath.Join(captures, folder))
		if err != nil {
			f.Fatal(err)
		}
		for _, e := range entries {
			f.Add(capture(f, filepath.Join(folder, e.Name())))
		}
	}
}

// told checks answers as a report would have them.
func told(t *testing.T, a answers) {
	t.Helper()
	m := evidence.NewMemory(evidence.Linux, day)
	r := evidence.Begin(fact.SignalEDR, m)
	put(r, product{row: observe.EDRRow{ID: "x", Name: "X", Origin: fact.OriginBuiltIn}, finding: finding{installed: yes(), running: yes()}}, a)
	s := r.Conclude(fact.Observed, "")
	s.Collector = "test"
	if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
		t.Errorf("not valid: %v", err)
	}
	healthy, mode := a["healthy"], a["mode"]
	if healthy.state == fact.Observed && healthy.value == fact.Bool(true) && mode.state == fact.Observed {
		if mode.value == fact.Str(fact.ModeOff) || mode.value == fact.Str(fact.ModeReduced) {
			t.Errorf("healthy, and %s", mode.value)
		}
	}
}

func FuzzFalconctl(f *testing.F) {
	seeds(f, "linux/edr-crowdstrike", "macos/edr-crowdstrike")
	f.Fuzz(func(t *testing.T, text string) {
		said := falconSaid{}
		said.read(text)
		if len(said) > 65 {
			t.Errorf("%d items", len(said))
		}
		told(t, said.answers())
		told(t, falconStats(text))
		told(t, falconInfo([]byte(text)))
	})
}

func FuzzWazuh(f *testing.F) {
	seeds(f, "linux/edr-wazuh")
	f.Add("status='connected'\n")
	f.Fuzz(func(t *testing.T, text string) {
		a := answers{}
		a.wazuhStatus(text)
		a.wazuhConnection(text)
		a.version(wazuhVersion(text))
		told(t, a)
	})
}

func FuzzMdatp(f *testing.F) {
	seeds(f, "macos/edr-mdatp")
	f.Add(`{"healthy":true,"realTimeProtectionEnabled":{"value":true},"definitionsStatus":{"$type":"upToDate"},"definitionsUpdated":"1691587153787"}`)
	f.Fuzz(func(t *testing.T, text string) {
		if said, ok := parseMdatpJSON(text); ok {
			told(t, said.answers(time.UTC))
		}
		told(t, parseMdatpText(text).answers(time.UTC))
	})
}

func FuzzSentinel(f *testing.F) {
	seeds(f, "windows/sentinelctl")
	f.Add("Agent state      Enabled\nAnti Tamper    On\n")
	f.Add("Agent\n   Version:  23.4.1.7125\n   Ready: yes\n   Protection: enabled\n")
	f.Fuzz(func(t *testing.T, text string) {
		told(t, sentinelControl(text))
		told(t, sentinelStatus(text))
		told(t, sentinelLoaded(text))
	})
}

func FuzzOthers(f *testing.F) {
	f.Add(`{"info":{"version":"8.17.0"},"components":[{"name":"endpoint","state":2}]}`)
	f.Add("Sensor Status:\n\tState: Enabled\nCloud Status:\n\tRegistered: Yes\n")
	f.Add("pmd 1092 root Running /opt/traps/bin/pmd\n")
	f.Add("Product version: 7.0.3.2239\nLast security content update: 2023-08-24 at 11:44:37 GMT+2\n - Antimalware status: On\n")
	f.Add("ClamAV-VDB:07 Feb 2026 08-22 +0000:27545:300000:90:")
	f.Fuzz(func(t *testing.T, text string) {
		told(t, parseElastic(text))
		told(t, parseRepcli(text))
		told(t, parseCytool(text))
		told(t, parseBduitool(text))
		if at, ok := parseClamHeader([]byte(text)); ok && at.IsZero() {
			t.Error("a time that is none")
		}
		parseLaunchPrint([]byte(text))
		parseLaunchList([]byte(text), "pmd")
	})
}

func FuzzServiceControl(f *testing.F) {
	seeds(f, "windows/sc-query")
	f.Fuzz(func(t *testing.T, text string) {
		s, v := parseSC("Sense", evidence.Output{Stdout: []byte(text)})
		if v.is(true) != (s.State != "") {
			t.Errorf("%+v of %+v", v, s)
		}
		if v.state == fact.Unknown && v.why == "" {
			t.Error("unknown without a reason")
		}
	})
}

func FuzzExtensions(f *testing.F) {
	seeds(f, "macos/systemextensionsctl", "macos/malformed")
	f.Add(database("X9E956P446 com.crowdstrike.falcon.Agent 7.30 activated_enabled endpoint_security"))
	f.Fuzz(func(t *testing.T, text string) {
		listed, _ := parseExtensionList(text)
		stored, _ := parseExtensionDB([]byte(text))
		if len(listed) > maxExtensions || len(stored) > maxExtensions {
			t.Errorf("%d and %d extensions", len(listed), len(stored))
		}
		for _, e := range append(listed, stored...) {
			if e.Path != "" && !strings.HasPrefix(e.Path, extensionDir) {
				t.Errorf("path %q", e.Path)
			}
			if e.match(observe.EDRRow{TeamIDs: []string{"X9E956P446"}, Extensions: []string{"com.crowdstrike.falcon.Agent"}}) == matchProduct && e.Team != "X9E956P446" {
				t.Errorf("counts: %+v", e)
			}
		}
	})
}

// Whatever the class says, passive is never healthy and the report is valid.
func FuzzDefender(f *testing.F) {
	seeds(f, "windows/mpcomputerstatus", "windows/securitycenter")
	rows := shipped(f)
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := evidence.ParseRows([]byte(text))
		if err != nil {
			return
		}
		m := evidence.NewMemory(evidence.Windows, day)
		defended(m)
		m.SetWMI(defenderSpace, defenderClass, parsed...)
		m.SetWMI(centerSpace, centerClass, parsed...)
		s := collect(t, m, rows)
		healthy, _ := s.Find("microsoft-defender-antivirus", "healthy")
		mode, _ := s.Find("microsoft-defender-antivirus", "mode")
		if s.StateOf(healthy) == fact.Observed && healthy.Value == fact.Bool(true) && mode.Value != fact.Str(fact.ModeActive) {
			t.Errorf("healthy, and %s", mode.Value)
		}
	})
}
