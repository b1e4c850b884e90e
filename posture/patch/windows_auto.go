package patch

import (
	"context"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	releases "github.com/postern-zt/postern/posture/release"
)

const (
	windowsPolicyKey  = `HKLM\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate\AU`
	windowsMDMKey     = `HKLM\SOFTWARE\Microsoft\PolicyManager\current\device\Update`
	windowsPauseKey   = `HKLM\SOFTWARE\Microsoft\WindowsUpdate\UX\Settings`
	windowsServiceKey = `HKLM\SYSTEM\CurrentControlSet\Services\wuauserv`
)

// setting is what one source says of automatic updates: they are, they are not,
// or nothing; broken when it says something that is not understood.
type setting struct {
	set, on, broken bool
	why             fact.Reason // of a source that could not be read
}

// windowsAuto sets whether updates are installed without a person. Each source
// can switch them off; when none does, one must say that they are on: a policy,
// the agent, or that a client has no policy at all, which then installs them
// (Microsoft, "Manage additional Windows Update settings").
func windowsAuto(ctx context.Context, r *evidence.Reading, agent wuAnswer, agentErr error, line string) {
	m := r.Machine()
	policy := policySetting(m.Registry(ctx, windowsPolicyKey))
	sources := []setting{
		serviceSetting(ctx, m), policy, mdmSetting(m.Registry(ctx, windowsMDMKey)), pauseSetting(ctx, m), agentSetting(agent, agentErr),
	}
	on := false
	for _, s := range sources {
		switch {
		case s.set && !s.on:
			r.Observe("auto_update", "", fact.Bool(false))
			return
		case s.set:
			on = true
		}
	}
	var why fact.Reason // a source that cannot be asked could switch them off
	for _, s := range sources {
		if why == "" {
			why = s.why
		}
		if s.broken {
			r.Unknown("auto_update", "", fact.ReasonMalformed)
			return
		}
	}
	byDefault := line == releases.Windows && !policy.set
	switch {
	case why != "":
		r.Unknown("auto_update", "", why)
	case on || byDefault:
		r.Observe("auto_update", "", fact.Bool(true))
	default:
		r.Unknown("auto_update", "", fact.ReasonNotFound)
	}
}

// serviceSetting says that nothing is installed where the service is disabled.
func serviceSetting(ctx context.Context, m evidence.Machine) setting {
	list, err := m.Services(ctx)
	if err == nil {
		for _, s := range list {
			if strings.EqualFold(s.Name, "wuauserv") && s.Start != "" {
				return setting{set: s.Start == "disabled"}
			}
		}
	}
	key, err := m.Registry(ctx, windowsServiceKey)
	if err != nil {
		return setting{why: evidence.ReasonOf(err)}
	}
	start, ok := key.Number("Start")
	if !ok {
		return setting{why: fact.ReasonNotFound}
	}
	return setting{set: start == 4} // SERVICE_DISABLED
}

// policySetting reads the group policy "Configure Automatic Updates": 2 and 3
// ask a person, 4 installs, 5 leaves it to the machine's administrator, 7 asks.
func policySetting(key evidence.Registry, err error) setting {
	if err != nil {
		return setting{why: unlessNone(err)}
	}
	if off, ok := key.Number("NoAutoUpdate"); ok && off == 1 {
		return setting{set: true}
	}
	option, ok := key.Number("AUOptions")
	switch {
	case !ok && (key.Has("AUOptions")):
		return setting{broken: true}
	case !ok:
		return setting{}
	case option == 4:
		return setting{set: true, on: true}
	case option == 1 || option == 2 || option == 3 || option == 7:
		return setting{set: true}
	case option == 5:
		return setting{why: fact.ReasonNotFound}
	}
	return setting{broken: true}
}

// mdmSetting reads the Update policy AllowAutoUpdate: 0 asks, 5 is off.
func mdmSetting(key evidence.Registry, err error) setting {
	option, ok := key.Number("AllowAutoUpdate")
	if err != nil || !ok {
		return setting{why: unlessNone(err)}
	}
	return setting{set: option <= 5, on: option >= 1 && option <= 4, broken: option > 5}
}

// pauseSetting says that nothing is installed while a person has paused updates.
func pauseSetting(ctx context.Context, m evidence.Machine) setting {
	key, err := m.Registry(ctx, windowsPauseKey)
	if err != nil {
		return setting{why: unlessNone(err)}
	}
	for _, name := range []string{"PauseUpdatesExpiryTime", "PauseQualityUpdatesEndTime"} {
		text, _ := key.Text(name)
		if until, err := time.Parse(time.RFC3339, text); err == nil && until.After(m.Now()) {
			return setting{set: true}
		}
	}
	return setting{}
}

// unlessNone is why a source could not be read, or nothing where there is no
// such source.
func unlessNone(err error) fact.Reason {
	if err == nil {
		return ""
	}
	switch why := evidence.ReasonOf(err); why {
	case fact.ReasonNotFound, fact.ReasonUnsupported, fact.ReasonToolMissing:
		return ""
	default:
		return why
	}
}

// agentSetting reads AutomaticUpdatesNotificationLevel: 1 disabled, 2 and 3 ask
// a person, 4 installs; 0 is not configured. Where a policy switches updating
// off, the agent says nothing else (WU_E_WU_DISABLED).
func agentSetting(agent wuAnswer, err error) setting {
	switch {
	case err != nil:
		return setting{why: unlessNone(err)}
	case agent.AutoUpdate != nil && !*agent.AutoUpdate:
		return setting{set: true}
	case agent.Level.is("1", "disabled", "2", "notify-before-download", "3", "notify-before-installation"):
		return setting{set: true}
	case agent.Level.is("4", "scheduled-installation"):
		return setting{set: true, on: true}
	}
	return setting{}
}
