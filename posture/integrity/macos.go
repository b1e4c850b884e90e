package integrity

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

func macos(ctx context.Context, r *evidence.Reading) {
	m := r.Machine()
	kernel, tool := askCSR(ctx, m), runCsrutil(ctx, m)
	agree(r, "sip", kernel.sip, tool.sip)
	agree(r, "debug_mode", kernel.debug, tool.debug)
	bridge := readBridge(ctx, m)
	bridge.policy.set(r, "boot_policy")
	bridge.secureBoot().set(r, "secure_boot")
	sealed(ctx, m, kernel.sealed, tool.sealed, bridge.sealed).set(r, "sealed_system")
	gatekeeper(ctx, m).set(r, "gatekeeper")
	xprotect(ctx, m).set(r, "xprotect")
	enclave(ctx, m, bridge).set(r, "secure_enclave")
	devTools(ctx, m).set(r, "developer_mode")
}

// sealed wants the volume at / mounted as sealed (mount(8)), and no source that
// says the seal is not checked at the start.
func sealed(ctx context.Context, m evidence.Machine, checks ...answer) answer {
	const source = "mount"
	text, err := evidence.Text(ctx, m, "mount")
	if err != nil {
		return failed(err)
	}
	yes, found := parseMount(string(text))
	if !found {
		return unknown(fact.ReasonUnreadable)
	}
	for _, c := range checks {
		if yes && c.is(false) {
			return yesNo(false, c.source).because(fact.ReasonReduced)
		}
	}
	for _, c := range checks {
		if yes && c.refused() {
			return unknown(c.why)
		}
	}
	return yesNo(yes, source)
}

// parseMount reads the options of every file system at /, as in
// "/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)".
func parseMount(text string) (sealed, found bool) {
	for line := range strings.Lines(text) {
		_, rest, ok := strings.Cut(line, " on / (")
		options, _, closed := strings.Cut(rest, ")")
		if !ok || !closed {
			continue
		}
		has := false
		for option := range strings.SplitSeq(options, ",") {
			has = has || strings.TrimSpace(option) == "sealed"
		}
		sealed, found = has && (sealed || !found), true
	}
	return sealed, found
}

// gatekeeper asks spctl(8), which ends with another code than 0 when
// assessments are disabled.
func gatekeeper(ctx context.Context, m evidence.Machine) answer {
	out, err := m.Run(ctx, "spctl", "--status")
	if err != nil {
		return failed(err)
	}
	a := parseSpctl(string(out.Stdout) + "\n" + string(out.Stderr))
	if !a.known() && out.Code != 0 {
		return failed(evidence.Failure("spctl", out))
	}
	return a
}

func parseSpctl(text string) answer {
	on, off := false, false
	for line := range strings.Lines(text) {
		switch strings.Join(strings.Fields(strings.ToLower(line)), " ") {
		case "assessments enabled":
			on = true
		case "assessments disabled":
			off = true
		}
	}
	if on == off {
		return unknown(fact.ReasonUnreadable)
	}
	return yesNo(on, "spctl --status")
}

// xprotect is the higher version of the two places in which definitions lie:
// since macOS 15 they are updated in the first, and the second stays behind. A
// first place that is there and cannot be read leaves open how high it is.
func xprotect(ctx context.Context, m evidence.Machine) answer {
	now := readBundle(ctx, m, "/private/var/protected/xprotect/XProtect.bundle")
	before := readBundle(ctx, m, "/Library/Apple/System/Library/CoreServices/XProtect.bundle")
	if !now.known() && now.why != fact.ReasonNotFound {
		return now
	}
	a, _ := now.value.AsString()
	b, _ := before.value.AsString()
	if now.known() && before.known() && fact.CompareVersions(a, b) < 0 {
		return before
	}
	return now.or(before)
}

func readBundle(ctx context.Context, m evidence.Machine, bundle string) answer {
	path := bundle + "/Contents/Info.plist"
	data, err := m.ReadFile(ctx, path)
	if err != nil {
		return failed(err)
	}
	return parseBundle(data, path)
}

func parseBundle(data []byte, path string) answer {
	top, err := evidence.ParsePlist(data)
	values, _ := top.(map[string]any)
	version, _ := values["CFBundleShortVersionString"].(string)
	switch {
	case err != nil:
		return unknown(fact.ReasonUnreadable)
	case !isVersion(version):
		return unknown(fact.ReasonMalformed)
	}
	return known(fact.Str(version), path)
}

// devTools asks whether developer tools may attach to programs without a
// password (DevToolsSecurity(1)).
func devTools(ctx context.Context, m evidence.Machine) answer {
	out, err := m.Run(ctx, "DevToolsSecurity", "-status")
	if err != nil {
		return failed(err)
	}
	a := parseDevTools(string(out.Stdout) + "\n" + string(out.Stderr))
	if !a.known() && out.Code != 0 {
		return failed(evidence.Failure("DevToolsSecurity", out))
	}
	return a
}

func parseDevTools(text string) answer {
	words := strings.FieldsFunc(strings.ToLower(text), func(c rune) bool { return c < 'a' || c > 'z' })
	on, off := slices.Contains(words, "enabled"), slices.Contains(words, "disabled")
	if on == off || !slices.Contains(words, "developer") {
		return unknown(fact.ReasonUnreadable)
	}
	return yesNo(on, "DevToolsSecurity -status")
}

// enclave is there in every Mac with Apple silicon and in those with a T1 or
// T2 chip (Apple Platform Security, "Secure Enclave"). A virtual Mac may or may
// not be given one.
func enclave(ctx context.Context, m evidence.Machine, b bridge) answer {
	if v, err := m.Sysctl(ctx, "kern.hv_vmm_present"); err == nil && strings.TrimSpace(v) == "1" {
		return unknown(fact.ReasonUnsupported)
	}
	var platform struct{ Machine string }
	data, err := m.Ask(ctx, evidence.AskPlatform)
	if err == nil && json.Unmarshal(data, &platform) == nil && strings.HasPrefix(strings.ToLower(platform.Machine), "arm64") {
		return yesNo(true, "uname")
	}
	if b.chip {
		return yesNo(true, bridgeSource)
	}
	if b.policy.why != "" && b.policy.why != fact.ReasonNotFound {
		return unknown(b.policy.why)
	}
	return unknown(fact.ReasonNotFound)
}
