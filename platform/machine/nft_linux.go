package machine

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/postern-zt/postern/posture/evidence"
)

// maxElements bounds how many elements of a set are told; of a longer one it
// is said that they are not all. maxAllElements bounds those of all sets.
const (
	maxElements    = 4096
	maxAllElements = 1 << 18
)

// askNFTables reads the ruleset over netlink, as evidence.AskNFTables describes
// it. Besides there are the sets and maps that rules look into; "partial" says
// of one that it has more elements than are told. A kernel without
// nf_tables has an empty ruleset; that is believed only of one that this user
// may ask, or that lists its modules.
func askNFTables(ctx context.Context) ([]byte, error) {
	const op = "ask nftables"
	if nftNotLoaded() {
		return nftDocument(nil)
	}
	var err error
	for range 3 {
		var list []any
		if list, err = nftRuleset(ctx); err == nil {
			return nftDocument(list)
		}
		if !errors.Is(err, errInterrupted) {
			break
		}
	}
	if errors.Is(err, errNoNFTables) && os.Geteuid() == 0 {
		return nftDocument(nil)
	}
	return nil, nftError(op, err)
}

// nftNotLoaded is true where the kernel says that nf_tables is neither loaded
// nor built in. To ask it all the same would load it.
func nftNotLoaded() bool {
	if _, err := os.Stat("/sys/module/nf_tables"); !errors.Is(err, os.ErrNotExist) {
		return false
	}
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	builtin, err := os.ReadFile("/lib/modules/" + unix.ByteSliceToString(u.Release[:]) + "/modules.builtin")
	if err != nil || strings.Contains(string(builtin), "/nf_tables.ko") {
		return false
	}
	loaded, err := os.ReadFile("/proc/modules")
	return err == nil && !strings.HasPrefix(string(loaded), "nf_tables ") && !strings.Contains(string(loaded), "\nnf_tables ")
}

func nftDocument(list []any) ([]byte, error) {
	all := append([]any{object{"metainfo": object{"json_schema_version": 1}}}, list...)
	data, err := json.Marshal(object{"nftables": all})
	if err == nil && len(data) > evidence.MaxFile {
		err = nftError("ask nftables", errTooLong)
	}
	return data, err
}

// object is a JSON object.
type object = map[string]any

// nftReader reads one state of the ruleset.
type nftReader struct {
	ctx  context.Context
	list []any
	sets map[setID]*nftSet
	// elems is how many elements were read.
	elems int
	err   error
}

type setID struct {
	family uint8
	table  string
	name   string
}

func nftRuleset(ctx context.Context) ([]any, error) {
	before, err := nftGeneration(ctx)
	if lacksNFTables(err) {
		return nil, errors.Join(errNoNFTables, err)
	}
	if err != nil {
		return nil, err
	}
	r := &nftReader{ctx: ctx, sets: map[setID]*nftSet{}}
	steps := []struct {
		kind uint16
		f    func(uint8, attributes) bool
	}{
		{unix.NFT_MSG_GETTABLE, r.table}, {unix.NFT_MSG_GETCHAIN, r.chain},
		{unix.NFT_MSG_GETSET, r.set}, {unix.NFT_MSG_GETRULE, r.rule},
	}
	for _, s := range steps {
		if err := errors.Join(nftDump(ctx, s.kind, s.f), r.err); err != nil {
			return nil, err
		}
	}
	after, err := nftGeneration(ctx)
	if err == nil && after != before {
		err = errInterrupted
	}
	return r.list, err
}

var errNoNFTables = errors.New("the kernel has no nf_tables")

// lacksNFTables is true of the errors with which a kernel answers that does
// not know netlink's netfilter family, or nf_tables in it.
func lacksNFTables(err error) bool {
	for _, e := range []unix.Errno{unix.EPROTONOSUPPORT, unix.EAFNOSUPPORT, unix.ENOPROTOOPT, unix.EOPNOTSUPP, unix.ENOENT, unix.EINVAL} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// nftFamily is a family by name; those that see no packets to this machine's
// own sockets by IP are left out.
func nftFamily(family uint8) (string, bool) {
	name, ok := map[uint8]string{unix.NFPROTO_INET: "inet", unix.NFPROTO_IPV4: "ip", unix.NFPROTO_IPV6: "ip6"}[family]
	return name, ok
}

func (r *nftReader) table(family uint8, a attributes) bool {
	if name, ok := nftFamily(family); ok {
		t := object{"family": name, "name": a.text(unix.NFTA_TABLE_NAME)}
		const dormant = 1 // NFT_TABLE_F_DORMANT
		if a.number(unix.NFTA_TABLE_FLAGS)&dormant != 0 {
			t["flags"] = "dormant"
		}
		r.list = append(r.list, object{"table": t})
	}
	return true
}

func (r *nftReader) chain(family uint8, a attributes) bool {
	name, ok := nftFamily(family)
	if !ok {
		return true
	}
	c := object{"family": name, "table": a.text(unix.NFTA_CHAIN_TABLE), "name": a.text(unix.NFTA_CHAIN_NAME)}
	if hook := a.get(unix.NFTA_CHAIN_HOOK); hook != nil {
		hooks := []string{"prerouting", "input", "forward", "output", "postrouting", "ingress"}
		if n := hook.number(unix.NFTA_HOOK_HOOKNUM); int(n) < len(hooks) {
			c["hook"] = hooks[n]
		}
		c["type"] = a.text(unix.NFTA_CHAIN_TYPE)
		c["prio"] = int32(hook.number(unix.NFTA_HOOK_PRIORITY))
		c["policy"] = "accept"
		if policy, ok := a.be32(unix.NFTA_CHAIN_POLICY); ok && policy == 0 { // NF_DROP
			c["policy"] = "drop"
		}
	}
	r.list = append(r.list, object{"chain": c})
	return true
}

func (r *nftReader) rule(family uint8, a attributes) bool {
	name, ok := nftFamily(family)
	if !ok {
		return true
	}
	t := &translation{reader: r, family: family, table: a.text(unix.NFTA_RULE_TABLE)}
	a.get(unix.NFTA_RULE_EXPRESSIONS).each(func(_ uint16, e []byte) bool {
		x := attributes(e)
		t.expression(x.text(unix.NFTA_EXPR_NAME), x.get(unix.NFTA_EXPR_DATA))
		return true
	})
	t.flush()
	expr := t.out
	if expr == nil {
		expr = []any{}
	}
	r.list = append(r.list, object{"rule": object{"family": name, "table": t.table, "chain": a.text(unix.NFTA_RULE_CHAIN), "expr": expr}})
	return r.err == nil
}
