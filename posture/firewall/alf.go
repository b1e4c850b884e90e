package firewall

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// parseSocketFilter reads what socketfilterfw(8) prints, one line for each
// question. The words differ between versions; the state's number does not, so
// that it goes before the words, which must not say the opposite.
func parseSocketFilter(text string) alf {
	var a alf
	twice := false
	for line := range strings.Lines(text) {
		lower := strings.ToLower(strings.TrimSpace(line))
		switch {
		case strings.Contains(lower, "error"), strings.Contains(lower, "correct type"):
		case strings.Contains(lower, "stealth"):
			a.stealth = orPointer(a.stealth, onOff(lower))
		case strings.Contains(lower, "(state"):
			twice = twice || a.state != nil
			a.state = numberedState(lower)
		case strings.Contains(lower, "block all"), strings.Contains(lower, "blocking all"):
			a.blockAll = orPointer(a.blockAll, blockWords(lower))
		case strings.HasPrefix(lower, "firewall is ") && a.state == nil:
			a.state = wordedState(lower)
		}
	}
	if twice {
		return alf{}
	}
	return a
}

// onOff reads the last word that means on or off.
func onOff(line string) *bool {
	words := strings.FieldsFunc(line, func(c rune) bool { return c < 'a' || c > 'z' })
	for i := len(words) - 1; i >= 0; i-- {
		on := words[i] == "on" || words[i] == "enabled"
		if on || words[i] == "off" || words[i] == "disabled" {
			return &on
		}
	}
	return nil
}

// blockWords reads whether everything is blocked. Without "enabled" or
// "disabled" the sentence itself says so.
func blockWords(line string) *bool {
	if said := onOff(line); said != nil {
		return said
	}
	if strings.Contains(line, "non-essential") && !strings.Contains(line, "not ") {
		all := true
		return &all
	}
	return nil
}

// numberedState reads "(state = 1)".
func numberedState(line string) *int {
	_, rest, _ := strings.Cut(line, "(state")
	digits, _, ok := strings.Cut(strings.TrimLeft(rest, " ="), ")")
	n, err := strconv.Atoi(strings.TrimSpace(digits))
	if !ok || err != nil || n < 0 || n > 2 {
		return nil
	}
	if said := wordedState(line); said != nil && (*said == 0) != (n == 0) {
		return nil
	}
	return &n
}

// wordedState reads "firewall is enabled." and the like.
func wordedState(line string) *int {
	words, _, _ := strings.Cut(line, "(")
	n := 0
	switch said := onOff(words); {
	case said == nil && strings.Contains(words, "blocking all"):
		n = 2
	case said == nil:
		return nil
	case *said:
		n = 1
	}
	return &n
}

// runProfiler reads system_profiler's report, which takes seconds: only where
// the tool does not answer.
func runProfiler(ctx context.Context, r *evidence.Reading) alf {
	out, err := evidence.Text(ctx, r.Machine(), "system_profiler", "-json", "SPFirewallDataType")
	if err != nil {
		return alf{why: evidence.ReasonOf(err)}
	}
	a := parseProfiler(out)
	if a.state != nil {
		r.From("system_profiler -json SPFirewallDataType")
	}
	return a
}

// parseProfiler reads the words that System Information keeps its states in.
func parseProfiler(data []byte) alf {
	a := alf{source: "system_profiler", why: fact.ReasonUnreadable}
	var doc struct {
		Items []struct {
			State   string `json:"spfirewall_globalstate"`
			Stealth string `json:"spfirewall_stealthenabled"`
		} `json:"SPFirewallDataType"`
	}
	if json.Unmarshal(data, &doc) != nil || len(doc.Items) != 1 {
		return a
	}
	n := 0
	switch doc.Items[0].State {
	case "spfirewall_globalstate_block_all":
		n = 2
	case "spfirewall_globalstate_limit_connections":
		n = 1
	case "spfirewall_globalstate_allow_all", "spfirewall_globalstate_off":
	default:
		return a
	}
	a.state, a.why = &n, ""
	switch strings.ToLower(doc.Items[0].Stealth) {
	case "yes":
		on := true
		a.stealth = &on
	case "no":
		on := false
		a.stealth = &on
	}
	return a
}

// readSettings reads the firewall's own settings, which macOS kept in this
// file up to version 14.
func readSettings(ctx context.Context, r *evidence.Reading) alf {
	const path = "/Library/Preferences/com.apple.alf.plist"
	data, err := r.Machine().ReadFile(ctx, path)
	if err != nil {
		return alf{why: evidence.ReasonOf(err)}
	}
	if !keepsSettings(ctx, r.Machine()) {
		return alf{why: fact.ReasonNotFound}
	}
	a := parseSettings(data)
	a.source = path
	if a.state != nil {
		r.From(path)
	}
	return a
}

// keepsSettings is false from macOS 15 on, where a file that is left over from
// an older system says nothing.
func keepsSettings(ctx context.Context, m evidence.Machine) bool {
	data, err := m.ReadFile(ctx, "/System/Library/CoreServices/SystemVersion.plist")
	if err != nil {
		return true
	}
	v, err := evidence.ParsePlist(data)
	dict, _ := v.(map[string]any)
	version, _ := dict["ProductVersion"].(string)
	major, _, _ := strings.Cut(version, ".")
	n, bad := strconv.Atoi(major)
	return err != nil || bad != nil || n < 15
}

func parseSettings(data []byte) alf {
	v, err := evidence.ParsePlist(data)
	dict, ok := v.(map[string]any)
	if err != nil || !ok {
		return alf{why: fact.ReasonUnreadable}
	}
	var a alf
	if n, ok := plistNumber(dict["globalstate"]); ok && n >= 0 && n <= 2 {
		a.state = &n
	}
	if n, ok := plistNumber(dict["stealthenabled"]); ok {
		on := n != 0
		a.stealth = &on
	}
	return a
}

// plistNumber is an integer, or a boolean that stands for one.
func plistNumber(v any) (int, bool) {
	switch v := v.(type) {
	case string:
		n, err := strconv.Atoi(v)
		return n, err == nil
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}
