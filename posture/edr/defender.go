package edr

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const (
	defenderSpace = `root\Microsoft\Windows\Defender`
	defenderClass = "MSFT_MpComputerStatus"
	centerSpace   = `root\SecurityCenter2`
	centerClass   = "AntiVirusProduct"
	onboardingKey = `HKLM\SOFTWARE\Microsoft\Windows Advanced Threat Protection\Status`
	passiveKey    = `HKLM\SOFTWARE\Policies\Microsoft\Windows Advanced Threat Protection`
	neverUpdated  = 4294967295 // AntivirusSignatureAge of definitions that were never updated
)

// defenderAV asks Microsoft Defender Antivirus (Microsoft Learn,
// "MSFT_MpComputerStatus class"; "Microsoft Defender Antivirus compatibility
// with other security products") and holds it against what Windows' security
// centre says of it.
func defenderAV(ctx context.Context, q question) (answers, fact.Reason) {
	a := answers{}
	rows, err := q.machine.WMI(ctx, defenderSpace, defenderClass)
	switch {
	case err != nil:
		return a, evidence.ReasonOf(err)
	case len(rows) != 1:
		return a, fact.ReasonUnreadable
	}
	row := rows[0]
	version, _ := row.Text("AMProductVersion")
	if version != "0.0.0.0" {
		a.version(version)
	}
	if on, ok := row.Bool("IsTamperProtected"); ok {
		a.observe("tamper_protected", fact.Bool(on))
	}
	a.definitions(row, q.now().Location())
	mode := defenderMode(ctx, q.machine, row)
	a.defenderProtects(row, mode)
	serves, ok := row.Bool("AMServiceEnabled")
	if off := ok && !serves || mode == fact.ModeOff; off && q.product.running.is(true) {
		a.conflict("running", fact.Bool(true), "services", fact.Bool(false), defenderClass)
	}
	a.secondOpinion(ctx, q.machine)
	return a, ""
}

// defenderMode reads AMRunningMode. In EDR block mode the mode proper is in the
// registry: 0 is active, everything else, and nothing, is passive. The empty
// word stands for a mode that is not known.
func defenderMode(ctx context.Context, m evidence.Machine, row evidence.Row) string {
	said, _ := row.Text("AMRunningMode")
	said = strings.ToLower(said)
	serves, ok := row.Bool("AMServiceEnabled")
	switch {
	case said == "not running", said == "" && ok && !serves:
		return fact.ModeOff
	case strings.Contains(said, "passive"):
		return fact.ModePassive
	case strings.HasPrefix(said, "edr block"):
		key, err := m.Registry(ctx, passiveKey)
		if n, there := key.Number("ForceDefenderPassiveMode"); err == nil && there && n == 0 {
			return fact.ModeActive
		}
		if err != nil && evidence.ReasonOf(err) != fact.ReasonNotFound {
			return ""
		}
		return fact.ModePassive
	case said == "normal":
		return fact.ModeActive
	}
	return ""
}

// defenderProtects judges healthy and mode. Every switch may be on in a product
// that is passive.
func (a answers) defenderProtects(row evidence.Row, mode string) {
	realTime, told := row.Bool("RealTimeProtectionEnabled")
	enabled, toldEnabled := row.Bool("AntivirusEnabled")
	old, _ := row.Bool("DefenderSignaturesOutOfDate")
	age, toldAge := row.Number("AntivirusSignatureAge")
	switch {
	case mode == "":
	case mode == fact.ModeOff:
		a.ails(fact.ModeOff, fact.ReasonNotRunning)
	case mode == fact.ModePassive:
		a.ails(fact.ModePassive, fact.ReasonReduced)
	case told && !realTime, toldEnabled && !enabled:
		a.ails(fact.ModeReduced, fact.ReasonReduced)
	case told && realTime:
		a.protects()
		if old || toldAge && age == neverUpdated {
			a.finding("healthy", fact.Bool(false), fact.ReasonOldDefinitions)
		}
	}
}

// usTime is how PowerShell shows a moment in the language it has by default;
// other languages fill up with zeros or put the day first.
var usTime = regexp.MustCompile(`^[1-9]\d?/[1-9]\d?/\d{4} \d{1,2}:\d{2}:\d{2} [AP]M$`)

