package integrity

import (
	"context"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const (
	selinuxEnforce   = "/sys/fs/selinux/enforce"
	selinuxConfig    = "/etc/selinux/config"
	apparmorEnabled  = "/sys/module/apparmor/parameters/enabled"
	apparmorMode     = "/sys/module/apparmor/parameters/mode"
	apparmorProfiles = "/sys/kernel/security/apparmor/profiles"
)

// accessControl finds which mandatory access control runs and whether it
// enforces anything.
func accessControl(ctx context.Context, r *evidence.Reading) {
	m := r.Machine()
	modules, listed := securityModules(ctx, m)
	selinux := selinuxState(ctx, m)
	apparmor := apparmorState(ctx, m)
	disabled := fact.Str(fact.Disabled)
	switch {
	case selinux.known() && selinux.value != disabled:
		selinux.set(r, "access_control")
		r.Observe("access_control_system", "", fact.Str("selinux"))
	case apparmor.known() && apparmor.value != disabled || slices.Contains(modules, "apparmor"):
		apparmor.set(r, "access_control")
		r.Observe("access_control_system", "", fact.Str("apparmor"))
	case listed && !slices.Contains(modules, "selinux"):
		otherControl(r, modules)
	case selinux.known():
		selinux.set(r, "access_control")
		r.Unknown("access_control_system", "", fact.ReasonNotFound)
	default:
		selinux.or(apparmor).set(r, "access_control")
		r.Unknown("access_control_system", "", selinux.or(apparmor).orNotFound())
	}
}

func (a answer) orNotFound() fact.Reason {
	if a.known() || a.why == "" {
		return fact.ReasonNotFound
	}
	return a.why
}

// otherControl is a kernel that lists its modules, and SELinux and AppArmor
// are not among them. What smack and tomoyo enforce is not read.
func otherControl(r *evidence.Reading, modules []string) {
	for _, name := range []string{"smack", "tomoyo"} {
		if slices.Contains(modules, name) {
			r.From(lsmFile)
			r.Unknown("access_control", "", fact.ReasonUnsupported)
			r.Observe("access_control_system", "", fact.Str(name))
			return
		}
	}
	known(fact.Str(fact.Disabled), lsmFile).because(fact.ReasonNotFound).set(r, "access_control")
	r.Unknown("access_control_system", "", fact.ReasonNotFound)
}

// selinuxState prefers what the kernel does now (selinux(8)); sestatus(8)
// stands in where its file system cannot be read. The configuration file tells
// about the next start, so all it can show is that SELinux is off.
func selinuxState(ctx context.Context, m evidence.Machine) answer {
	data, err := m.ReadFile(ctx, selinuxEnforce)
	if err == nil {
		switch strings.TrimSpace(string(data)) {
		case "1":
			return known(fact.Str(fact.Enforcing), selinuxEnforce)
		case "0":
			return known(fact.Str(fact.Permissive), selinuxEnforce)
		}
		return unknown(fact.ReasonMalformed)
	}
	if text, err := evidence.Text(ctx, m, "sestatus"); err == nil {
		return parseSestatus(string(text))
	}
	if text, fileErr := m.ReadFile(ctx, selinuxConfig); fileErr == nil && evidence.ReasonOf(err) == fact.ReasonNotFound && selinuxOff(string(text)) {
		return known(fact.Str(fact.Disabled), selinuxConfig)
	}
	return failed(err)
}

func selinuxOff(config string) bool {
	off := false
	for line := range strings.Lines(config) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && strings.TrimSpace(name) == "SELINUX" {
			off = strings.EqualFold(strings.TrimSpace(value), "disabled")
		}
	}
	return off
}

// parseSestatus reads "SELinux status:" and "Current mode:".
func parseSestatus(text string) answer {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, ":"); ok && len(values) < 64 {
			values[strings.ToLower(strings.TrimSpace(name))] = strings.ToLower(strings.TrimSpace(value))
		}
	}
	mode := values["current mode"]
	switch {
	case values["selinux status"] == "disabled" && mode == "":
		return known(fact.Str(fact.Disabled), "sestatus")
	case values["selinux status"] == "enabled" && (mode == fact.Enforcing || mode == fact.Permissive):
		return known(fact.Str(mode), "sestatus")
	}
	return unknown(fact.ReasonUnreadable)
}

// apparmorState is enforcing when at least one profile is enforced. Without
// profiles, or with all of them complaining, nothing is. Only root may list
// them (apparmor(7)).
func apparmorState(ctx context.Context, m evidence.Machine) answer {
	data, err := m.ReadFile(ctx, apparmorEnabled)
	if err != nil {
		return failed(err)
	}
	switch strings.TrimSpace(string(data)) {
	case "N":
		return known(fact.Str(fact.Disabled), apparmorEnabled)
	case "Y":
	default:
		return unknown(fact.ReasonMalformed)
	}
	if mode, err := m.ReadFile(ctx, apparmorMode); err == nil && strings.TrimSpace(string(mode)) == "complain" {
		return known(fact.Str(fact.Permissive), apparmorMode)
	}
	profiles, err := m.ReadFile(ctx, apparmorProfiles)
	if err != nil {
		return failed(err)
	}
	return parseProfiles(string(profiles))
}

// parseProfiles reads the lines "name (mode)"; kill enforces as well.
func parseProfiles(text string) answer {
	lines := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		lines++
		if strings.HasSuffix(line, " (enforce)") || strings.HasSuffix(line, " (kill)") {
			return known(fact.Str(fact.Enforcing), apparmorProfiles)
		}
		if !strings.HasSuffix(line, ")") {
			return unknown(fact.ReasonMalformed)
		}
	}
	if lines == 0 {
		return known(fact.Str(fact.Permissive), apparmorProfiles).because(fact.ReasonNotFound)
	}
	return known(fact.Str(fact.Permissive), apparmorProfiles)
}
