package edr

import (
	"context"
	"regexp"
	"strings"

	"github.com/postern-zt/postern/posture/fact"
)

// sentinelLinux asks sentinelctl on Linux, which needs root.
func sentinelLinux(ctx context.Context, q question) (answers, fact.Reason) {
	text, why := q.run(ctx, "sentinelctl", "control", "status")
	a := sentinelControl(text)
	if final(why) {
		return a, why
	}
	if text, reason := q.run(ctx, "sentinelctl", "version"); reason == "" {
		version, _ := first(pairs(text), "Agent version")
		a.version(version)
	}
	return a, why
}

// sentinelColumns are a name and a value of several words each, between at
// least two spaces or a tab.
var sentinelColumns = regexp.MustCompile(`^(\S+(?: \S+)*)(?:\s{2,}|\t+)(\S.*)$`)

// sentinelControl reads "Agent state      Enabled" and the like.
func sentinelControl(text string) answers {
	a := answers{}
	for line := range strings.Lines(text) {
		if len(line) > maxLine {
			continue
		}
		m := sentinelColumns.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			name, value, ok := strings.Cut(line, ":")
			if !ok {
				continue
			}
			m = []string{"", strings.TrimSpace(name), value}
		}
		value := strings.TrimSpace(m[2])
		switch strings.ToLower(strings.TrimSuffix(m[1], ":")) {
		case "agent state":
			switch on, ok := word(value, "Enabled", "Disabled"); {
			case ok && on:
				a.protects()
			case ok:
				a.ails(fact.ModeOff, fact.ReasonReduced)
			}
		case "anti tamper":
			if on, ok := word(value, "On", "Off"); ok {
				a.observe("tamper_protected", fact.Bool(on))
			}
		case "agent version":
			a.version(value)
		}
	}
	return a
}

// sentinelMac asks sentinelctl on macOS.
func sentinelMac(ctx context.Context, q question) (answers, fact.Reason) {
	text, why := q.run(ctx, "sentinelctl", "status")
	return sentinelStatus(text), why
}

// sentinelStatus reads the report of macOS, in which the agent's own state is
// the first section. What is not told does not count; protection and readiness
// must be.
func sentinelStatus(text string) answers {
	a := answers{}
	lines := pairs(text)
	version, _ := first(lines, "Version")
	a.version(version)
	id, toldID := first(lines, "ID")
	server, toldServer := first(lines, "Server")
	if toldID && toldServer {
		a.flag("registered", id != "" && server != "", fact.ReasonNotRegistered)
	}
	protection, ok := first(lines, "Protection")
	ready, okReady := first(lines, "Ready")
	switch {
	case !ok && !okReady:
		return a
	case ok && !strings.EqualFold(protection, "enabled"):
		a.ails(fact.ModeOff, fact.ReasonReduced)
		return a
	case sentinelTrouble(lines), okReady && !strings.EqualFold(ready, "yes"):
		a.ails(fact.ModeReduced, fact.ReasonReduced)
		return a
	case ok && okReady:
		a.protects()
	}
	return a
}

// sentinelTrouble tells whether one line says that something is not as it
// should be.
func sentinelTrouble(lines []pair) bool {
	for name, good := range map[string]string{
		"Agent Operational State": "enabled", "ES Framework": "started",
		"Missing Authorizations": "", "Infected": "no", "Network Quarantine": "no",
	} {
		if value, told := first(lines, name); told && !strings.EqualFold(value, good) {
			return true
		}
	}
	return false
}

// sentinelWindows asks SentinelCtl.exe on Windows.
func sentinelWindows(ctx context.Context, q question) (answers, fact.Reason) {
	text, why := q.run(ctx, "sentinelctl", "status")
	return sentinelLoaded(text), why
}

var sentinelPart = regexp.MustCompile(`(?i)^(SentinelMonitor|SentinelAgent) is (not )?loaded\b`)

// sentinelLoaded reads "SentinelAgent is loaded" and the lines with a colon.
// An agent without mitigation watches and blocks nothing, as it was told to.
func sentinelLoaded(text string) answers {
	a := answers{}
	loaded := map[string]bool{}
	for line := range strings.Lines(text) {
		if m := sentinelPart.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			loaded[strings.ToLower(m[1])] = m[2] == ""
		}
	}
	lines := pairs(text)
	disabled, toldDisabled := first(lines, "Disable State")
	agent, toldAgent := loaded["sentinelagent"]
	monitor, toldMonitor := loaded["sentinelmonitor"]
	switch {
	case toldDisabled && !strings.HasPrefix(strings.ToLower(disabled), "not disabled"):
		a.ails(fact.ModeOff, fact.ReasonReduced)
	case toldAgent && !agent:
		a.ails(fact.ModeOff, fact.ReasonNotRunning)
	case toldMonitor && !monitor:
		a.ails(fact.ModeReduced, fact.ReasonReduced)
	case toldAgent && toldMonitor && toldDisabled:
		a.protects()
		if policy, told := first(lines, "Mitigation policy"); told && strings.EqualFold(policy, "none") {
			a.observe("mode", fact.Str(fact.ModePassive))
		}
	}
	if said, told := first(lines, "Self-Protection status"); told {
		if on, ok := word(said, "On", "Off"); ok {
			a.observe("tamper_protected", fact.Bool(on))
		}
	}
	build, _ := first(lines, "Monitor Build id")
	build, _, _ = strings.Cut(build, "+")
	a.version(build)
	return a
}
