package integrity

import (
	"context"
	"slices"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// Numbers of Win32_DeviceGuard (Microsoft, "Enable virtualization-based
// protection of code integrity", "Validate enabled features").
const (
	vbsOff        = 0 // VirtualizationBasedSecurityStatus: not enabled
	vbsConfigured = 1 // enabled and not running
	vbsRunning    = 2
	noService     = 0 // SecurityServicesRunning: none runs
	serviceCG     = 1 // Credential Guard
	serviceHVCI   = 2 // memory integrity
)

// deviceGuard reads what virtualisation-based security does now. What is
// configured is not what runs.
func deviceGuard(ctx context.Context, r *evidence.Reading) {
	const namespace, class = `root\Microsoft\Windows\DeviceGuard`, "Win32_DeviceGuard"
	m := r.Machine()
	rows, err := m.WMI(ctx, namespace, class)
	row, ok := single(rows)
	why := fact.ReasonMalformed
	switch {
	case err != nil:
		why = evidence.ReasonOf(err)
	case len(rows) == 0:
		why = fact.ReasonNotFound
	}
	if err != nil || !ok {
		configuredVBS(ctx, m, why).set(r, "vbs")
		r.Unknown("hvci", "", why)
		r.Unknown("credential_guard", "", why)
		return
	}
	status := vbsStatus(row)
	status.set(r, "vbs")
	for _, s := range []struct {
		field  string
		number int
	}{{"hvci", serviceHVCI}, {"credential_guard", serviceCG}} {
		a := runs(row, s.number)
		if a.is(true) && status.known() && status.value != fact.Str(fact.Running) {
			r.Conflict(s.field, "", fact.Bool(true), "SecurityServicesRunning", fact.Bool(false), "VirtualizationBasedSecurityStatus")
			continue
		}
		a.set(r, s.field)
	}
}

func vbsStatus(row evidence.Row) answer {
	const source = "Win32_DeviceGuard"
	n, ok := row.Number("VirtualizationBasedSecurityStatus")
	switch {
	case !ok:
		return unknown(fact.ReasonNotFound)
	case n == vbsOff:
		return known(fact.Str(fact.Disabled), source)
	case n == vbsConfigured:
		return known(fact.Str(fact.Configured), source).because(fact.ReasonNotRunning)
	case n == vbsRunning:
		return known(fact.Str(fact.Running), source)
	}
	return unknown(fact.ReasonMalformed)
}

// runs tells whether a service is among those that run.
func runs(row evidence.Row, service int) answer {
	const source = "Win32_DeviceGuard"
	list, whole, ok := services(row, "SecurityServicesRunning")
	switch {
	case !ok:
		return unknown(fact.ReasonNotFound)
	case slices.Contains(list, noService) && len(list) > 1:
		return unknown(fact.ReasonMalformed)
	case slices.Contains(list, service):
		return yesNo(true, source)
	case !whole:
		return unknown(fact.ReasonTruncated)
	}
	a := yesNo(false, source)
	if set, _, ok := services(row, "SecurityServicesConfigured"); ok && slices.Contains(set, service) {
		a = a.because(fact.ReasonNotRunning)
	}
	return a
}

// configuredVBS is what the registry says where the class cannot be asked: at
// most that it was switched on. A failure that may pass is not replaced, so
// that the last value can stand meanwhile.
func configuredVBS(ctx context.Context, m evidence.Machine, why fact.Reason) answer {
	const path = control + `\DeviceGuard`
	key, err := m.Registry(ctx, path)
	if n, ok := key.Number("EnableVirtualizationBasedSecurity"); err == nil && ok && n == 1 && !why.Transient() {
		return known(fact.Str(fact.Configured), path).because(why)
	}
	return unknown(why)
}
