package netlab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// closed is a filter that drops what no rule names, for both IP versions.
const closed = `table inet closed {
	chain input { type filter hook input priority filter; policy drop; ct state established,related accept; iifname "lo" accept; }
}
`

// ruleset is one to try, with the facts that must come of it: enabled and
// default_inbound of IPv4, then of IPv6.
type ruleset struct{ name, want, rules string }

func rulesets() []ruleset {
	const head = "type filter hook input priority filter; policy "
	return []ruleset{
		{"drop policy", "true drop true drop", closed},
		{"accept and a final reject", "true reject true reject", `table inet t { chain input { ` + head + `accept; ct state established,related accept; tcp dport 22 accept; reject; }; }`},
		{"final reject with reset", "true reject true reject", `table inet t { chain input { ` + head + `drop; meta l4proto tcp reject with tcp reset; reject with icmpx host-unreachable; }; }`},
		{"tcp refused, udp dropped", "true reject true reject", `table inet t { chain input { ` + head + `drop; meta l4proto tcp reject with tcp reset; }; }`},
		{"tcp alone is filtered", "false accept false accept", `table inet t { chain input { ` + head + `accept; meta l4proto tcp drop; }; }`},
		{"docker only", "false accept false accept", `table ip filter {
	chain DOCKER { iifname != "docker0" oifname "docker0" ip daddr 172.17.0.2 tcp dport 80 accept; }
	chain FORWARD { type filter hook forward priority filter; policy drop; oifname "docker0" jump DOCKER; }
}
table ip nat { chain PREROUTING { type nat hook prerouting priority dstnat; policy accept; fib daddr type local accept; }; }`},
		{"empty chains", "false accept false accept", `table inet t { chain input { ` + head + `accept; }; chain forward { type filter hook forward priority filter; policy drop; }; chain unused { drop; }; }`},
		{"IPv4 only", "true drop false accept", `table ip t { chain input { ` + head + `drop; }; }`},
		{"IPv6 only", "false accept true drop", `table ip6 t { chain input { ` + head + `drop; }; }`},
		{"both, each its own", "true reject true drop", `table ip t { chain input { ` + head + `accept; reject; }; }
table ip6 t { chain input { ` + head + `drop; }; }`},
		{"inet that opens IPv6", "true drop false accept", `table inet t { chain input { ` + head + `drop; meta nfproto ipv6 accept; }; }`},
		{"sets", "true drop true drop", `table inet t {
	set friends { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.168.3.4 }; }
	set open { type inet_proto . inet_service; elements = { tcp . 22, udp . 53 }; }
	chain input { ` + head + `drop; ip saddr @friends accept; meta l4proto . th dport @open accept; tcp dport { 80, 443, 8000-8100 } accept; }
}`},
		{"a set that holds everybody", "false accept true drop", `table inet t {
	set everybody { type ipv4_addr; flags interval; elements = { 0.0.0.0/1, 128.0.0.0/1 }; }
	chain input { ` + head + `drop; ip saddr @everybody accept; }
}`},
		{"verdict maps", "true drop true drop", `table inet t {
	map services { type inet_proto . inet_service : verdict; elements = { tcp . 22 : accept, udp . 53 : accept }; }
	chain world { ct state vmap { established : accept, related : accept, invalid : drop }; meta l4proto . th dport vmap @services; }
	chain input { ` + head + `drop; iifname vmap { "lo" : accept, "nl0" : jump world }; }
}`},
		{"a verdict map that accepts new ones", "false accept false accept", `table inet t { chain input { ` + head + `drop; ct state vmap { established : accept, new : accept }; }; }`},
		{"many tables", "true drop true drop", `table inet early { chain input { type filter hook input priority -10; policy accept; accept; }; }
table inet late { chain input { type filter hook input priority 10; policy drop; }; }`},
		{"prerouting", "true drop true drop", `table inet t { chain pre { type filter hook prerouting priority raw; policy accept; iifname "lo" accept; fib daddr type local drop; }; }`},
		{"new ones dropped before they are tracked", "false accept false accept", `table inet t { chain pre { type filter hook prerouting priority raw; policy accept; ct state new drop; }; }`},
		{"new ones accepted before they are tracked", "true drop true drop", `table inet t { chain pre { type filter hook prerouting priority raw; policy drop; ct state new,established accept; }; }`},
		{"of the same priority, the newest first", "true drop true drop", `table inet a { chain input { ` + head + `accept; reject; }; }
table inet b { chain input { ` + head + `drop; }; }`},
		{"dormant", "false accept false accept", `table inet t { flags dormant; chain input { ` + head + `drop; }; }`},
		{"output only", "false accept false accept", `table inet t { chain output { type filter hook output priority filter; policy accept; tcp dport 25 drop; }; }`},
		{"limited", "false accept false accept", `table inet t { chain input { ` + head + `drop; limit rate 1000/second accept; }; }`},
	}
}

