package netlab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// emptyTables are tables of iptables that let everything through.
const emptyTables = "*raw\n:PREROUTING ACCEPT\nCOMMIT\n*mangle\n:PREROUTING ACCEPT\n:INPUT ACCEPT\nCOMMIT\n*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\nCOMMIT\n"

// tables are those of iptables to try, for each IP version; one without any is
// left open.
type tables struct{ name, want, four, six string }

// input is a filter table with this policy and these rules.
func input(policy string, rules ...string) string {
	text := "*filter\n:INPUT " + policy + "\n:own - [0:0]\n"
	for _, r := range rules {
		if !strings.HasPrefix(r, "-A") {
			r = "-A INPUT " + r
		}
		text += r + "\n"
	}
	return text + "COMMIT\n"
}

// same4and6 are the same tables for both IP versions.
func same4and6(name, want, text string) tables { return tables{name, want + " " + want, text, text} }

func iptables() []tables {
	return []tables{
		same4and6("drop policy", "true drop", input("DROP", "-i lo -j ACCEPT", "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")),
		{"final reject of IPv4 alone", "true reject false accept", input("ACCEPT", "-m state --state RELATED,ESTABLISHED -j ACCEPT", "-p icmp -j ACCEPT", "-p tcp -m tcp --dport 22 -j ACCEPT", "-j REJECT --reject-with icmp-host-prohibited"), ""},
		{"IPv6 alone", "false accept true drop", "", input("DROP")},
		same4and6("new ones accepted", "false accept", input("DROP", "-m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT")),
		same4and6("new ones accepted by state", "false accept", input("DROP", "-m state --state NEW -j ACCEPT")),
		same4and6("invalid ones accepted", "true drop", input("DROP", "-m conntrack --ctstate INVALID,UNTRACKED -j ACCEPT")),
		same4and6("not established ones dropped", "true drop", input("ACCEPT", "-m conntrack ! --ctstate ESTABLISHED,RELATED -j DROP")),
		same4and6("every port", "false accept", input("DROP", "-p tcp -m tcp --dport 0:65535 -j ACCEPT")),
		same4and6("some ports", "true drop", input("DROP", "-p tcp -m multiport --dports 22,80,8000:9000 -j ACCEPT", "-p udp -m udp --dport 1024:65535 -j ACCEPT")),
		same4and6("all but some ports", "false accept", input("DROP", "-p tcp -m multiport ! --dports 25,53 -j ACCEPT")),
		same4and6("a chain of its own", "true reject", input("ACCEPT", "-j own", "-A own -i lo -j RETURN", "-A own -p tcp -m tcp --dport 22 -j ACCEPT", "-A own -j REJECT")),
		same4and6("a chain that returns", "false accept", input("ACCEPT", "-j own", "-A own -j RETURN", "-A own -j DROP")),
		same4and6("goto", "true drop", input("DROP", "-g own", "-j ACCEPT", "-A own -p tcp -m tcp --dport 80 -j ACCEPT")),
		same4and6("everything but loopback", "false accept", input("DROP", "! -i lo -j ACCEPT")),
		same4and6("everything but one card", "true drop", input("ACCEPT", "! -i eth7 -j DROP")),
		{"half of all addresses", "false accept true drop", input("DROP", "-s 128.0.0.0/1 -j ACCEPT"), input("DROP", "-s 2001:db8::/32 -j ACCEPT")},
		same4and6("tcp alone", "false accept", input("ACCEPT", "-p tcp -m tcp --syn -j DROP")),
		same4and6("tcp is told, udp is not", "true reject", input("DROP", "-p tcp -j REJECT --reject-with tcp-reset")),
		same4and6("own address", "false accept", input("DROP", "-m addrtype --dst-type LOCAL -j ACCEPT")),
		{"groups", "true drop true drop", input("DROP", "-m addrtype --dst-type BROADCAST,MULTICAST -j ACCEPT", "-d 224.0.0.251/32 -j ACCEPT"), input("DROP", "-m pkttype --pkt-type multicast -j ACCEPT")},
		same4and6("limits", "false accept", input("DROP", "-m limit --limit 1000/sec --limit-burst 1000 -j ACCEPT")),
		same4and6("too many", "false accept", input("ACCEPT", "-m limit --limit 3/min -j LOG", "-m hashlimit --hashlimit-above 1000/sec --hashlimit-name netlab -j DROP")),
		same4and6("a mark that nobody sets", "true drop", input("DROP", "-m mark --mark 0x1 -j ACCEPT", "-m connmark --mark 0x10/0xff -j ACCEPT")),
		same4and6("no mark", "false accept", input("DROP", "-m mark --mark 0x0 -j ACCEPT")),
		same4and6("raw", "true drop", "*raw\n:PREROUTING ACCEPT\n-A PREROUTING ! -i lo -j DROP\nCOMMIT\n"),
		same4and6("raw, new ones dropped before they are tracked", "false accept", "*raw\n:PREROUTING ACCEPT\n-A PREROUTING -m conntrack --ctstate NEW -j DROP\nCOMMIT\n"),
		same4and6("raw, all but new ones dropped", "true drop", "*raw\n:PREROUTING ACCEPT\n-A PREROUTING -m conntrack ! --ctstate NEW -j DROP\nCOMMIT\n"),
		same4and6("type of service 0", "? ?", input("DROP", "-m tos --tos 0x00/0xff -j ACCEPT")),
		same4and6("mangle", "true drop", "*mangle\n:INPUT DROP\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n"),
		same4and6("forwarding alone", "false accept", "*filter\n:INPUT ACCEPT\n:FORWARD DROP\nCOMMIT\n"),
		same4and6("a comment", "true drop", input("ACCEPT", `-m comment --comment "a \"word\" -j ACCEPT" -j DROP`)),
		same4and6("left to a program", "? ?", input("ACCEPT", "-j NFQUEUE --queue-num 7")),
		same4and6("by length", "? ?", input("DROP", "-m length --length 0:1500 -j ACCEPT")),
	}
}

