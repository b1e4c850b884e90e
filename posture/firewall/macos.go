package firewall

import (
	"context"
	"regexp"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// macos asks the application firewall for its state: 0 off, 1 on, 2 on and
// blocking everything that is not essential. In state 1 each program has its
// own answer, so that there is no one default for inbound traffic.
func macos(ctx context.Context, r *evidence.Reading) fact.Signal {
	out, err := r.Machine().Run(ctx, "socketfilterfw", "--getglobalstate")
	if err != nil {
		return r.Conclude(fact.Unknown, evidence.ReasonOf(err))
	}
	r.From("socketfilterfw --getglobalstate")
	switch parseGlobalState(string(out)) {
	case "0":
		return observe(r, fact.InboundAccept)
	case "1":
		r.Observe("enabled", "", fact.Bool(true))
		return r.Signal(fact.ReasonUnsupported)
	case "2":
		return observe(r, fact.InboundDrop)
	}
	return r.Conclude(fact.Unknown, fact.ReasonUnreadable)
}

// parseGlobalState finds the number in "(State = N)"; the words before it
// differ between versions.
func parseGlobalState(out string) string {
	found := regexp.MustCompile(`\(State = ([012])\)`).FindStringSubmatch(out)
	if found == nil {
		return ""
	}
	return found[1]
}
