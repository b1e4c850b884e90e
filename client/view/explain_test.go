package view

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/posture/fact"
)

func TestExplain(t *testing.T) {
	in := inputOf(func(s *localapi.Status) {
		deny(s, []string{"org/disk"}, "payroll")
		s.Posture.Checks[0].Remedy = localapi.Remedy{Text: "Call 4711.", Target: "disk-encryption"}
		revokedFor(s, "payroll", "disk.system_status")
	})
	in.Reading = reading(disk(false))
	e := Explain(in, "payroll")
	if !e.Known || e.Says != "Payroll is closed: the system disk is not encrypted." || e.Since != "Closed since today 12:00" {
		t.Errorf("%+v", e)
	}
	want := Need{Code: "org/disk", Name: "disk encrypted", Outcome: "fail", State: NeedUnmet, Says: "not met", Why: []string{"The system disk is not encrypted."}, Fix: Fix{"Call 4711.", "disk-encryption"}}
	if len(e.Unmet) != 1 || fmt.Sprint(e.Unmet[0]) != fmt.Sprint(want) {
		t.Errorf("unmet %+v", e.Unmet)
	}
	if e.Told || len(e.Met) != 1 || e.Met[0].Name != "second edr runs" || e.Note == "" {
		t.Errorf("met %+v %q", e.Met, e.Note)
	}
	if !slices.Equal(e.Do, []Fix{{"Call 4711.", "disk-encryption"}}) || len(e.Next) != 1 || !strings.Contains(e.Next[0], "by itself") {
		t.Errorf("do %+v next %q", e.Do, e.Next)
	}
	if e := Explain(in, "WIKI"); !e.Known || e.Says != "Wiki is open." || len(e.Unmet) != 0 || len(e.Next) != 1 {
		t.Errorf("an open one, by its name: %+v", e)
	}
	if e := Explain(in, "nothing\x1b"); e.Known || e.Says != "There is no application “nothing?” here." {
		t.Errorf("one that is not there: %+v", e)
	}
}

func TestExplainSince(t *testing.T) {
	in := inputOf(func(s *localapi.Status) { deny(s, []string{"expired"}, "payroll") })
	at := func(hours int) time.Time { return noon().Add(time.Duration(hours) * time.Hour) }
	in.Timeline = &localapi.Timeline{Events: []localapi.Happening{
		{At: at(-30), Event: localapi.EventClosed, Apps: []string{"payroll"}}, {At: at(-29), Event: localapi.EventOpened, Apps: []string{"payroll"}},
		{At: at(-20), Event: localapi.EventClosed, Apps: []string{"payroll"}}, {At: at(-19), Event: localapi.EventClosed, Apps: []string{"wiki"}}}}
	if e := Explain(in, "payroll"); e.Since != "Closed since yesterday 16:00" {
		t.Errorf("%q", e.Since)
	}
	in.Timeline = nil
	if e := Explain(in, "payroll"); e.Since != "" {
		t.Errorf("nothing is known, and it says %q", e.Since)
	}
}

func TestExplainOtherStates(t *testing.T) {
	in := inputOf(func(s *localapi.Status) {
		deny(s, []string{"paused"}, "wiki", "payroll")
		s.Pause = &localapi.Pause{Until: noon().Add(time.Hour), Reason: "x"}
	})
	if e := Explain(in, "wiki"); e.Says != "Wiki is closed because you paused your access until 13:00." || len(e.Unmet) != 0 {
		t.Errorf("paused: %+v", e)
	}
	in = inputOf(func(s *localapi.Status) { deny(s, []string{"not-in-group"}, "wiki") })
	if e := Explain(in, "wiki"); e.Says != "Wiki is not meant for you." || len(e.Do) != 1 || len(e.Met) != 0 || e.Note != "" {
		t.Errorf("not for them: %+v", e)
	}
	in.Trouble = NotRunning
	if e := Explain(in, "wiki"); e.Known || e.Says != "The agent is not running." {
		t.Errorf("no agent: %+v", e)
	}
}

// TestLaw10: nothing that was read of the machine stands in an explanation but
// what the catalogue says of it.
func TestLaw10(t *testing.T) {
	secret := "8f14e45fceea167a5a36dedd4bea2543"
	in := inputOf(func(s *localapi.Status) {
		deny(s, []string{"org/edr"}, "wiki")
		revokedFor(s, "wiki", "custom[vpn].sha256")
	})
	in.Reading = reading(fact.Signal{Name: fact.SignalCustom, State: fact.Observed, Facts: []fact.Fact{{Key: "vpn", Field: "sha256", Value: fact.Str(secret)}}})
	data, err := json.Marshal([]any{New(in), Explain(in, "wiki")})
	if err != nil || strings.Contains(string(data), secret) {
		t.Errorf("%v %s", err, data)
	}
}

