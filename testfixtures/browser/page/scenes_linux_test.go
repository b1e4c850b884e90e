package page

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/posture/fact"
)

// readingOf is what was read of a recorded machine, as if it were just now.
func readingOf(machine string) localapi.Reading {
	data, err := os.ReadFile(filepath.Join("..", "..", "machines", machine, "report.json"))
	if err != nil {
		panic(err) // the tree is not whole
	}
	var r fact.Report
	if err := json.Unmarshal(data, &r); err != nil {
		panic(err)
	}
	for i := range r.Signals {
		r.Signals[i].ObservedAt = time.Now()
	}
	return localapi.Reading{Report: r, Rights: localapi.RightsSystem}
}

// Codes of checks of the administrator.
const (
	codeDisk  = "org/disk"
	codeEDR   = "org/edr"
	codeFresh = "org/updates"
)

func healthy() scene {
	reading := readingOf("linux-ubuntu-2404-luks-ufw-healthy")
	return scene{
		reading: reading,
		status: localapi.Status{
			State: localapi.StateCompliant, User: &localapi.User{Subject: "u1", Name: "Kim Beispiel", Email: "kim@example.com"},
			SessionEnds: time.Now().Add(7 * time.Hour), Managed: localapi.Managed{By: "Example Corp", Support: "helpdesk@example.com"},
			Broker: localapi.Broker{URL: "https://broker.example.com", Reachable: true},
			Device: localapi.Device{ID: "dev-41f7", Enrolled: true, HardwareID: "h", Key: localapi.Key{Protection: "tpm", Attested: "ek-chain"}},
			Posture: localapi.Posture{Verdict: "affirming", ObservedAt: time.Now(), Checks: []localapi.Check{
				{Code: codeDisk, Name: "Disk encryption", Outcome: "pass", Enforced: true, Remedy: localapi.Remedy{Target: "disk-encryption"},
					Parts: []localapi.Part{{Outcome: "pass", Reads: []string{"disk.system_status"}}}},
				{Code: codeEDR, Name: "second-edr-runs", Outcome: "pass", Enforced: true}, {Code: codeFresh, Name: "Updates", Outcome: "pass"}}},
			Apps: []localapi.App{
				{ID: "wiki", Name: "Wiki", State: localapi.AppOpen, URL: "http://127.0.0.1:4081/", LocalAddress: "127.0.0.1:4081", LeaseRemainingMS: 50_000},
				{ID: "payroll", Name: "Payroll", State: localapi.AppReady, Needs: &localapi.Needs{Checks: []string{"Disk encryption", "second-edr-runs"}}, URL: "https://127.0.0.1:4082/", LocalAddress: "127.0.0.1:4082", LeaseRemainingMS: 50_000},
				{ID: "build", Name: "Build host (SSH)", State: localapi.AppReady, LocalAddress: "127.0.0.1:4022", LeaseRemainingMS: 50_000}},
		}.Filled(),
		timeline: localapi.Timeline{Events: []localapi.Happening{
			{At: time.Now().Add(-26 * time.Hour), Event: localapi.EventStarted}, {At: time.Now().Add(-3 * time.Hour), Event: localapi.EventSignedIn},
			{At: time.Now().Add(-3 * time.Hour), Event: localapi.EventOpened, Apps: []string{"wiki", "payroll", "build"}}}}.Filled(),
		sent: localapi.Sent{At: time.Now().Add(-time.Minute), To: "https://broker.example.com", Outcome: localapi.SentAccepted, Report: reading.Report},
		checked: localapi.Checked{Attested: true, Signals: []localapi.Reread{
			{Name: "disk", Before: time.Now().Add(-time.Hour), After: time.Now(), Changed: []string{"disk.system_status"}}, {Name: "firewall", After: time.Now()}}},
	}
}

// closed is a machine with faults.
func closed() scene {
	s := healthy()
	s.reading = readingOf("linux-debian-12-server-lvm-docker-unhealthy")
	st := &s.status
	st.State, st.Posture.Verdict = localapi.StateLimited, "contraindicated"
	st.Posture.Checks[0].Outcome = "fail"
	st.Posture.Checks[0].Remedy = localapi.Remedy{Text: "Encrypt the system disk; the helpdesk does it with you.", Target: "disk-encryption"}
	st.Posture.Checks[1].Outcome, st.Posture.Checks[1].Missing = "unknown", []string{"edr.running"}
	st.Posture.Checks[2].Outcome = "fail"
	for i, why := range [][]string{nil, {codeDisk}, {codeDisk, codeEDR}} {
		if why != nil {
			a := &st.Apps[i]
			a.State, a.Reasons, a.URL, a.LocalAddress, a.LeaseRemainingMS = localapi.AppDenied, why, "", "", 0
		}
	}
	st.Apps = append(st.Apps, localapi.App{ID: "board", Name: "Board papers", State: localapi.AppDenied, Reasons: []string{api.ReasonNotInGroup}})
	st.LastRevocation = &localapi.Revocation{Cause: state.CausePosture + ": disk.system_status", Code: state.CausePosture, App: "payroll,build", At: time.Now(), ClientMS: 3.2}
	s.status = st.Filled()
	for range 4 {
		s.timeline.Events = append(s.timeline.Events, localapi.Happening{At: time.Now().Add(-time.Minute), Event: localapi.EventClosed, Code: codeDisk, Apps: []string{"payroll", "build"}, TookMS: 3.2},
			localapi.Happening{At: time.Now().Add(-time.Minute), Event: localapi.EventPosture, Facts: []string{"disk.system_status"}})
	}
	s.timeline = s.timeline.Filled()
	return s
}

