package integrity

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const (
	lockdownFile = "/sys/kernel/security/lockdown"
	lsmFile      = "/sys/kernel/security/lsm"
)

// linuxLockdown reads the mode in brackets (kernel_lockdown(7)). A kernel that
// lists its security modules without lockdown locks nothing down.
func linuxLockdown(ctx context.Context, m evidence.Machine) answer {
	data, err := m.ReadFile(ctx, lockdownFile)
	if err == nil {
		return parseLockdown(string(data))
	}
	if modules, ok := securityModules(ctx, m); ok && !slices.Contains(modules, "lockdown") && evidence.ReasonOf(err) == fact.ReasonNotFound {
		return known(fact.Str(fact.LockdownNone), lsmFile).because(fact.ReasonNotFound)
	}
	return failed(err)
}

func parseLockdown(text string) answer {
	_, rest, ok := strings.Cut(text, "[")
	word, _, closed := strings.Cut(rest, "]")
	switch word = strings.TrimSpace(word); {
	case !ok || !closed:
	case word == fact.LockdownNone || word == fact.LockdownIntegrity || word == fact.LockdownConfidentiality:
		return known(fact.Str(word), lockdownFile)
	}
	return unknown(fact.ReasonMalformed)
}

// securityModules lists the active ones, as in "lockdown,capability,apparmor".
func securityModules(ctx context.Context, m evidence.Machine) ([]string, bool) {
	data, err := m.ReadFile(ctx, lsmFile)
	text := strings.TrimSpace(string(data))
	if err != nil || text == "" {
		return nil, false
	}
	return strings.Split(text, ","), true
}

// Bits and files that tell what code the kernel takes.
const (
	taintUnsigned = 1 << 13 // kernel documentation, admin-guide/tainted-kernels: "unsigned module was loaded"
	taintFile     = "/proc/sys/kernel/tainted"
	enforceFile   = "/sys/module/module/parameters/sig_enforce"
	disabledFile  = "/proc/sys/kernel/modules_disabled"
	kgdbFile      = "/sys/module/kgdboc/parameters/kgdboc"
)

// linuxDebug is true when an unsigned module was loaded or one would be, or
// when the kernel's debugger has a line to listen on. Lockdown rules out all
// three; without it, what has to hold is told by each file alone.
func linuxDebug(ctx context.Context, m evidence.Machine, lockdown answer) answer {
	if n, ok := number(ctx, m, taintFile); ok && n&taintUnsigned != 0 {
		return yesNo(true, taintFile)
	}
	if mode := lockdown.value; mode == fact.Str(fact.LockdownIntegrity) || mode == fact.Str(fact.LockdownConfidentiality) {
		return yesNo(false, lockdownFile)
	}
	if data, err := m.ReadFile(ctx, kgdbFile); err == nil && strings.TrimSpace(string(data)) != "" {
		return yesNo(true, kgdbFile)
	}
	data, err := m.ReadFile(ctx, enforceFile)
	if n, ok := number(ctx, m, disabledFile); ok && n == 1 {
		return yesNo(false, disabledFile)
	}
	if err != nil {
		return failed(err)
	}
	switch strings.TrimSpace(string(data)) {
	case "Y", "1":
		return yesNo(false, enforceFile)
	case "N", "0":
		if !lockdown.known() {
			return unknown(lockdown.why)
		}
		return yesNo(true, enforceFile)
	}
	return unknown(fact.ReasonMalformed)
}

func number(ctx context.Context, m evidence.Machine, path string) (uint64, bool) {
	data, err := m.ReadFile(ctx, path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
	return n, err == nil
}
