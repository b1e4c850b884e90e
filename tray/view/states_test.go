package view

import (
	"slices"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/posture/fact"
)

// noon is the moment of every golden menu, a Thursday in Berlin's winter time.
func noon() time.Time {
	return time.Date(2026, 11, 26, 12, 0, 0, 0, time.FixedZone("CET", 3600))
}

// state is one state of the agent with the options of the menu.
type state struct {
	name string
	in   view.Input
	o    Options
}

func (s state) menu() Menu { return New(view.New(s.in), s.o) }

// signedIn is an agent with a person and three applications that are open.
func signedIn() localapi.Status {
	app := func(id, name, state string) localapi.App {
		return localapi.App{ID: id, Name: name, State: state, URL: "http://127.0.0.1:40001/" + id, LocalAddress: "127.0.0.1:40001", LeaseRemainingMS: 60_000}
	}
	return localapi.Status{
		Version: "1.4.0", Scope: "system", API: localapi.API, State: localapi.StateCompliant,
		User:    &localapi.User{Subject: "kim-1", Email: "kim@example.com", Name: "Kim Example"},
		Broker:  localapi.Broker{URL: "https://broker.example.com", Reachable: true},
		Device:  localapi.Device{ID: "dev_1", Enrolled: true, Key: localapi.Key{Protection: "tpm", Attested: "ek-chain"}},
		Managed: localapi.Managed{By: "Example Ltd", Support: "helpdesk@example.com"},
		Posture: localapi.Posture{Verdict: "affirming", ObservedAt: noon(), Checks: []localapi.Check{
			check("org/disk", "disk encrypted", "pass"), check("org/edr", "edr-running", "pass")}},
		Apps: []localapi.App{app("wiki", "Wiki", localapi.AppOpen), app("payroll", "Payroll", localapi.AppReady), app("git", "Git & Code_Review", localapi.AppReady)},
	}
}

func check(code, name, outcome string) localapi.Check {
	return localapi.Check{Code: code, Name: name, Outcome: outcome, Enforced: true}
}

// with changes a status that nobody else holds.
func with(change func(*localapi.Status)) localapi.Status {
	s := signedIn()
	change(&s)
	return s
}

// closed takes the leases of some applications away.
func closed(s *localapi.Status, state string, reasons []string, ids ...string) {
	for i := range s.Apps {
		if a := &s.Apps[i]; slices.Contains(ids, a.ID) {
			a.State, a.Reasons, a.URL, a.LeaseRemainingMS = state, reasons, "", 0
		}
	}
}

// clearDisk is a machine with a disk that is not encrypted.
func clearDisk() *localapi.Reading {
	return &localapi.Reading{Rights: localapi.RightsSystem, Report: fact.Report{Signals: []fact.Signal{
		{Name: fact.SignalDisk, State: fact.Observed, ObservedAt: noon(), Facts: []fact.Fact{
			{Field: "system_status", Value: fact.Str(fact.Unencrypted)}, {Field: "system_protected", Value: fact.Bool(false)}}},
		{Name: fact.SignalFirewall, State: fact.Observed, ObservedAt: noon(), Facts: []fact.Fact{{Field: "enabled", Value: fact.Bool(true)}}},
		{Name: fact.SignalEDR, State: fact.Unknown, Reason: fact.ReasonNeedsPrivilege, ObservedAt: noon()},
	}}}
}

func diskClosed(s *localapi.Status) {
	s.State, s.Posture.Verdict = localapi.StateLimited, "warning"
	s.Posture.Checks[0].Outcome = "fail"
	s.Posture.Checks[0].Remedy = localapi.Remedy{Text: "Turn BitLocker on; call 4711 for help.", Target: "disk-encryption"}
	closed(s, localapi.AppDenied, []string{"org/disk"}, "payroll", "git")
	s.LastRevocation = &localapi.Revocation{Cause: "posture-worse: disk.system_status", Code: "posture-worse",
		Facts: []string{"disk.system_status"}, App: "git,payroll", At: noon().Add(-time.Hour), ClientMS: 0.8}
}

func allClosed(s *localapi.Status) {
	diskClosed(s)
	s.State, s.Posture.Verdict = localapi.StateNotCompliant, "contraindicated"
	closed(s, localapi.AppDenied, []string{"org/disk"}, "wiki")
}

func away(s *localapi.Status) {
	s.Broker.Reachable, s.Reasons = false, []string{localapi.CodeUnreachable}
	s.Message = "The broker cannot be asked; applications stay open until their leases end."
}