// sharedTables are those that the collector's own tests are about.
func sharedTables(t *testing.T) []tables {
	t.Helper()
	const folder = "../../posture/firewall/testdata/rulesets"
	files, err := filepath.Glob(folder + "/*/rules.v4")
	if err != nil || len(files) == 0 {
		t.Fatalf("no rules in %s, %v", folder, err)
	}
	var out []tables
	for _, f := range files {
		four, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		six, err := os.ReadFile(filepath.Join(filepath.Dir(f), "six.v6"))
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(four), "\n")
		want, _ := strings.CutPrefix(first, "# want ")
		out = append(out, tables{"shared " + filepath.Base(filepath.Dir(f)), strings.ReplaceAll(want, "unknown", "?"), string(four), string(six)})
	}
	return out
}

// restore loads tables with iptables-nft or iptables-legacy.
func restore(t *testing.T, backend, four, six string) {
	t.Helper()
	do(t, four, "iptables-"+backend+"-restore")
	do(t, six, "ip6tables-"+backend+"-restore")
}

// TestIPTables does with iptables what TestNFTables does with nft.
func TestIPTables(t *testing.T) {
	t.Parallel()
	mine, inside := machines(t, 2)
	if !inside {
		return
	}
	h := newHost(t)
	for i, r := range append(iptables(), sharedTables(t)...) {
		if !mine.mine(i) {
			continue
		}
		h.change(r.name, func() { restore(t, "nft", emptyTables+r.four, emptyTables+r.six) })
		h.expect(r.name, r.want)
		h.agree(r.name, false)
		h.managed(r.name, r.want, "iptables")
		h.change(r.name+", closed", func() { restore(t, "nft", input("DROP"), input("DROP")) })
		h.expect(r.name+", closed", "true drop true drop")
		h.flush(r.name)
	}
}

// managed wants who sets the rules named, where they do filter.
func (h *host) managed(what, verdicts, manager string) {
	h.t.Helper()
	if strings.Contains(what, "ufw") {
		manager = "ufw"
	}
	if got := show(h.last(), "manager", ""); strings.Contains(verdicts, "true") && got != manager {
		h.t.Errorf("%s: the manager is %s, want %s", what, got, manager)
	}
}

// TestIPTablesLegacy does the same with the kernel's older tables. Of them the
// kernel tells nobody; the facts follow when they are read next.
func TestIPTablesLegacy(t *testing.T) {
	t.Parallel()
	mine, inside := machines(t, 2)
	if !inside {
		return
	}
	h := newHost(t)
	if out, err := try(t.Context(), emptyTables, "iptables-legacy-restore"); err != nil {
		t.Logf("not tried: this kernel or system has no legacy tables of iptables: %s", strings.TrimSpace(out))
		return
	}
	h.reread()
	h.expect("tables without rules", "false accept false accept")
	for i, r := range append(iptables(), sharedTables(t)...) {
		if !mine.mine(i) {
			continue
		}
		restore(t, "legacy", emptyTables+r.four, emptyTables+r.six)
		if _, told := h.told(30 * time.Millisecond); told {
			t.Logf("%s: this kernel tells of legacy tables", r.name)
		}
		h.reread()
		h.expect(r.name, r.want)
		h.managed(r.name, r.want, "iptables")
		restore(t, "legacy", emptyTables, emptyTables)
		h.reread()
		h.expect(r.name+", taken back", "false accept false accept")
	}
	// Both kinds of tables are in force: what one refuses is refused.
	restore(t, "legacy", input("DROP"), emptyTables)
	h.change("beside nftables", func() {
		do(t, "table ip6 t { chain c { type filter hook input priority 0; policy drop; }; }", "nft", "-f", "-")
	})
	h.expect("legacy for IPv4, nftables for IPv6", "true drop true drop")
	if got := show(h.last(), "manager", ""); got != "iptables, nftables" {
		t.Errorf("the manager is %s", got)
	}
}
