package screenlock

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// Three things lock an idle screen of Windows: the machine inactivity limit
// (security option "Interactive logon: Machine inactivity limit"), the limit
// that device management sets (Policy CSP, DeviceLock), and a screen saver that
// asks for the password.
const (
	systemPolicies = `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System`
	deviceLock     = `HKLM\SOFTWARE\Microsoft\PolicyManager\current\device\DeviceLock`
	winlogon       = `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon`
)

// limit is one of them: after how long idle it locks, and how long after that
// it asks for the secret.
type limit struct {
	on      bool
	why     fact.Reason // it cannot be told
	idle    time.Duration
	delay   answer
	managed bool
	source  string
}

func windows(ctx context.Context, m evidence.Machine, who evidence.Session) state {
	all := []limit{machineLimit(ctx, m), deviceLimit(ctx, m), screenSaver(ctx, m, who)}
	var best limit
	var why fact.Reason
	managed := false
	for _, l := range all {
		if l.why != "" {
			why = first(why, l.why)
		}
		if l.on && (!best.on || l.idle < best.idle) {
			best = l
		}
		managed = managed || l.on && l.managed
	}
	switch {
	case best.on:
		return state{yesNo(true, best.source), lasting(best.idle, best.source), best.delay, yesNo(managed, best.source)}
	case why != "":
		return nothingKnown(why)
	}
	const source = `Control Panel\Desktop`
	none := unknown(fact.ReasonNotFound)
	return state{yesNo(false, source), none, none, yesNo(false, source)}
}

// machineLimit is in seconds; 0 or no value is no limit.
func machineLimit(ctx context.Context, m evidence.Machine) limit {
	key, err := m.Registry(ctx, systemPolicies)
	if err != nil {
		return missing(err)
	}
	n, ok := key.Number("InactivityTimeoutSecs")
	switch {
	case !ok && key.Has("InactivityTimeoutSecs"):
		return limit{why: fact.ReasonMalformed}
	case n == 0 || n > 599940: // the most that Windows takes
		return limit{}
	}
	return limit{on: true, idle: time.Duration(n) * time.Second, delay: lasting(0, systemPolicies), managed: true, source: systemPolicies}
}

// deviceLimit is in minutes, and counts where a device password is demanded,
// for which DevicePasswordEnabled is 0.
func deviceLimit(ctx context.Context, m evidence.Machine) limit {
	key, err := m.Registry(ctx, deviceLock)
	if err != nil {
		return missing(err)
	}
	password, ok := key.Number("DevicePasswordEnabled")
	n, set := key.Number("MaxInactivityTimeDeviceLock")
	if !ok || password != 0 || !set || n == 0 || n > 999 {
		return limit{}
	}
	return limit{on: true, idle: time.Duration(n) * time.Minute, delay: lasting(0, deviceLock), managed: true, source: deviceLock}
}

// missing is a key that is not there, which says that nobody set a limit, or
// one that cannot be read.
func missing(err error) limit {
	if why := evidence.ReasonOf(err); why != fact.ReasonNotFound {
		return limit{why: why}
	}
	return limit{}
}

// screenSaver reads the person's settings under the policy's, value by value. A
// saver that is active but has no program never starts.
func screenSaver(ctx context.Context, m evidence.Machine, who evidence.Session) limit {
	policyPath := `HKU\` + who.ID + `\Software\Policies\Microsoft\Windows\Control Panel\Desktop`
	ownPath := `HKU\` + who.ID + `\Control Panel\Desktop`
	policy, err := m.Registry(ctx, policyPath)
	if why := evidence.ReasonOf(err); err != nil && why != fact.ReasonNotFound {
		return limit{why: why}
	}
	own, err := m.Registry(ctx, ownPath)
	if err != nil {
		return limit{why: evidence.ReasonOf(err)}
	}
	pick := func(name string) (string, bool) {
		if v, ok := text(policy, name); ok {
			return v, true
		}
		v, _ := text(own, name)
		return v, false
	}
	active, byPolicyActive := pick("ScreenSaveActive")
	secure, byPolicy := pick("ScreenSaverIsSecure")
	timeout, _ := pick("ScreenSaveTimeOut")
	program, _ := pick("SCRNSAVE.EXE")
	if active != "1" || secure != "1" || program == "" || strings.EqualFold(program, "(none)") {
		return limit{}
	}
	n, err := strconv.ParseInt(timeout, 10, 32)
	idle, ok := seconds(n)
	switch {
	case timeout == "" || err == nil && n == 0:
		return limit{}
	case err != nil || !ok:
		return limit{why: fact.ReasonMalformed}
	}
	return limit{on: true, idle: idle, delay: gracePeriod(ctx, m), managed: byPolicy && byPolicyActive, source: `HKU Control Panel\Desktop`}
}

// text is a value as text, whether it was written as a string or as a number.
func text(key evidence.Registry, name string) (string, bool) {
	if s, ok := key.Text(name); ok {
		return strings.TrimSpace(s), true
	}
	if n, ok := key.Number(name); ok {
		return strconv.FormatUint(uint64(n), 10), true
	}
	return "", false
}

// gracePeriod is how long a screen saver lets the person return without the
// password: ScreenSaverGracePeriod in seconds, and 5 where it is not set
// (Microsoft security baselines, "MSS: ScreenSaverGracePeriod").
func gracePeriod(ctx context.Context, m evidence.Machine) answer {
	key, err := m.Registry(ctx, winlogon)
	if err != nil && evidence.ReasonOf(err) != fact.ReasonNotFound {
		return failed(err)
	}
	s, set := text(key, "ScreenSaverGracePeriod")
	if !set {
		s = "5"
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if d, ok := seconds(n); err == nil && ok {
		return lasting(d, winlogon)
	}
	return unknown(fact.ReasonMalformed)
}
