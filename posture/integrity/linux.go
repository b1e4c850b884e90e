package integrity

import (
	"context"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// Variables of the firmware as efivarfs shows them (kernel documentation,
// filesystems/efivarfs): four bytes of attributes, then the value.
const (
	efi         = "/sys/firmware/efi"
	efiVars     = efi + "/efivars/"
	globalGUID  = "8be4df61-93ca-11d2-aa0d-00e098032b8c" // UEFI specification, 3.3, EFI_GLOBAL_VARIABLE
	shimGUID    = "605dab50-e046-4300-abb6-3dd810dd8b23" // of the boot loader shim
	mokutilLine = "mokutil --sb-state"
)

func linux(ctx context.Context, r *evidence.Reading) {
	secureBoot(ctx, r)
	tpm(ctx, r)
	lockdown := linuxLockdown(ctx, r.Machine())
	lockdown.set(r, "lockdown")
	accessControl(ctx, r)
	linuxDebug(ctx, r.Machine(), lockdown).set(r, "debug_mode")
}

// secureBoot compares what the firmware says with what mokutil(1) makes of it.
// A shim that was told not to validate starts anything, so Secure Boot then
// counts as off although the firmware has it on.
func secureBoot(ctx context.Context, r *evidence.Reading) {
	m := r.Machine()
	secure, setup := efiVar(ctx, m, "SecureBoot-"+globalGUID), efiVar(ctx, m, "SetupMode-"+globalGUID)
	lax := efiVar(ctx, m, "MokSBStateRT-"+shimGUID)
	if secure.is(true) && lax.is(true) {
		secure = yesNo(false, lax.source).because(fact.ReasonReduced)
	}
	mok := runMokutil(ctx, m)
	if secure.known() && mok.setup.is(true) {
		mok.secure = answer{} // in setup mode mokutil says disabled, whatever the firmware's variable is
	}
	if !secure.known() && !mok.secure.known() && legacyBoot(ctx, m, mok) {
		yesNo(false, efi+" is not there").because(fact.ReasonNotFound).set(r, "secure_boot")
		r.Unknown("setup_mode", "", fact.ReasonNotFound)
		return
	}
	agree(r, "secure_boot", secure, mok.secure)
	agree(r, "setup_mode", setup, mok.setup)
}

// efiVar reads a variable of one byte, 0 or 1.
func efiVar(ctx context.Context, m evidence.Machine, name string) answer {
	data, err := m.ReadFile(ctx, efiVars+name)
	if err != nil {
		return failed(err)
	}
	v, ok := parseEFIVar(data)
	if !ok {
		return unknown(fact.ReasonMalformed)
	}
	return yesNo(v, efiVars+name)
}

func parseEFIVar(data []byte) (value, ok bool) {
	if len(data) != 5 || data[4] > 1 {
		return false, false
	}
	return data[4] == 1, true
}

// legacyBoot is true of a machine that was not started by UEFI, which alone
// has Secure Boot: the kernel shows what firmware it found, and none of it is
// EFI. An empty or missing folder is a container that hides it.
func legacyBoot(ctx context.Context, m evidence.Machine, mok mokutil) bool {
	if _, err := m.Stat(ctx, efi); evidence.ReasonOf(err) != fact.ReasonNotFound || err == nil {
		return false
	}
	names, err := m.ReadDir(ctx, "/sys/firmware")
	return err == nil && len(names) > 0 && !slices.Contains(names, "efi") || mok.noVariables
}

// mokutil is what mokutil --sb-state says.
type mokutil struct {
	secure, setup answer
	noVariables   bool // the system has no EFI variables
}

// runMokutil does not mind the exit code: the same words come with different
// ones in different versions.
func runMokutil(ctx context.Context, m evidence.Machine) mokutil {
	out, err := m.Run(ctx, "mokutil", "--sb-state")
	if err != nil {
		return mokutil{secure: failed(err), setup: failed(err)}
	}
	return parseMokutil(string(out.Stdout) + "\n" + string(out.Stderr))
}

func parseMokutil(text string) mokutil {
	none := unknown(fact.ReasonUnreadable)
	said := mokutil{secure: none, setup: none}
	on, off, setup, lax := false, false, false, false
	for line := range strings.Lines(strings.ToLower(text)) {
		switch strings.TrimRight(strings.TrimSpace(line), ".") {
		case "secureboot enabled":
			on = true
		case "secureboot disabled":
			off = true
		case "platform is in setup mode":
			setup = true
		case "secureboot validation is disabled in shim":
			lax = true
		case "this system doesn't support secure boot":
			said.secure = yesNo(false, mokutilLine).because(fact.ReasonNotFound)
		case "efi variables are not supported on this system":
			said.noVariables = true
			said.secure, said.setup = unknown(fact.ReasonUnsupported), unknown(fact.ReasonUnsupported)
		}
	}
	switch {
	case on && off:
	case on && lax:
		said.secure = yesNo(false, mokutilLine).because(fact.ReasonReduced)
	case on || off:
		said.secure = yesNo(on, mokutilLine)
	}
	if setup {
		said.setup = yesNo(true, mokutilLine)
	} else if on && !off { // said only outside of setup mode
		said.setup = yesNo(false, mokutilLine)
	}
	return said
}
