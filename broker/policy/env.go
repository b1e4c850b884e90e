package policy

import (
	"errors"
	"net/netip"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/postern-zt/postern/posture/fact"
)

// Limits of one expression.
const (
	maxExpr     = 4096   // characters
	maxNodes    = 1000   // nodes of the syntax tree
	maxNesting  = 50     // depth of the syntax tree
	maxEvalCost = 20_000 // cel-go cost units; ordinary rules cost 3 to 30
)

func newEnv(s *schema) (*cel.Env, error) {
	opts := []cel.EnvOption{
		cel.CustomTypeProvider(s),
		cel.ParserExpressionSizeLimit(maxExpr),
		cel.ExpressionNodeLimit(maxNodes),
		cel.ExpressionNestingDepthLimit(maxNesting),
		cel.ASTValidators(cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals()),
		cel.Function("versionAtLeast", cel.Overload("version_at_least_string_string",
			[]*cel.Type{cel.StringType, cel.StringType}, cel.BoolType, cel.BinaryBinding(versionAtLeast))),
		cel.Function("inIpRange", cel.Overload("in_ip_range_string_list",
			[]*cel.Type{cel.StringType, cel.ListType(cel.StringType)}, cel.BoolType, cel.BinaryBinding(inIPRange))),
	}
	for _, root := range roots() {
		opts = append(opts, cel.Variable(root, cel.ObjectType(typePrefix+root)))
	}
	return cel.NewEnv(opts...)
}

// program makes a compiled expression runnable, with unknowns and a cost limit.
func program(env *cel.Env, ast *cel.Ast) (cel.Program, error) {
	return env.Program(ast, programOptions()...)
}

func programOptions() []cel.ProgramOption {
	return []cel.ProgramOption{cel.EvalOptions(cel.OptPartialEval), cel.CostLimit(maxEvalCost)}
}

// versionAtLeast reports whether the first version is not below the second,
// in the order of fact.CompareVersions. An empty version is an error.
func versionAtLeast(have, want ref.Val) ref.Val {
	h, okH := have.(types.String)
	w, okW := want.(types.String)
	if !okH || !okW || h == "" || w == "" {
		return types.WrapErr(errors.New("versionAtLeast: want two versions"))
	}
	return types.Bool(fact.CompareVersions(string(h), string(w)) >= 0)
}

// inIPRange reports whether the address is in one of the ranges (CIDR
// prefixes or single addresses).
func inIPRange(ip, ranges ref.Val) ref.Val {
	s, okS := ip.(types.String)
	list, okL := ranges.(traits.Lister)
	if !okS || !okL {
		return types.WrapErr(errors.New("inIpRange: want an address and a list"))
	}
	addr, err := netip.ParseAddr(string(s))
	if err != nil {
		return types.WrapErr(errors.New("inIpRange: not an address"))
	}
	addr = addr.Unmap().WithZone("")
	found := false
	for it := list.Iterator(); it.HasNext() == types.True; {
		text, ok := it.Next().(types.String)
		if !ok {
			return types.WrapErr(errors.New("inIpRange: a range is not text"))
		}
		prefix, err := parseRange(string(text))
		if err != nil {
			return types.WrapErr(err)
		}
		found = found || prefix.Contains(addr)
	}
	return types.Bool(found)
}

// parseRange reads "192.0.2.0/24", "2001:db8::/32" or one address.
func parseRange(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err != nil || p.Addr().Is4In6() {
			return netip.Prefix{}, errors.New("not an address range such as 192.0.2.0/24")
		}
		return p, nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, errors.New("not an address or address range")
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), nil
}
