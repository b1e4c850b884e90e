package enrolment

import (
	"context"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// linux has no one place that says who manages a machine, so each known
// management service and directory is looked for. A machine on which none of
// them left anything is not enrolled: the signal is absent.
func linux(ctx context.Context, r *evidence.Reading) fact.Signal {
	m := r.Machine()
	portal := intune(ctx, m)
	mdm := strongest(fleet(ctx, m), landscape(ctx, m), portal)
	join := strongest(sssd(ctx, m), samba(ctx, m))
	if portal.entra && join.kind != complete {
		join = membershipFile{kind: registered, source: portal.source}
	}
	if mdm.kind == nothing && join.kind == nothing {
		return r.Conclude(fact.Absent, fact.ReasonNotFound)
	}
	mdm.management(r)
	join.membership(r)
	if portal.tenant != "" {
		r.Observe("tenant", "", fact.Str(portal.tenant))
	} else {
		r.Unknown("tenant", "", fact.ReasonNotFound)
	}
	return r.Signal(fact.ReasonUnsupported)
}

// kind is how much one place says, in the order in which places are preferred.
type kind int

const (
	nothing    kind = iota // looked, and it is not there
	configured             // it is set up, but nothing shows that it was ever accepted
	blocked                // it could not be read
	registered             // a person registered it with a tenant
	complete               // enrolled, or joined
)

// membershipFile is what the files of one service or directory say.
type membershipFile struct {
	kind    kind
	why     fact.Reason // of blocked and configured
	source  string
	address string // of the management server
	domain  string
	entra   bool // the tenant knows the machine
	tenant  string
}

func strongest(all ...membershipFile) membershipFile {
	var best membershipFile
	for _, f := range all {
		if f.kind > best.kind {
			best = f
		}
	}
	return best
}

func unreadable(err error) membershipFile {
	why := evidence.ReasonOf(err)
	if why == fact.ReasonNotFound {
		return membershipFile{}
	}
	return membershipFile{kind: blocked, why: why}
}

func (f membershipFile) management(r *evidence.Reading) {
	switch f.kind {
	case complete:
		r.From(f.source)
		r.Observe("mdm", "", fact.Bool(true))
		server(r, f.address, f.source)
		return
	case blocked, configured:
		r.Unknown("mdm", "", f.why)
	default:
		r.Finding("mdm", "", fact.Bool(false), fact.ReasonNotFound)
	}
	r.Unknown("mdm_server", "", fact.ReasonNotFound)
}

func (f membershipFile) membership(r *evidence.Reading) {
	domain := fact.ReasonNotFound
	switch f.kind {
	case complete:
		r.From(f.source)
		r.Observe("join", "", fact.Str(fact.JoinDomain))
		if f.domain != "" {
			r.Observe("domain", "", fact.Str(f.domain))
			return
		}
	case registered:
		r.From(f.source)
		r.Observe("join", "", fact.Str(fact.JoinRegistered))
	case configured:
		r.From(f.source)
		r.Finding("join", "", fact.Str(fact.JoinNone), f.why)
	case blocked:
		r.Unknown("join", "", f.why)
		domain = f.why
	default:
		r.Finding("join", "", fact.Str(fact.JoinNone), fact.ReasonNotFound)
	}
	r.Unknown("domain", "", domain)
}
