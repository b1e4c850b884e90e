package enrolment

import (
	"context"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// Where Windows keeps that it is joined to a tenant, and its enrolments in
// device management.
const (
	cloudDomainJoin = `HKLM\SYSTEM\CurrentControlSet\Control\CloudDomainJoin`
	enrollments     = `HKLM\SOFTWARE\Microsoft\Enrollments`
)

// cloudJoin is what the registry says of a join to a tenant.
type cloudJoin struct {
	joined answer
	tenant string
}

// readCloudJoin looks at JoinInfo, which holds one key per join. The key above
// it being there without JoinInfo is a machine that is not joined.
func readCloudJoin(ctx context.Context, m evidence.Machine) cloudJoin {
	above, err := m.Registry(ctx, cloudDomainJoin)
	if err != nil {
		return cloudJoin{joined: failed(err)}
	}
	const info = cloudDomainJoin + `\JoinInfo`
	if !slices.ContainsFunc(above.Keys, func(k string) bool { return strings.EqualFold(k, "JoinInfo") }) {
		return cloudJoin{joined: yesNo(false, cloudDomainJoin)}
	}
	joins, err := m.Registry(ctx, info)
	if err != nil {
		return cloudJoin{joined: failed(err)}
	}
	for _, name := range joins.Keys {
		one, err := m.Registry(ctx, info+`\`+name)
		if err != nil {
			return cloudJoin{joined: failed(err)}
		}
		if tenant, _ := one.Text("TenantId"); isGUID(tenant) {
			return cloudJoin{joined: yesNo(true, info), tenant: tenant}
		}
	}
	return cloudJoin{joined: yesNo(false, info)}
}

// membership is everything that was said about what the machine belongs to.
type membership struct {
	ask       joined
	key       cloudJoin
	cmd       dsreg
	domain    answer
	noCommand fact.Reason // why dsregcmd said nothing
}

func (s membership) report(r *evidence.Reading) {
	s.join(r)
	s.names(r)
	tpm, auth := s.cmd.flag("TpmProtected"), s.cmd.deviceAuth()
	if len(s.cmd) == 0 {
		tpm, auth = unknown(s.noCommand), unknown(s.noCommand)
	}
	tpm.observe(r, "key_in_tpm")
	auth.observe(r, "device_auth")
}

// join decides from the three questions: is it in a domain, in a tenant, and
// has a person registered it. Each source that disagrees makes the whole a
// conflict.
func (s membership) join(r *evidence.Reading) {
	domain, a := merged(s.domain, s.cmd.flag("DomainJoined"))
	cloud, b := merged(s.ask.cloud, s.key.joined)
	cloud2, c := merged(cloud, s.cmd.flag("AzureAdJoined"))
	registered, _ := merged(s.ask.registered, s.cmd.flag("WorkplaceJoined"))
	switch {
	case a || b || c:
		one := word(domain.yes, cloud2.yes, registered.yes)
		other := word(domain.yes != a, cloud2.yes != (b || c), registered.yes)
		r.Conflict("join", "", fact.Str(one), first(domain.source, cloud2.source), fact.Str(other), dsregSource+" or registry")
	case !domain.known:
		r.Unknown("join", "", domain.why)
	case !cloud2.known && !domain.yes:
		r.Unknown("join", "", cloud2.why)
	default:
		// In a domain and the tenant not known: at least the domain is true.
		r.From(domain.source)
		if cloud2.known {
			r.From(cloud2.source)
		}
		r.Observe("join", "", fact.Str(word(domain.yes, cloud2.yes, registered.yes)))
	}
}

func first(names ...string) string {
	for _, n := range names {
		if n != "" {
			return n
		}
	}
	return ""
}

func word(domain, cloud, registered bool) string {
	switch {
	case domain && cloud:
		return fact.JoinHybrid
	case cloud:
		return fact.JoinCloud
	case domain:
		return fact.JoinDomain
	case registered:
		return fact.JoinRegistered
	}
	return fact.JoinNone
}

// names sets domain and tenant. The sources write the same domain in its short
// or its long form, so only the tenants are compared.
func (s membership) names(r *evidence.Reading) {
	name := s.ask.domainName
	if name == "" && s.cmd.flag("DomainJoined").yes {
		name = s.cmd["domainname"]
	}
	domain, _ := merged(s.domain, s.cmd.flag("DomainJoined"))
	switch {
	case name != "":
		r.Observe("domain", "", fact.Str(strings.ToLower(name)))
	case domain.known:
		r.Unknown("domain", "", fact.ReasonNotFound)
	default:
		r.Unknown("domain", "", domain.why)
	}
	var ids, sources []string
	for _, t := range [][2]string{{s.ask.tenant, "NetGetAadJoinInformation"}, {s.key.tenant, cloudDomainJoin}, {s.cmd["tenantid"], dsregSource}, {s.cmd["workplacetenantid"], dsregSource}} {
		if id := strings.ToLower(t[0]); isGUID(id) && (len(ids) == 0 || t[0] != s.cmd["workplacetenantid"]) {
			ids, sources = append(ids, id), append(sources, t[1])
		}
	}
	if len(ids) == 0 {
		r.Unknown("tenant", "", fact.ReasonNotFound)
		return
	}
	for i, id := range ids {
		if id != ids[0] {
			r.Conflict("tenant", "", fact.Str(ids[0]), sources[0], fact.Str(id), sources[i])
			return
		}
	}
	r.From(sources[0])
	r.Observe("tenant", "", fact.Str(ids[0]))
}

// management decides whether the machine is enrolled, from the system's own
// answer and from its registry.
func management(ctx context.Context, r *evidence.Reading, ask joined) {
	kept, address := readEnrollments(ctx, r.Machine())
	mdm, opposed := merged(ask.mdm, kept)
	if opposed {
		r.Conflict("mdm", "", fact.Bool(ask.mdm.yes), ask.mdm.source, fact.Bool(kept.yes), kept.source)
	} else {
		mdm.observe(r, "mdm")
	}
	server(r, address, enrollments)
}

// readEnrollments looks for an enrolment that is complete: EnrollmentState 1,
// with the provider, and with a person or a service. Windows keeps keys of
// providers of its own there that have neither.
func readEnrollments(ctx context.Context, m evidence.Machine) (enrolled answer, address string) {
	all, err := m.Registry(ctx, enrollments)
	if err != nil {
		return failed(err), ""
	}
	enrolled = yesNo(false, enrollments)
	for _, name := range all.Keys {
		if !isGUID(strings.Trim(name, "{}")) {
			continue
		}
		key, err := m.Registry(ctx, enrollments+`\`+name)
		if err != nil {
			return failed(err), ""
		}
		state, _ := key.Number("EnrollmentState")
		provider, _ := key.Text("ProviderID")
		service, _ := key.Text("DiscoveryServiceFullURL")
		person, _ := key.Text("UPN")
		if state != 1 || provider == "" || service == "" && person == "" {
			continue
		}
		enrolled.yes = true
		if address == "" || strings.EqualFold(provider, "MS DM Server") {
			address = first(service, address)
		}
	}
	return enrolled, address
}