// shared are the rulesets that the collector's own tests are about. What
// becomes of connections has the last word on them here.
func shared(t *testing.T) []ruleset {
	t.Helper()
	const folder = "../../posture/firewall/testdata/rulesets"
	files, err := filepath.Glob(folder + "/*/rules.nft")
	if err != nil || len(files) == 0 {
		t.Fatalf("no rulesets in %s, %v", folder, err)
	}
	var out []ruleset
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		want, _ := strings.CutPrefix(first, "# want ")
		out = append(out, ruleset{"shared " + filepath.Base(filepath.Dir(f)), strings.ReplaceAll(want, "unknown", "?"), string(text)})
	}
	return out
}

// TestNFTables loads rulesets, takes each away or closes what it leaves open,
// and wants facts that follow and are true of connections every time.
func TestNFTables(t *testing.T) {
	t.Parallel()
	mine, inside := machines(t, 3)
	if !inside {
		return
	}
	h := newHost(t)
	for i, r := range append(rulesets(), shared(t)...) {
		if !mine.mine(i) {
			continue
		}
		h.load(r.name, r.rules)
		h.expect(r.name, r.want)
		// Versions of nft write another flag than dormant in JSON.
		h.agree(r.name, !strings.Contains(r.want, "?") && !strings.Contains(r.rules, "dormant"))
		if strings.Contains(r.want, "accept") {
			h.change(r.name+", closed", func() { do(t, closed, "nft", "-f", "-") })
			h.expect(r.name+", closed", "true drop true drop")
		}
		h.flush(r.name)
	}
}

// load puts a ruleset in the place of all others. An empty one tells of nothing.
func (h *host) load(name, rules string) {
	h.t.Helper()
	if !strings.Contains(rules, "table") {
		return
	}
	h.change(name, func() { do(h.t, rules, "nft", "-f", "-") })
}

// flush takes all rules away: then nothing is filtered.
func (h *host) flush(name string) {
	h.t.Helper()
	do(h.t, "", "nft", "flush", "ruleset")
	h.told(bound)
	h.reread()
	h.expect(name+", flushed", "false accept false accept")
}

// TestIPv6Off switches IPv6 off on every card: then a filter of IPv4 is one of
// all there is.
func TestIPv6Off(t *testing.T) {
	t.Parallel()
	if _, inside := machines(t, 1); !inside {
		return
	}
	h := newHost(t)
	h.change("IPv4 only", func() {
		do(t, "table ip t { chain c { type filter hook input priority 0; policy drop; }; }", "nft", "-f", "-")
	})
	h.expect("IPv6 is on", "true drop false accept")
	for _, card := range []string{"all", "default", "nl0"} {
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+card+"/disable_ipv6", []byte("1"), 0); err != nil {
			t.Fatal(err)
		}
	}
	s := h.reread()
	h.expect("IPv6 is off", "true drop - -")
	if enabled, active := show(s, "enabled", ""), show(s, "active", "ipv6"); enabled != "true" || active != "false" {
		t.Errorf("enabled is %s, active[ipv6] is %s", enabled, active)
	}
}
