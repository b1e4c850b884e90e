package edr

import (
	"context"
	"regexp"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const wazuhWindowsState = `C:\Program Files (x86)\ossec-agent\wazuh-agent.state`

// wazuhHome is the agent's folder (Wazuh documentation, "Installation guide").
func wazuhHome(sys evidence.System) string {
	if sys == evidence.MacOS {
		return "/Library/Ossec"
	}
	return "/var/ossec"
}

// wazuhUnix asks wazuh-control which of the agent's programs run, and reads
// what the agent says of its connection: without its manager, which does the
// judging, it protects less than it should. Of the file with the agent's key
// only the size is looked at.
func wazuhUnix(ctx context.Context, q question) (answers, fact.Reason) {
	a := answers{}
	home := wazuhHome(q.machine.System())
	text, why := q.run(ctx, "wazuh-control", "status")
	a.wazuhStatus(text)
	if info, reason := q.run(ctx, "wazuh-control", "info"); reason == "" {
		a.version(wazuhVersion(info))
	}
	if keys, err := q.machine.Stat(ctx, home+"/etc/client.keys"); err == nil && keys.Mode.IsRegular() {
		a.flag("registered", keys.Size > 0, fact.ReasonNotRegistered)
	} else if err != nil {
		a.unknown("registered", evidence.ReasonOf(err))
	}
	if state, err := q.machine.ReadFile(ctx, home+"/var/run/wazuh-agentd.state"); err == nil {
		a.wazuhConnection(string(state))
	}
	return a, why
}

// wazuhWindows reads what the agent on Windows says of its connection.
func wazuhWindows(ctx context.Context, q question) (answers, fact.Reason) {
	a := answers{}
	state, err := q.machine.ReadFile(ctx, wazuhWindowsState)
	if err != nil {
		return a, evidence.ReasonOf(err)
	}
	if q.product.running.is(true) && wazuhState(string(state)) == "connected" {
		a.protects()
	}
	a.wazuhConnection(string(state))
	return a, ""
}

var (
	wazuhLine   = regexp.MustCompile(`^(?:wazuh|ossec)-([a-z-]+)(?: is)? (not )?running\b`)
	wazuhInfo   = regexp.MustCompile(`(?m)^WAZUH_VERSION="v?([^"]*)"`)
	wazuhStatus = regexp.MustCompile(`(?m)^\s*status='([a-z]+)'`)
)

// wazuhStatus reads "wazuh-agentd is running..." and "wazuh-agentd is not
// running...", one line for each program. Only agentd speaks for the agent.
func (a answers) wazuhStatus(text string) {
	agent, told, down := false, false, false
	for line := range strings.Lines(text) {
		m := wazuhLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		runs := m[2] == ""
		if m[1] == "agentd" {
			agent, told = runs, true
		}
		down = down || !runs
	}
	switch {
	case told && !agent:
		a.ails(fact.ModeOff, fact.ReasonNotRunning)
	case down:
		a.ails(fact.ModeReduced, fact.ReasonReduced)
	case told:
		a.protects()
	}
}

// wazuhConnection takes a good word back where the agent has no connection.
func (a answers) wazuhConnection(state string) {
	said := wazuhState(state)
	if (said == "disconnected" || said == "pending") && a["mode"].value != fact.Str(fact.ModeOff) {
		a.ails(fact.ModeReduced, fact.ReasonReduced)
	}
}

func wazuhState(text string) string {
	if m := wazuhStatus.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

func wazuhVersion(text string) string {
	if m := wazuhInfo.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}
