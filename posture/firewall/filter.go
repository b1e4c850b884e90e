package firewall

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// filter gathers the rules in force from the sources there are.
type filter struct {
	ctx    context.Context
	r      *evidence.Reading
	rules  *ruleset
	native bool                   // the rules of nftables are among them
	why    fact.Reason            // why they are not
	holes  map[string]fact.Reason // by family: why something may be missing
}

// newFilter reads nftables: the kernel's own answer, or what a recording holds
// of nft. Where there is neither, iptables-save has to do.
func newFilter(ctx context.Context, r *evidence.Reading) *filter {
	f := &filter{ctx: ctx, r: r, rules: newRuleset(), holes: map[string]fact.Reason{}}
	rules, why := readNFT(ctx, r)
	switch {
	case rules != nil:
		f.rules, f.native = rules, true
	case kernelLacksNFTables(ctx, r):
		f.native = true
	default:
		f.why = why
	}
	for _, v := range ipVersions() {
		if !f.native {
			f.holes[v.family] = f.fromIPTables(v)
		}
		if why := f.addLegacy(v); why != "" {
			f.holes[v.family] = why
		}
	}
	return f
}

// evaluate finds what becomes of packets of one IP version.
func (f *filter) evaluate(v ipVersion) finding {
	one := finding{f.rules.inbound(v.family), f.holes[v.family]}
	if f.native && !one.exact() && f.rules.compat(v.family) && f.explain(v) {
		one.result = f.rules.inbound(v.family)
	}
	return one
}

// exact is true where nothing more has to be asked.
func (f finding) exact() bool {
	_, certain := f.filtered()
	_, word := f.word()
	return certain && word
}

// readNFT reads nftables from the first source that answers. Where this user
// may not look, or the system is slow, another program fares no better.
func readNFT(ctx context.Context, r *evidence.Reading) (*ruleset, fact.Reason) {
	m := r.Machine()
	sources := []struct {
		name  string
		read  func() ([]byte, error)
		parse func([]byte) (*ruleset, error)
	}{
		{"nftables over netlink", func() ([]byte, error) { return m.Ask(ctx, evidence.AskNFTables) }, parseNFTJSON},
		{"nft -j list ruleset", func() ([]byte, error) { return output(ctx, m, "nft", "-j", "list", "ruleset") }, parseNFTJSON},
		{"nft list ruleset", func() ([]byte, error) { return output(ctx, m, "nft", "list", "ruleset") },
			func(data []byte) (*ruleset, error) { return parseNFTText(string(data)) }},
	}
	var why fact.Reason
	for _, s := range sources {
		data, err := s.read()
		if err == nil {
			r.From(s.name)
			var rules *ruleset
			if rules, err = s.parse(data); err == nil {
				return rules, ""
			}
			why = fact.ReasonUnreadable
			continue
		}
		reason := evidence.ReasonOf(err)
		if why == "" || why == fact.ReasonUnsupported || reason == fact.ReasonNeedsPrivilege {
			why = reason
		}
		if final(reason) {
			break
		}
	}
	return nil, why
}

// final is true of reasons that another way of asking does not change.
func final(why fact.Reason) bool {
	return why == fact.ReasonNeedsPrivilege || why == fact.ReasonTimeout || why == fact.ReasonBusy || why == fact.ReasonRefused
}

// refused tells a source that is there and did not tell from one that is not
// there: what it could have contradicted is then not known.
func refused(why fact.Reason) bool { return final(why) || why == fact.ReasonUnreadable }

// output runs a command. One that prints nothing but a complaint has not
// answered, whatever code it ends with.
func output(ctx context.Context, m evidence.Machine, name string, args ...string) ([]byte, error) {
	out, err := m.Run(ctx, name, args...)
	if err != nil {
		return nil, err
	}
	if out.Code != 0 || len(strings.TrimSpace(string(out.Stdout))) == 0 && len(strings.TrimSpace(string(out.Stderr))) > 0 {
		return nil, evidence.Failure(name, out)
	}
	return out.Stdout, nil
}