func forecast(s *localapi.Status) {
	s.Forecast = []localapi.Forecast{
		{Code: "org/patch", Name: "updated", From: "2026-12-03T00:00:00Z", Apps: []string{"wiki", "git"}, Remedy: localapi.Remedy{Text: "Install the updates."}},
		{Code: "org/edr", Name: "edr-running", From: "2026-11-27T00:00:00+01:00", Apps: []string{"payroll"}},
	}
}

// statuses are every state of an agent that answers.
func statuses() map[string]localapi.Status {
	signedOut := localapi.Status{Version: "1.4.0", API: localapi.API, State: localapi.StateSignedOut, Broker: localapi.Broker{URL: "https://broker.example.com", Reachable: true}}
	noBroker := signedOut
	noBroker.Broker = localapi.Broker{}
	outAway := signedOut
	outAway.Reasons = []string{localapi.CodeUnreachable}
	revoked := signedOut
	revoked.Reasons, revoked.Message = []string{"device_revoked"}, "The broker did not take this device."
	return map[string]localapi.Status{
		"signed_out": signedOut, "signed_out-no-broker": noBroker, "signed_out-broker-away": outAway, "signed_out-device-refused": revoked,
		"starting": with(func(s *localapi.Status) {
			s.State, s.Posture = localapi.StateStarting, localapi.Posture{Verdict: "none"}
			closed(s, localapi.AppClosed, nil, "wiki", "payroll", "git")
		}),
		"compliant":           signedIn(),
		"compliant-no-apps":   with(func(s *localapi.Status) { s.Apps = nil }),
		"compliant-no-checks": with(func(s *localapi.Status) { s.Posture.Checks = nil }),
		"compliant-many":      with(func(s *localapi.Status) { many(s, 40) }),
		"compliant-forecast":  with(forecast),
		"limited-sixty":       with(sixty),
		"compliant-ends":      with(func(s *localapi.Status) { s.SessionEnds = noon().Add(9 * time.Minute) }),
		"compliant-broker-away": with(func(s *localapi.Status) {
			away(s)
			s.Apps[1].LeaseRemainingMS = 45 * 60_000
			s.Apps[0].LeaseRemainingMS = 31 * 60_000
			s.Apps[2].LeaseRemainingMS = 33 * 60_000
		}),
		"compliant-connecting": with(func(s *localapi.Status) { s.Apps[1].State = localapi.AppConnecting }),
		"compliant-advice": with(func(s *localapi.Status) {
			s.Posture.Checks[1].Outcome, s.Posture.Checks[1].Enforced, s.Posture.Verdict = "fail", false, "warning"
		}),
		"compliant-clock-off": with(func(s *localapi.Status) { s.Broker.ClockSkewMS = 121_000 }),
		"limited-not-mine": with(func(s *localapi.Status) {
			s.State = localapi.StateLimited
			closed(s, localapi.AppDenied, []string{"not-in-group"}, "payroll")
		}),
		"limited-mixed": with(diskClosed),
		"limited-org-code": with(func(s *localapi.Status) {
			s.State = localapi.StateLimited
			closed(s, localapi.AppDenied, []string{"org/something-else"}, "payroll")
		}),
		"limited-two-faults": with(func(s *localapi.Status) {
			diskClosed(s)
			s.Posture.Checks[1].Outcome, s.Posture.Checks[1].Missing = "unknown", []string{"edr[*].running"}
			closed(s, localapi.AppDenied, []string{"org/edr", "key-assurance-too-low"}, "git")
		}),
		"limited-in-part":      with(func(s *localapi.Status) { s.State = localapi.StateLimited }),
		"not_compliant":        with(allClosed),
		"not_compliant-paused": with(func(s *localapi.Status) { allClosed(s); paused(s) }),
		"not_compliant-quarantine": with(func(s *localapi.Status) {
			s.State, s.Reasons, s.Message = localapi.StateNotCompliant, []string{"device_quarantined"}, "The broker refused."
			s.Posture = localapi.Posture{Verdict: "none"}
			closed(s, localapi.AppClosed, []string{"device_quarantined"}, "wiki", "payroll", "git")
		}),
		"offline": with(func(s *localapi.Status) {
			away(s)
			s.State = localapi.StateOffline
			closed(s, localapi.AppClosed, []string{"expired"}, "wiki", "payroll", "git")
		}),
		"paused": with(paused),
		"paused-over-night": with(func(s *localapi.Status) {
			paused(s)
			s.Pause.Until, s.Pause.Reason = noon().Add(18*time.Hour), "moving house"
		}),
		"older-agent":   with(func(s *localapi.Status) { s.API, s.Version = 0, "0.9.1" }),
		"unknown-state": with(func(s *localapi.Status) { s.State, s.Message = "degraded", "Something new." }),
		"no-state":      with(func(s *localapi.Status) { s.State = "" }),
	}
}

