package view

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/posture/catalogue"
	"github.com/postern-zt/postern/posture/fact"
)

// TestRecordedMachines shows what was read of real machines, in every language:
// every signal has something said of it, and nothing is said in two languages.
func TestRecordedMachines(t *testing.T) {
	files, err := filepath.Glob("../../testfixtures/machines/*/report.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d recorded reports, %v", len(files), err)
	}
	faults := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var report fact.Report
		if err := json.Unmarshal(data, &report); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		system, _, _ := strings.Cut(filepath.Base(filepath.Dir(file)), "-")
		system = map[string]string{"macos": "darwin"}[system] + strings.TrimPrefix(system, "macos")
		for _, language := range catalogue.Languages() {
			faults += recorded(t, file, report, system, language)
		}
	}
	if faults < len(files) {
		t.Errorf("%d faults on %d machines: many of them are unhealthy", faults, len(files))
	}
}

func recorded(t *testing.T, file string, report fact.Report, system, language string) (faults int) {
	t.Helper()
	texts := catalogue.For(language)
	for _, s := range report.Signals {
		lines := Remarks(s, system, texts)
		for _, r := range lines {
			if r.Text == "" || strings.Contains(r.Text, "(none)") {
				t.Errorf("%s, %s: %s: %+v", file, language, s.Name, r)
			}
		}
		plainly(t, "remarks of "+file, lines)
	}
	in := Input{Now: noon(), System: system, Language: language, Reading: &localapi.Reading{Report: report},
		Status: localapi.Status{State: localapi.StateSignedOut, Broker: localapi.Broker{URL: "https://b"}}}
	v := New(in)
	plainly(t, "view of "+file, v)
	sent := Sent(localapi.Sent{At: noon(), To: "https://b", Outcome: localapi.SentAccepted, Report: report}, in)
	plainly(t, "sent of "+file, sent)
	if len(sent.Parts) != len(report.Signals) {
		t.Errorf("%s: %d signals in %d parts", file, len(report.Signals), len(sent.Parts))
	}
	for _, p := range sent.Parts {
		if len(p.Lines) == 0 {
			t.Errorf("%s, %s: nothing is said of %s", file, language, p.Name)
		}
		for _, l := range p.Lines {
			if l.Name == "" || l.Value == "" {
				t.Errorf("%s, %s: %+v", file, language, l)
			}
		}
	}
	return len(v.Faults)
}