func TestTimeline(t *testing.T) {
	in := inputOf(nil)
	events := Timeline(localapi.Timeline{Events: []localapi.Happening{
		{At: noon().Add(-26 * time.Hour), Event: localapi.EventSignedIn},
		{At: noon().Add(-time.Hour), Event: localapi.EventClosed, Apps: []string{"payroll", "wiki"}, Code: "posture-worse", Facts: []string{"disk.system_status"}, TookMS: 0.4},
		{At: noon(), Event: localapi.EventClosed, Apps: []string{"wiki"}, Code: "paused"},
		{At: noon(), Event: localapi.EventDenied, Apps: []string{"wiki"}, Code: "org/disk"},
		{At: noon(), Event: localapi.EventSignedOut, Code: "session-ended"},
		{At: noon(), Event: "newer_thing"},
	}}, in)
	var got []string
	for _, e := range events {
		got = append(got, fmt.Sprintf("%s: %s %v", e.When, e.Text, e.Bad))
	}
	want := []string{
		"today 12:00:00: Something that this version does not know: newer_thing false",
		"today 12:00:00: Signed out: your sign-in has reached its end true",
		"today 12:00:00: Not granted: Wiki – the requirement “disk encrypted” is not met true",
		"today 12:00:00: Closed: Wiki false",
		"today 11:00:00: Closed: Payroll and Wiki – something got worse on this computer: Disk encryption true",
		"yesterday 10:00:00: You signed in false",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestSent(t *testing.T) {
	in := inputOf(nil)
	s := localapi.Sent{At: noon().Add(-time.Minute), To: "https://broker.example.com", Outcome: localapi.SentAccepted,
		Claims: json.RawMessage(`{"swname":"Postern","swversion":["1.4.0","semver"],"postern_key":{"protection":"tpm"},"postern_hardware":{"serial":"h"},"postern_wanted":[{"app":"wiki"}]}`),
		Report: fact.Report{Signals: []fact.Signal{disk(false), {Name: fact.SignalScreenLock, State: fact.Observed, Facts: []fact.Fact{{Field: "idle_delay", Value: fact.Seconds(300 * time.Second)}}}}}}
	p := Sent(s, in)
	if p.Says != "Sent today 11:59:00 to https://broker.example.com, accepted." || len(p.Stays) == 0 {
		t.Errorf("%q %q", p.Says, p.Stays)
	}
	var lines []string
	for _, part := range p.Parts {
		for _, l := range part.Lines {
			lines = append(lines, part.Title+"/"+l.Name+": "+l.Value)
		}
	}
	want := []string{"This device/Software: Postern 1.4.0", "This device/Device key: in the TPM", "This device/Applications wanted: Wiki", "This device/Serial number: as a fingerprint only",
		"Disk encryption/System disk: not encrypted", "Disk encryption/Protection of the system disk: The system disk is not protected: whoever takes it can read it.",
		"Screen lock/Dark after: 5 minutes"}
	if !slices.Equal(lines, want) {
		t.Errorf("got %q\nwant %q", lines, want)
	}
	s.Outcome, s.Code = localapi.SentRejected, "device_quarantined"
	if p := Sent(s, in); !strings.Contains(p.Says, "refused: This device is in quarantine") {
		t.Errorf("%q", p.Says)
	}
	if p := Sent(localapi.Sent{}, in); p.Says != "Nothing was sent in this session." || len(p.Parts) != 0 {
		t.Errorf("%+v", p)
	}
}

func TestReread(t *testing.T) {
	c := localapi.Checked{Attested: true, Signals: []localapi.Reread{
		{Name: "disk", Before: noon(), After: noon().Add(3*time.Minute + 7*time.Second), Changed: []string{"disk.system_status", "disk[C:].protected"}}, {Name: "edr", After: noon()}}}
	p := Reread(c, inputOf(nil))
	if p.Says != "Read again at 12:03:07 · 2 signals, 1 changed" || p.Told != "" || len(p.Parts) != 2 || p.Parts[0].Lines[2].Value != "System disk and C: Protection" {
		t.Errorf("%+v", p)
	}
	if p := Reread(localapi.Checked{Reason: localapi.CodeUnreachable}, inputOf(nil)); p.Told == "" || !strings.HasSuffix(p.Says, "0 signals, nothing changed") {
		t.Errorf("%+v", p)
	}
}