func paused(s *localapi.Status) {
	s.State = localapi.StateNotCompliant
	s.Pause = &localapi.Pause{Reason: "technical trouble", Since: noon(), Until: noon().Add(150 * time.Minute)}
	closed(s, localapi.AppClosed, []string{"paused"}, "wiki", "payroll", "git")
}

func many(s *localapi.Status, n int) {
	s.Apps = nil
	for i := range n {
		id := string(rune('a'+i%26)) + string(rune('a'+i/26))
		s.Apps = append(s.Apps, localapi.App{ID: id, Name: "Application " + id, State: localapi.AppReady, URL: "http://127.0.0.1:1/", LocalAddress: "127.0.0.1:1"})
	}
}

// sixty are a large organisation's applications, of which a third are closed
// for one check that its administrator explains at length.
func sixty(s *localapi.Status) {
	diskClosed(s)
	many(s, 60)
	s.Posture.Checks[0].Remedy.Text = "Open the settings, choose “Privacy & security”, then “Device encryption”, and switch it on. " +
		"It takes an hour or two; keep the computer plugged in. Keep the recovery key at home, not in the bag of the computer. Questions: extension 4711."
	for i := range s.Apps {
		if i%3 == 2 {
			closed(s, localapi.AppDenied, []string{"org/disk"}, s.Apps[i].ID)
		}
	}
}

// input is what a view of a status is made of on a machine with a page for
// disk encryption only.
func input(language string) view.Input {
	return view.Input{Now: noon(), System: "windows", Language: language, Version: "1.4.0", HasPage: func(id string) bool { return id == "disk-encryption" }}
}

// states are every state of the agent, in every language and with every kind
// of trouble.
func states() []state {
	var out []state
	for _, language := range []string{"en", "de"} {
		for name, s := range statuses() {
			in := input(language)
			in.Status = s
			out = append(out, state{language + "-" + name, in, Options{Clipboard: true}})
		}
		for _, t := range []view.Trouble{view.NotRunning, view.NoAccess, view.NotOwner, view.Connecting, view.Refused} {
			in := input(language)
			in.Trouble, in.Code = t, string(t)
			if t == view.Refused {
				in.Code, in.Message = localapi.CodeService, "Service accounts may not use the agent."
			}
			out = append(out, state{language + "-trouble-" + string(t), in, Options{}})
		}
		out = append(out, options(language)...)
	}
	return out
}

// options are states that differ in what the tray itself knows.
func options(language string) []state {
	at := func(s localapi.Status) view.Input {
		in := input(language)
		in.Status = s
		return in
	}
	signing := at(statuses()["signed_out"])
	signing.SigningIn = true
	advice := at(statuses()["signed_out"])
	advice.Reading = clearDisk()
	reading := at(with(diskClosed))
	reading.Reading = clearDisk()
	two := at(statuses()["limited-two-faults"])
	two.Reading = clearDisk()
	in := at(signedIn())
	checked := localapi.Checked{Attested: true, Signals: []localapi.Reread{
		{Name: "disk", Before: noon().Add(-time.Hour), After: noon().Add(3*time.Minute + 7*time.Second), Changed: []string{"disk.system_status"}}, {Name: "firewall", After: noon()}}}
	proof := view.Reread(checked, in)
	checked.Attested, checked.Reason = false, localapi.CodeUnreachable
	unproven := view.Reread(checked, in)
	sent := view.Sent(localapi.Sent{At: noon().Add(-time.Minute), To: "https://broker.example.com", Outcome: localapi.SentAccepted}, in)
	return []state{
		{language + "-signing-in", signing, Options{}},
		{language + "-advice", advice, Options{}},
		{language + "-reading", reading, Options{Clipboard: true}},
		{language + "-reading-two", two, Options{Clipboard: true}},
		{language + "-checking", in, Options{Checking: true}},
		{language + "-checked", in, Options{Proof: &proof, Sent: &sent}},
		{language + "-checked-alone", in, Options{Proof: &unproven, Clipboard: true}},
	}
}