func signedOut() scene {
	s := healthy()
	s.status = localapi.Status{State: localapi.StateSignedOut, Broker: s.status.Broker}.Filled()
	s.timeline.Events = append(s.timeline.Events, localapi.Happening{At: time.Now(), Event: localapi.EventSignedOut, Code: state.CauseSessionEnded})
	s.timeline, s.sent = s.timeline.Filled(), localapi.Sent{}
	return s
}

func paused(reason string) scene {
	s := healthy()
	s.status.State = localapi.StatePaused
	s.status.Pause = &localapi.Pause{Reason: reason, Since: time.Now(), Until: time.Now().Add(time.Hour)}
	for i := range s.status.Apps {
		s.status.Apps[i].State, s.status.Apps[i].Reasons, s.status.Apps[i].URL = localapi.AppClosed, []string{state.CausePaused}, ""
	}
	return s
}

func offline() scene {
	s := healthy()
	s.status.State, s.status.Broker.Reachable, s.status.Reasons = localapi.StateOffline, false, []string{localapi.CodeUnreachable}
	return s
}

func forecast() scene {
	s := healthy()
	s.status.Forecast = []localapi.Forecast{{Code: codeFresh, Name: "Updates", From: time.Now().Add(72 * time.Hour).Format(time.RFC3339), Apps: []string{"payroll"},
		Remedy: localapi.Remedy{Text: "Install the waiting updates.", Target: "updates"}}}
	s.status.Broker.ClockSkewMS = 90_000
	return s
}

// hostile is an agent whose every word wants to be more than text.
func hostile() scene {
	const markup = `<img src=x onerror="window.broken=1"><script>window.broken=1</script>{{7*7}}'"&amp;`
	bad := markup + "\u202e\u2066evil\u0000\u001b[31m" + strings.Repeat("W", 4<<10)
	s := closed()
	st := &s.status
	st.User.Name, st.User.Email, st.Managed.By, st.Managed.Support, st.Message = bad, bad, bad, bad, bad
	st.Device.ID, st.Device.Key.Protection, st.Broker.URL = bad, bad, "https://broker.example.com/"+markup
	for i := range st.Posture.Checks {
		c := &st.Posture.Checks[i]
		c.Name, c.Outcome, c.Remedy = bad, "fail", localapi.Remedy{Text: bad, Target: "disk-encryption"}
	}
	st.Posture.Checks[1].Code = bad
	st.Forecast = []localapi.Forecast{{Code: bad, Name: bad, From: bad, Apps: []string{bad}, Remedy: localapi.Remedy{Text: bad}}}
	st.Apps = nil
	for _, url := range []string{"javascript:window.broken=1", "JaVaScRiPt:window.broken=1", "data:text/html,<script>window.broken=1</script>", "file:///etc/passwd",
		"http://example.com/", "http://127.0.0.1.example.com/", "http://localhost:4000/", "https://user:secret@example.com/", "//example.com/", "vbscript:x", "http://2130706433/",
		"https://example.com/fine", "http://127.0.0.1:4000/fine", "http://[::1]:4000/fine"} {
		st.Apps = append(st.Apps, localapi.App{ID: "same id", Name: bad, State: localapi.AppOpen, URL: url, LocalAddress: "127.0.0.1:1"})
	}
	st.Apps = append(st.Apps, localapi.App{ID: "rtl", Name: "אפליקציה", State: localapi.AppDenied, Reasons: []string{bad, "__proto__", "constructor"}})
	s.status = st.Filled()
	for i := range s.reading.Report.Signals {
		s.reading.Report.Signals[i].Source = bad
	}
	s.timeline = localapi.Timeline{Events: []localapi.Happening{{At: time.Now(), Event: bad, Code: bad, Apps: []string{bad}, Facts: []string{bad}}, {At: time.Now(), Event: localapi.EventClosed, Code: bad}}}.Filled()
	s.sent.To = bad
	s.checked.Signals[0].Name = bad
	return s
}
