package integrity

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const control = `HKLM\SYSTEM\CurrentControlSet\Control`

func windows(ctx context.Context, r *evidence.Reading) {
	m := r.Machine()
	windowsSecureBoot(ctx, m).set(r, "secure_boot")
	windowsTPM(ctx, r)
	deviceGuard(ctx, r)
	startOptions(ctx, m).set(r, "debug_mode")
	developerMode(ctx, m).set(r, "developer_mode")
}

// windowsSecureBoot reads what the boot loader left in the registry. The key
// is missing on a machine that was started by a BIOS, which PEFirmwareType
// tells (Microsoft, "Boot to UEFI Mode or Legacy BIOS mode": 1 BIOS, 2 UEFI).
func windowsSecureBoot(ctx context.Context, m evidence.Machine) answer {
	const state = control + `\SecureBoot\State`
	key, err := m.Registry(ctx, state)
	if err == nil {
		n, ok := key.Number("UEFISecureBootEnabled")
		switch {
		case ok && n <= 1:
			return yesNo(n == 1, state)
		case key.Has("UEFISecureBootEnabled"):
			return unknown(fact.ReasonMalformed)
		}
		return unknown(fact.ReasonNotFound)
	}
	if evidence.ReasonOf(err) == fact.ReasonNotFound {
		if above, err := m.Registry(ctx, control); err == nil {
			if n, ok := above.Number("PEFirmwareType"); ok && n == 1 {
				return yesNo(false, control).because(fact.ReasonNotFound)
			}
		}
	}
	return failed(err)
}

// windowsTPM asks TBS, and for administrators Win32_Tpm. That the class says
// enabled is no proof that the chip makes keys; that it says otherwise is one
// that it does not.
func windowsTPM(ctx context.Context, r *evidence.Reading) {
	const class = "Win32_Tpm"
	ask := askTPM(ctx, r.Machine())
	var found tpmAnswers
	rows, err := r.Machine().WMI(ctx, `root\cimv2\Security\MicrosoftTpm`, class)
	row, one := single(rows)
	switch {
	case err != nil:
		found = tpmAnswers{failed(err), failed(err), failed(err)}
	case len(rows) == 0:
		none := unknown(fact.ReasonNotFound)
		found = tpmAnswers{none, none, none}
	case !one:
		odd := unknown(fact.ReasonMalformed)
		found = tpmAnswers{odd, odd, odd}
	default:
		found = parseTPM(row)
	}
	agree(r, "tpm_present", ask.present, found.present)
	agree(r, "tpm_usable", ask.usable, found.usable)
	agree(r, "tpm_version", ask.version, found.version)
}

type tpmAnswers struct{ present, usable, version answer }

func askTPM(ctx context.Context, m evidence.Machine) tpmAnswers {
	data, err := m.Ask(ctx, evidence.AskTPM)
	if err != nil {
		return tpmAnswers{failed(err), failed(err), failed(err)}
	}
	return parseAskTPM(data)
}

// parseAskTPM reads the answer to AskTPM.
func parseAskTPM(data []byte) tpmAnswers {
	const source = "Tbsi_GetDeviceInfo"
	var in struct {
		Present   *bool  `json:"present"`
		MakesKeys *bool  `json:"makes_keys"`
		Version   string `json:"version"`
	}
	if json.Unmarshal(data, &in) != nil {
		odd := unknown(fact.ReasonUnreadable)
		return tpmAnswers{odd, odd, odd}
	}
	none := unknown(fact.ReasonNotFound)
	out := tpmAnswers{none, none, none}
	if in.Present != nil {
		out.present = yesNo(*in.Present, source)
		if !*in.Present {
			out.usable = yesNo(false, source).because(fact.ReasonNotFound)
			return out
		}
	}
	if in.MakesKeys != nil {
		out.usable = yesNo(*in.MakesKeys, "NCryptFinalizeKey")
	}
	if isVersion(in.Version) {
		out.version = known(fact.Str(in.Version), source)
	}
	return out
}

