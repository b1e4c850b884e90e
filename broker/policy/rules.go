package policy

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/posture/fact"
)

var (
	codeForm   = regexp.MustCompile(`^org/[a-z0-9][a-z0-9._-]{0,62}$`)
	targetForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)
)

// providers reads the identity providers.
func (f *file) providers(n *yaml.Node) []api.Provider {
	var out []api.Provider
	for i, item := range f.list(n, "providers") {
		where := at("providers", i)
		m := f.mapping(item, where, "issuer", "client_id", "scopes", "response_mode")
		if m == nil {
			continue
		}
		p := api.Provider{Scopes: []string{"openid"}}
		if v := f.need(item, m, where, "issuer"); v != nil {
			p.Issuer = f.issuer(v, where+".issuer")
		}
		p.ClientID = f.text(f.need(item, m, where, "client_id"), where+".client_id")
		if v := m["scopes"]; v != nil {
			p.Scopes = f.texts(v, where+".scopes")
			if !slices.Contains(p.Scopes, "openid") {
				f.bad(v, where+".scopes", "openid is missing (OpenID Connect Core 3.1.2.1)")
			}
		}
		if f.word(m["response_mode"], where+".response_mode", "auto", api.ResponseQuery) == api.ResponseQuery {
			p.ResponseMode = api.ResponseQuery
		}
		if p.Issuer != "" && slices.ContainsFunc(out, func(o api.Provider) bool { return o.Issuer == p.Issuer }) {
			f.bad(item, where, "issuer %s is there twice", p.Issuer)
		}
		out = append(out, p)
	}
	return out
}

// issuer reads an issuer identifier (OpenID Connect Discovery 1.0 section 3).
// Without TLS it must be a literal loopback address.
func (f *file) issuer(n *yaml.Node, where string) string {
	s := f.text(n, where)
	if s == "" {
		return ""
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		f.bad(n, where, "want an address such as https://login.example.com")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#"):
		f.bad(n, where, "an issuer has no user, query or fragment")
	case u.Scheme == "https":
		return s
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return s
	default:
		f.bad(n, where, "want https, or http on a literal loopback address such as 127.0.0.1")
	}
	return ""
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// checks reads the named rules in order.
func (f *file) checks(n *yaml.Node, s *schema) []*check {
	var out []*check
	pairs := f.pairs(n, "checks")
	if n.Kind == yaml.MappingNode && len(pairs) == 0 {
		f.bad(n, "checks", "it is empty")
	}
	for _, p := range pairs {
		where := "checks." + fact.Clip(p.name)
		if strings.TrimSpace(p.name) == "" || len(p.name) > 64 || strings.ContainsFunc(p.name, unicode.IsControl) {
			f.bad(p.key, where, "a name has 1 to 64 bytes and no control characters")
		}
		out = append(out, f.check(p, where, s))
	}
	return out
}

func (f *file) check(p pair, where string, s *schema) *check {
	c := &check{name: p.name}
	m := f.mapping(p.value, where, "expr", "code", "remedy", "unknown", "from", "enforce")
	if m == nil {
		return c
	}
	if n := f.need(p.value, m, where, "expr"); n != nil {
		c.expr = f.expr(n, where+".expr", s)
	}
	if n := f.need(p.value, m, where, "code"); n != nil {
		c.code = f.text(n, where+".code")
		if c.code != "" && !codeForm.MatchString(c.code) {
			f.bad(n, where+".code", "%q: want org/ and then lower-case letters, digits, dots and dashes", c.code)
		}
	}
	if n := m["remedy"]; n != nil {
		c.remedy = f.remedy(n, where+".remedy")
	}
	c.lenient = f.word(m["unknown"], where+".unknown", "fail", "pass") == "pass"
	c.report = f.word(m["enforce"], where+".enforce", "deny", "report") == "report"
	c.from = f.date(m["from"], where+".from")
	return c
}

func (f *file) remedy(n *yaml.Node, where string) api.Remedy {
	m := f.mapping(n, where, "text", "target")
	r := api.Remedy{Text: f.text(m["text"], where+".text"), Target: f.text(m["target"], where+".target")}
	if r.Target != "" && !targetForm.MatchString(r.Target) {
		f.bad(m["target"], where+".target", "want the id of a settings page: lower-case letters, digits, dots and dashes")
	}
	return r
}

// expr compiles a condition. The line of a problem is the line in the file
// when the condition is written plainly or as a literal block (|).
func (f *file) expr(n *yaml.Node, where string, s *schema) *expression {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" || strings.TrimSpace(n.Value) == "" {
		f.bad(n, where, "want an expression as text%s", aliasHint(n))
		return nil
	}
	e, problems := s.compile(n.Value)
	for _, p := range problems {
		line, place := n.Line, ""
		if n.Style&yaml.LiteralStyle != 0 {
			line += p.line
		}
		if p.column > 0 {
			place = fmt.Sprintf("column %d of the expression: ", p.column)
		}
		f.problems = append(f.problems, Problem{Line: line, Where: where, Text: place + p.text})
	}
	if e != nil {
		f.declared(n, where, e, f.document)
	}
	return e
}

// exceptions reads what suspends checks.
func (f *file) exceptions(n *yaml.Node, checks []*check) []Exception {
	var out []Exception
	for i, item := range f.list(n, "exceptions") {
		where := at("exceptions", i)
		m := f.mapping(item, where, "check", "device", "person", "until", "granted_by", "reason")
		if m == nil {
			continue
		}
		x := Exception{Device: f.text(m["device"], where+".device"), Person: f.text(m["person"], where+".person")}
		if (m["device"] == nil) == (m["person"] == nil) {
			f.bad(item, where, "want one of device and person")
		}
		x.Check = f.text(f.need(item, m, where, "check"), where+".check")
		if x.Check != "" && findCheck(checks, x.Check) == nil {
			f.bad(m["check"], where+".check", "there is no check %q", x.Check)
		}
		x.Until = f.date(f.need(item, m, where, "until"), where+".until")
		x.GrantedBy = f.text(f.need(item, m, where, "granted_by"), where+".granted_by")
		x.Reason = f.text(f.need(item, m, where, "reason"), where+".reason")
		out = append(out, x)
	}
	return out
}

func findCheck(checks []*check, name string) *check {
	for _, c := range checks {
		if c.name == name {
			return c
		}
	}
	return nil
}