// fromIPTables takes iptables' own listing for the whole of the rules, where
// nftables could not be read. The empty reason means that it could be read.
func (f *filter) fromIPTables(v ipVersion) fact.Reason {
	if final(f.why) || f.why == fact.ReasonUnreadable {
		return f.why
	}
	list := []struct{ line, form string }{
		{v.save + "-save", "save"}, {v.save + " -S", "save"},
		{v.save + " -nvL", "list"}, {v.save + " -L -n -v", "list"}, {v.save + " -L -v -n", "list"}, {v.save + " -nL", "list"},
		{v.save + " -L -n", "list"}, {v.save + " -L", "list"},
	}
	why := f.why
	for _, source := range list {
		words := strings.Fields(source.line)
		data, err := output(f.ctx, f.r.Machine(), words[0], words[1:]...)
		if err != nil {
			reason := evidence.ReasonOf(err)
			if final(reason) {
				return reason
			}
			if why == fact.ReasonUnsupported {
				why = reason
			}
			continue
		}
		f.r.From(source.line)
		text := string(data)
		rules, err := parseIPList(text, v.family)
		if source.form == "save" {
			rules, err = parseIPTables(text, v.family, false)
		}
		if err != nil || incompatible(text) {
			return fact.ReasonUnreadable
		}
		f.rules.add(rules)
		if strings.Contains(text, "legacy tables present") && f.legacyNames(v) == nil {
			return fact.ReasonToolMissing
		}
		return ""
	}
	return why
}

// incompatible is true where iptables says that it cannot show everything.
func incompatible(text string) bool { return strings.Contains(text, "is incompatible, use 'nft' tool") }

// addLegacy adds the legacy tables of iptables, where there are any.
func (f *filter) addLegacy(v ipVersion) fact.Reason {
	data, err := f.r.Machine().ReadFile(f.ctx, v.names)
	if why := evidence.ReasonOf(err); err != nil {
		if why == fact.ReasonNotFound { // its module is not loaded
			return ""
		}
		return why
	}
	f.r.From(v.names)
	if len(strings.Fields(string(data))) == 0 {
		return ""
	}
	text, err := output(f.ctx, f.r.Machine(), v.legacySave)
	if err != nil {
		return evidence.ReasonOf(err)
	}
	rules, err := parseIPTables(string(text), v.family, true)
	if err != nil {
		return fact.ReasonUnreadable
	}
	f.r.From(v.legacySave)
	f.rules.add(rules)
	return ""
}

func (f *filter) legacyNames(v ipVersion) []string {
	data, err := f.r.Machine().ReadFile(f.ctx, v.names)
	if err != nil {
		return nil
	}
	return strings.Fields(string(data))
}

// compat is true where iptables keeps tables of this family in nftables, with
// extensions that only it can show.
func (r *ruleset) compat(family string) bool {
	return slices.ContainsFunc(r.tables, func(t *table) bool { return t.compat && t.id.family == family })
}

// explain reads the tables that iptables keeps in nftables once more from
// iptables itself, which knows its own extensions. They are taken only where
// they are the same tables: as many rules in the same chains.
func (f *filter) explain(v ipVersion) bool {
	for _, name := range []string{v.save + "-nft-save", v.save + "-save"} {
		text, err := output(f.ctx, f.r.Machine(), name)
		if err != nil {
			continue
		}
		rules, err := parseIPTables(string(text), v.family, false)
		if err != nil {
			continue
		}
		same := newRuleset()
		for _, t := range rules.tables {
			if old, ok := f.rules.index[t.id]; ok && old.shape() == t.shape() {
				t.dormant = old.dormant
				same.tables = append(same.tables, t)
			}
		}
		if len(same.tables) > 0 {
			f.r.From(name)
			f.rules.add(same)
			return true
		}
	}
	return false
}

// shape tells tables apart by how many rules each chain has.
func (t *table) shape() string {
	var b strings.Builder
	for _, name := range sortedChains(t) {
		if n := len(t.chains[name].rules); n > 0 {
			fmt.Fprintf(&b, "%s %d\n", name, n)
		}
	}
	return b.String()
}

// kernelLacksNFTables is true only when the module is neither loaded nor built
// into the running kernel, and both lists could be read (modules(5) of kmod).
func kernelLacksNFTables(ctx context.Context, r *evidence.Reading) bool {
	m := r.Machine()
	loaded, err := m.ReadFile(ctx, "/proc/modules")
	if err != nil {
		return false
	}
	release, err := m.ReadFile(ctx, "/proc/sys/kernel/osrelease")
	if err != nil {
		return false
	}
	list := "/lib/modules/" + strings.TrimSpace(string(release)) + "/modules.builtin"
	builtin, err := m.ReadFile(ctx, list)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(loaded)) {
		if strings.HasPrefix(line, "nf_tables ") {
			return false
		}
	}
	if strings.Contains(string(builtin), "/nf_tables.ko") {
		return false
	}
	r.From("/proc/modules")
	r.From(list)
	return true
}