// parseTPM reads an instance of Win32_Tpm. SpecVersion is "2.0, 0, 1.38":
// version, level and revision.
func parseTPM(row evidence.Row) tpmAnswers {
	const source = "Win32_Tpm"
	none := unknown(fact.ReasonNotFound)
	out := tpmAnswers{none, none, none}
	enabled, ok := row.Bool("IsEnabled_InitialValue")
	active, okActive := row.Bool("IsActivated_InitialValue")
	spec, okSpec := row.Text("SpecVersion")
	if ok || okActive || okSpec {
		out.present = yesNo(true, source)
	}
	if ok && !enabled || okActive && !active {
		out.usable = yesNo(false, source)
	}
	if version, _, _ := strings.Cut(spec, ","); okSpec && isVersion(strings.TrimSpace(version)) {
		out.version = known(fact.Str(strings.TrimSpace(version)), source)
	}
	return out
}

func isVersion(s string) bool {
	return s != "" && len(s) < 16 && strings.Trim(s, "0123456789.") == "" && s[0] != '.'
}

// single is the one instance of a class. Text in which an empty line stands
// inside an instance reads as several rows without a property in common.
func single(rows []evidence.Row) (evidence.Row, bool) {
	if len(rows) == 0 || len(rows) > 8 {
		return nil, false
	}
	all := evidence.Row{}
	for _, row := range rows {
		for name, v := range row {
			if _, there := all.List(name); there {
				return nil, false
			}
			all[name] = v
		}
	}
	return all, true
}

// startOptions looks for what was put into the boot configuration: a debugger,
// test-signed drivers, or no check of signatures at all.
func startOptions(ctx context.Context, m evidence.Machine) answer {
	key, err := m.Registry(ctx, control)
	if err != nil {
		return failed(err)
	}
	v, ok := key.Values["systemstartoptions"]
	switch {
	case !ok:
		return unknown(fact.ReasonNotFound)
	case v.Type != "REG_SZ":
		return unknown(fact.ReasonMalformed)
	}
	return yesNo(loosened(v.Data), control+" SystemStartOptions")
}

func loosened(options string) bool {
	for word := range strings.FieldsSeq(strings.ToUpper(options)) {
		word, _, _ = strings.Cut(strings.TrimLeft(word, "/"), "=")
		if slices.Contains([]string{"TESTSIGNING", "DEBUG", "CRASHDEBUG", "NOINTEGRITYCHECKS", "DISABLE_INTEGRITY_CHECKS", "DDISABLE_INTEGRITY_CHECKS"}, word) {
			return true
		}
	}
	return false
}

// developerMode is off unless somebody switched it on (Microsoft, "Enable your
// device for development"); a policy stands over the person's choice.
func developerMode(ctx context.Context, m evidence.Machine) answer {
	const value = "AllowDevelopmentWithoutDevLicense"
	const policy, own = `HKLM\SOFTWARE\Policies\Microsoft\Windows\Appx`, `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\AppModelUnlock`
	key, err := m.Registry(ctx, policy)
	if n, ok := key.Number(value); err == nil && ok {
		return yesNo(n != 0, policy)
	}
	if err != nil && evidence.ReasonOf(err) != fact.ReasonNotFound {
		return failed(err)
	}
	key, err = m.Registry(ctx, own)
	switch n, ok := key.Number(value); {
	case err != nil:
		return failed(err)
	case ok:
		return yesNo(n != 0, own)
	case key.Has(value):
		return unknown(fact.ReasonMalformed)
	}
	return yesNo(false, own)
}

// services reads a list of numbers, such as SecurityServicesRunning. A list
// that was cut when it was shown ("4...") says what is in it, not what is not.
func services(row evidence.Row, name string) (list []int, whole, ok bool) {
	values, there := row.List(name)
	if !there || len(values) == 0 {
		return nil, false, false
	}
	whole = true
	for _, v := range values {
		v = strings.TrimSpace(v)
		if s, cut := strings.CutSuffix(strings.TrimSuffix(v, "…"), "..."); cut || s != v {
			v, whole = s, false
		}
		if v == "" {
			continue
		}
		n, err := strconv.Atoi(v)
		if err != nil {
			return nil, false, false
		}
		list = append(list, n)
	}
	return list, whole, true
}
