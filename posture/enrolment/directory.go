package enrolment

import (
	"context"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const keytab = "/etc/krb5.keytab"

// sssd looks for a domain of Active Directory or FreeIPA that SSSD is set up
// for (sssd.conf(5), sssd-ad(5), sssd-ipa(5)) and for the machine's own key,
// which a join leaves (krb5.keytab). Accounts from an LDAP server alone are no
// membership.
func sssd(ctx context.Context, m evidence.Machine) membershipFile {
	const path = "/etc/sssd/sssd.conf"
	values, err := settings(ctx, m, path, "domains", "id_provider", "ad_domain", "ipa_domain", "krb5_keytab")
	if err != nil {
		return unreadable(err)
	}
	for _, name := range sssdDomains(values) {
		section := "domain/" + name
		provider := strings.ToLower(values.get(section, "id_provider"))
		if provider != "ad" && provider != "ipa" {
			continue
		}
		domain := first(values.get(section, provider+"_domain"), name)
		if !isHost(strings.ToLower(domain)) {
			domain = ""
		}
		return keyed(ctx, m, path, strings.ToLower(domain), first(values.get(section, "krb5_keytab"), keytab))
	}
	return membershipFile{}
}

// sssdDomains are the domains in use: those that are listed, or all where no
// list is there.
func sssdDomains(values ini) []string {
	var names []string
	for _, name := range strings.Split(values.get("sssd", "domains"), ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		return names
	}
	for _, section := range values.order {
		if name, ok := strings.CutPrefix(section, "domain/"); ok {
			names = append(names, name)
		}
	}
	return names
}

// samba looks for a machine that Samba's winbind joined to a domain (smb.conf(5),
// "security = ads" and "realm"). The workgroup of a machine that is in no
// domain stands in the same file and means nothing.
func samba(ctx context.Context, m evidence.Machine) membershipFile {
	const path, secrets = "/etc/samba/smb.conf", "/var/lib/samba/private/secrets.tdb"
	values, err := settings(ctx, m, path, "security", "realm", "server role")
	if err != nil {
		return unreadable(err)
	}
	realm := strings.ToLower(values.get("global", "realm"))
	ads := strings.EqualFold(values.get("global", "security"), "ads") || strings.EqualFold(values.get("global", "server role"), "member server")
	if !ads || realm == "" || !isHost(realm) {
		return membershipFile{}
	}
	f := keyed(ctx, m, path, realm, secrets)
	if f.kind == configured {
		f = keyed(ctx, m, path, realm, keytab)
	}
	return f
}

// keyed is a membership that counts once the machine has its key. Only that
// the key is there is looked at.
func keyed(ctx context.Context, m evidence.Machine, source, domain, key string) membershipFile {
	info, err := m.Stat(ctx, strings.TrimPrefix(key, "FILE:"))
	why := evidence.ReasonOf(err)
	switch {
	case err == nil && info.Size > 0:
		return membershipFile{kind: complete, source: source, domain: domain}
	case err == nil || why == fact.ReasonNotFound:
		return membershipFile{kind: configured, why: fact.ReasonNotRegistered, source: source}
	}
	return membershipFile{kind: blocked, why: why}
}
