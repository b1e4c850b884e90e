package patch

import (
	"context"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// windows looks for the registry keys whose presence means that servicing or
// the update agent waits for a restart. The time of the last update and the
// list of missing ones need the Windows Update Agent's COM interface, which a
// Machine does not offer.
func windows(ctx context.Context, r *evidence.Reading) {
	const servicing = `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing`
	const agent = `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update`
	pending := false
	for _, key := range []struct{ parent, child string }{{servicing, "RebootPending"}, {agent, "RebootRequired"}} {
		out, err := r.Machine().Run(ctx, "reg", "query", key.parent)
		if err != nil {
			r.Unknown("reboot_pending", "", evidence.ReasonOf(err))
			return
		}
		r.From(key.parent)
		pending = pending || hasSubkey(string(out), key.child)
	}
	r.Observe("reboot_pending", "", fact.Bool(pending))
}

// hasSubkey looks for the line "HKEY_…\child" of reg query's output.
func hasSubkey(out, child string) bool {
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "HKEY_") && strings.EqualFold(line[strings.LastIndexByte(line, '\\')+1:], child) {
			return true
		}
	}
	return false
}
