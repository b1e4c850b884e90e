package policy

import (
	"net"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/postern-zt/postern/broker/api"
)

// maxSocketPath is the longest path of a Unix socket, without the final zero
// byte (unix(7), sockaddr_un).
const maxSocketPath = 107

var (
	idForm   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	openForm = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:(/([^/\\\s].*)?)?$`)
	hostForm = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?$`)
)

// apps reads the applications in order.
func (f *file) apps(n *yaml.Node, checks []*check) []*appRule {
	var out []*appRule
	for i, item := range f.list(n, "apps") {
		where := at("apps", i)
		m := f.mapping(item, where, "id", "name", "open", "gateway", "destinations", "ports", "primary", "groups",
			"checks", "posture", "max_age", "acr", "min_key_assurance", "outage_grace")
		if m == nil {
			continue
		}
		a := &appRule{}
		if v := f.need(item, m, where, "id"); v != nil {
			a.ID = f.text(v, where+".id")
			if a.ID != "" && !idForm.MatchString(a.ID) {
				f.bad(v, where+".id", "an id has 1 to 63 lower-case letters, digits and inner dashes")
			}
			if slices.ContainsFunc(out, func(o *appRule) bool { return a.ID != "" && o.ID == a.ID }) {
				f.bad(v, where+".id", "%q is there twice", a.ID)
			}
		}
		if a.ID != "" {
			where += "(" + a.ID + ")"
		}
		a.Name = f.text(f.need(item, m, where, "name"), where+".name")
		f.reach(a, item, m, where)
		f.demands(a, item, m, where, checks)
		out = append(out, a)
	}
	return out
}

// reach reads where an app is.
func (f *file) reach(a *appRule, n *yaml.Node, m map[string]*yaml.Node, where string) {
	a.Open, a.Gateway = "http:/", f.text(m["gateway"], where+".gateway")
	if v := m["open"]; v != nil {
		a.Open = f.text(v, where+".open")
		if a.Open != "" && !openForm.MatchString(a.Open) {
			f.bad(v, where+".open", "want a scheme and a path such as https:/ or http:/wiki")
		}
	}
	dest, ports := f.need(n, m, where, "destinations"), f.need(n, m, where, "ports")
	if dest == nil || ports == nil {
		return
	}
	for i, item := range f.list(ports, where+".ports") {
		p := f.port(item, at(where+".ports", i))
		if p != 0 && slices.Contains(a.Ports, p) {
			f.bad(item, at(where+".ports", i), "port %d is there twice", p)
		}
		a.Ports = append(a.Ports, p)
	}
	for i, item := range f.list(dest, where+".destinations") {
		a.Destinations = append(a.Destinations, f.destination(item, at(where+".destinations", i)))
	}
	if len(a.Destinations) != len(a.Ports) {
		f.bad(dest, where+".destinations", "%d destinations for %d ports; each port has its own destination", len(a.Destinations), len(a.Ports))
	}
	if len(a.Ports) > 0 {
		a.Primary = a.Ports[0]
	}
	if v := m["primary"]; v != nil {
		a.Primary = f.port(v, where+".primary")
		if a.Primary != 0 && !slices.Contains(a.Ports, a.Primary) {
			f.bad(v, where+".primary", "%d is not one of the ports", a.Primary)
		}
	}
}

// destination reads tcp:host:port or unix:/path.
func (f *file) destination(n *yaml.Node, where string) string {
	s := f.text(n, where)
	if s == "" {
		return ""
	}
	if file, ok := strings.CutPrefix(s, "unix:"); ok {
		if !path.IsAbs(file) || path.Clean(file) != file || file == "/" || len(file) > maxSocketPath {
			f.bad(n, where, "want unix: and a clean absolute path of at most %d bytes", maxSocketPath)
		}
		return s
	}
	rest, ok := strings.CutPrefix(s, "tcp:")
	if !ok {
		f.bad(n, where, "want tcp:host:port or unix:/path")
		return s
	}
	host, port, err := net.SplitHostPort(rest)
	number, badPort := strconv.Atoi(port)
	switch {
	case err != nil || !isHost(host):
		f.bad(n, where, "want tcp:host:port with a host name or address, an IPv6 address in brackets")
	case badPort != nil || number < 1 || number > 65535 || strconv.Itoa(number) != port:
		f.bad(n, where, "want a port from 1 to 65535")
	}
	return s
}

func isHost(s string) bool {
	if a, err := netip.ParseAddr(s); err == nil {
		return !a.IsUnspecified() && !a.IsMulticast()
	}
	return len(s) <= 253 && hostForm.MatchString(s)
}

// demands reads who may have an app and on which conditions.
func (f *file) demands(a *appRule, n *yaml.Node, m map[string]*yaml.Node, where string, checks []*check) {
	a.Groups = f.texts(m["groups"], where+".groups")
	a.Checks = f.texts(m["checks"], where+".checks")
	for i, name := range a.Checks {
		c := findCheck(checks, name)
		if c == nil {
			if name != "" {
				f.bad(m["checks"].Content[i], at(where+".checks", i), "there is no check %q", name)
			}
			continue
		}
		a.checks = append(a.checks, c)
	}
	a.NoPosture = m["posture"] != nil && f.word(m["posture"], where+".posture", "none") == "none"
	a.MaxAge = f.duration(m["max_age"], where+".max_age")
	switch {
	case m["posture"] != nil && m["checks"] != nil:
		f.bad(m["posture"], where, "it says posture: none and names checks; want one of them")
	case m["posture"] == nil && m["checks"] == nil:
		f.bad(n, where, "it names no checks; an app that is open whatever the device is like must say posture: none")
	case m["posture"] != nil && m["max_age"] != nil:
		f.bad(m["max_age"], where+".max_age", "without checks there is nothing that could be too old")
	}
	a.ACR = f.text(m["acr"], where+".acr")
	if v := m["min_key_assurance"]; v != nil {
		a.MinKeyAssurance = api.KeyAttested(f.word(v, where+".min_key_assurance", string(api.AttestedNone),
			string(api.AttestedEKTofu), string(api.AttestedEKChain), string(api.AttestedVerified)))
	}
	// The word is reserved (protocol, "Policy"); taking it and doing nothing
	// would let an administrator count on it.
	if n := m["outage_grace"]; n != nil {
		f.bad(n, where+".outage_grace", "this version does not lengthen leases while the broker is away; take the line out")
	}
}