// definitions sets when the definitions were last updated.
func (a answers) definitions(row evidence.Row, zone *time.Location) {
	if age, ok := row.Number("AntivirusSignatureAge"); ok && age == neverUpdated {
		a.unknown("signatures_at", fact.ReasonNotFound)
		return
	}
	const field = "AntivirusSignatureLastUpdated"
	if at, ok := row.Time(field); ok {
		a.observe("signatures_at", fact.Time(at))
		return
	}
	said, there := row.Text(field)
	if usTime.MatchString(said) {
		if at, err := time.ParseInLocation("1/2/2006 3:04:05 PM", said, zone); err == nil {
			a.observe("signatures_at", fact.Time(at))
			return
		}
	}
	if there {
		a.unknown("signatures_at", fact.ReasonMalformed)
	}
}

// secondOpinion compares with what Windows' security centre says, which exists
// on clients only. Its productState is not documented: by practice bits 12 to
// 15 are 1 where the product is on (0 off, 2 snoozed, 3 expired). Where it
// does not tell, nothing follows, nor from what it says of a Defender that runs
// without its real-time protection: the centre calls that one off.
func (a answers) secondOpinion(ctx context.Context, m evidence.Machine) {
	mode := a["mode"]
	if mode.state != fact.Observed {
		return
	}
	active := mode.value == fact.Str(fact.ModeActive)
	rows, err := m.WMI(ctx, centerSpace, centerClass)
	if err == nil && mode.value != fact.Str(fact.ModeReduced) {
		if on, ok := centerSaysOn(rows); ok && on != active {
			other := fact.Str(fact.ModeOff)
			if on {
				other = fact.Str(fact.ModeActive)
			}
			a.conflict("mode", mode.value, defenderClass, other, centerClass)
			if a["healthy"].value == fact.Bool(true) {
				a.conflict("healthy", fact.Bool(true), defenderClass, fact.Bool(false), centerClass)
			}
		}
	}
	if a["healthy"].state != fact.Observed || a["healthy"].value != fact.Bool(true) {
		return
	}
	answer, err := m.Ask(ctx, evidence.AskSecurityProvider, "antivirus")
	var said struct{ Health string }
	if err == nil && json.Unmarshal(answer, &said) == nil && (said.Health == "poor" || said.Health == "snooze") {
		a.conflict("healthy", fact.Bool(true), defenderClass, fact.Bool(false), "security centre")
	}
}

// centerSaysOn finds Defender among the registered products, by name or by the
// program that has no other.
func centerSaysOn(rows []evidence.Row) (on, ok bool) {
	for _, row := range rows {
		name, _ := row.Text("displayName")
		program, _ := row.Text("pathToSignedProductExe")
		if name != "Windows Defender" && name != "Microsoft Defender Antivirus" && !strings.HasPrefix(program, "windowsdefender:") {
			continue
		}
		state, there := row.Number("productState")
		if !there || state < 0 {
			return false, false
		}
		return state&0xF000 == 0x1000, true
	}
	return false, false
}

// defenderEndpoint reads whether the sensor of Microsoft Defender for Endpoint
// knows its organisation (Microsoft Learn, "Troubleshoot onboarding issues"). A
// sensor that was never started was never onboarded. That it is well, it tells
// only its cloud.
func defenderEndpoint(ctx context.Context, q question) (answers, fact.Reason) {
	a := answers{}
	key, err := q.machine.Registry(ctx, onboardingKey)
	state, told := key.Number("OnboardingState")
	why := fact.ReasonNotFound
	if err != nil {
		why = evidence.ReasonOf(err)
	}
	switch {
	case told && state <= 1:
		a.flag("registered", state == 1, fact.ReasonNotRegistered)
	case told || key.Has("OnboardingState"):
		a.unknown("registered", fact.ReasonMalformed)
	case q.product.exitCode == neverStarted && !q.product.running.is(true):
		a.flag("registered", false, fact.ReasonNotRegistered)
	default:
		a.unknown("registered", why)
	}
	a.unknown("healthy", fact.ReasonUnsupported)
	if r := a["registered"]; r.state == fact.Observed && r.value == fact.Bool(false) {
		a.finding("healthy", fact.Bool(false), fact.ReasonNotRegistered)
	}
	return a, ""
}
