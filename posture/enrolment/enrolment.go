// Package enrolment reads who manages the machine and what it belongs to.
package enrolment

import (
	"context"
	"net/url"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// Collect reads device management and membership. That a management program
// is installed is no enrolment: only what the enrolment itself leaves counts.
func Collect(ctx context.Context, m evidence.Machine) fact.Signal {
	r := evidence.Begin(fact.SignalEnrolment, m)
	switch m.System() {
	case evidence.Linux:
		return linux(ctx, r)
	case evidence.Windows:
		return windows(ctx, r)
	case evidence.MacOS:
		return macos(ctx, r)
	}
	return r.Conclude(fact.Unknown, fact.ReasonUnsupported)
}

// answer is yes or no, from where, or why there is neither.
type answer struct {
	known, yes bool
	source     string
	why        fact.Reason
}

func yesNo(yes bool, source string) answer { return answer{known: true, yes: yes, source: source} }

func unknown(why fact.Reason) answer { return answer{why: why} }

func failed(err error) answer { return unknown(evidence.ReasonOf(err)) }

// observe sets a boolean fact from one source.
func (a answer) observe(r *evidence.Reading, field string) {
	if !a.known {
		r.Unknown(field, "", a.why)
		return
	}
	r.From(a.source)
	r.Observe(field, "", fact.Bool(a.yes))
}

// merged is what two sources say together; opposed tells that they disagree.
func merged(a, b answer) (both answer, opposed bool) {
	switch {
	case a.known && b.known:
		return a, a.yes != b.yes
	case a.known:
		return a, false
	case b.known:
		return b, false
	case a.why == fact.ReasonNotFound || a.why == fact.ReasonUnsupported || a.why == fact.ReasonToolMissing || a.why == "":
		return b, false
	}
	return a, false
}

// serverHost is the host name in the address of a management server.
func serverHost(address string) (string, bool) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return "", false
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	return host, isHost(host)
}

// isHost is strict about what travels as the name of a server: letters,
// digits, dots and dashes, or an IPv6 address.
func isHost(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune(".-:_", c) {
			return false
		}
	}
	return true
}

// server sets the name of the management server from its address.
func server(r *evidence.Reading, address, source string) {
	host, ok := serverHost(address)
	switch {
	case address == "":
		r.Unknown("mdm_server", "", fact.ReasonNotFound)
	case !ok:
		r.Unknown("mdm_server", "", fact.ReasonMalformed)
	default:
		r.From(source)
		r.Observe("mdm_server", "", fact.Str(host))
	}
}

// isGUID is true of an identifier such as a tenant's, without braces.
func isGUID(s string) bool {
	if len(s) != 36 || strings.Trim(s, "0-") == "" {
		return false
	}
	for i, c := range []byte(strings.ToLower(s)) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		hex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f'
		if dash != (c == '-') || !dash && !hex {
			return false
		}
	}
	return true
}
