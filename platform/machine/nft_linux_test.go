package machine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/postern-zt/postern/platform/osexec"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// inOwnNetwork runs f on a thread with a network, and so a ruleset, of its own.
// The test needs root, as reading a ruleset does, and nft and iptables.
func inOwnNetwork(t testing.TB, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends here
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatalf("a network of our own: %v", err)
	}
}

func tool(t testing.TB, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	out, err := osexec.List{name: {"/usr/sbin/" + name, "/sbin/" + name, "/usr/bin/" + name}}.Run(ctx, name, args...)
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	return string(out.Stdout)
}

// rulesetFolder is where the rulesets lie that the collector is tested with.
func rulesetFolder(t testing.TB) string {
	t.Helper()
	path, err := filepath.Abs("../../posture/firewall/testdata/rulesets")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// listing is what both nft and askNFTables tell: tables, base chains with what
// makes them so, and how many rules each chain has.
type listing struct {
	tables, chains []string
	rules          map[string]int
	unknown        int
}

func list(t testing.TB, data []byte) listing {
	t.Helper()
	var doc struct {
		Objects []map[string]map[string]any `json:"nftables"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	out := listing{rules: map[string]int{}, unknown: strings.Count(string(data), `"unknown"`)}
	for _, o := range doc.Objects {
		for kind, v := range o {
			family, _ := v["family"].(string)
			if family != "" && family != "inet" && family != "ip" && family != "ip6" {
				continue
			}
			line, _ := json.Marshal([]any{family, v["table"], v["name"], v["type"], v["hook"], v["prio"], v["policy"]})
			switch kind {
			case "table":
				out.tables = append(out.tables, string(line))
			case "chain":
				out.chains = append(out.chains, string(line))
			case "rule":
				where, _ := json.Marshal([]any{family, v["table"], v["chain"]})
				out.rules[string(where)]++
			}
		}
	}
	slices.Sort(out.tables)
	slices.Sort(out.chains)
	return out
}

// Every ruleset is told whole: as nft lists it, and without anything that was
// not translated but for what the name says.
func TestNFTablesAreToldWhole(t *testing.T) {
	rulesets, err := filepath.Glob(filepath.Join(rulesetFolder(t), "*", "rules.*"))
	if err != nil || len(rulesets) < 15 {
		t.Fatalf("%d rulesets, %v", len(rulesets), err)
	}
	// An ICMP type is not named, since only TCP and UDP are looked at.
	untold := map[string]int{"raw-payload": 1, "odd-fields": 1, "firewalld-public": 1}
	for _, path := range rulesets {
		name := filepath.Base(filepath.Dir(path))
		t.Run(name, func(t *testing.T) {
			var listed string
			var answer []byte
			var err error
			inOwnNetwork(t, func() {
				if strings.HasSuffix(path, ".nft") {
					tool(t, "nft", "-f", path)
				} else {
					tool(t, "iptables-nft-restore", path)
					tool(t, "ip6tables-nft-restore", filepath.Join(filepath.Dir(path), "six.v6"))
				}
				listed = tool(t, "nft", "-j", "list", "ruleset")
				answer, err = askNFTables(context.Background())
			})
			if err != nil {
				t.Fatal(err)
			}
			want, got := list(t, []byte(listed)), list(t, answer)
			if !slices.Equal(want.tables, got.tables) || !slices.Equal(want.chains, got.chains) {
				t.Errorf("told %v %v, nft lists %v %v", got.tables, got.chains, want.tables, want.chains)
			}
			for where, n := range want.rules {
				if got.rules[where] != n {
					t.Errorf("%d rules in %s, nft lists %d", got.rules[where], where, n)
				}
			}
			if len(got.rules) != len(want.rules) {
				t.Errorf("rules in %d chains, nft lists %d", len(got.rules), len(want.rules))
			}
			if got.unknown > untold[name] {
				t.Errorf("%d expressions are not told: %s", got.unknown, answer)
			}
		})
	}
}

// What a rule says in one form, for the expressions that decide most.
func TestNFTablesTranslation(t *testing.T) {
	tests := map[string]string{
		"ct state established,related accept":                    `{"match":{"left":{"&":[{"ct":{"key":"state"}},6]},"op":"!=","right":0}},{"accept":null}`,
		"iif lo accept":                                          `{"match":{"left":{"meta":{"key":"iif"}},"op":"==","right":1}},{"accept":null}`,
		`iifname "wg*" accept`:                                   `{"match":{"left":{"meta":{"key":"iifname"}},"op":"==","right":"wg*"}},{"accept":null}`,
		"ip saddr 10.0.0.0/8 drop":                               `{"match":{"left":{"payload":{"field":"saddr","protocol":"ip"}},"op":"==","right":{"prefix":{"addr":"10.0.0.0","len":8}}}},{"drop":null}`,
		"ip saddr 172.16.0.0/12 drop":                            `{"match":{"left":{"payload":{"field":"saddr","protocol":"ip"}},"op":"==","right":{"prefix":{"addr":"172.16.0.0","len":12}}}},{"drop":null}`,
		"ip daddr 10.0.0.5-10.0.0.9 drop":                        `{"range":["10.0.0.5","10.0.0.9"]}`,
		"tcp dport 1024-2000 reject":                             `{"range":[1024,2000]}`,
		"tcp dport { 22, 80-90 } accept":                         `"right":{"set":[22,{"range":[80,90]}]}`,
		"ct state vmap { established : accept, invalid : drop }": `{"vmap":{"data":{"set":[`,
		"meta mark set 0x5":                                      `{"mangle":{"key":{"meta":{"key":"mark"}}}}`,
		"tcp flags syn / fin,syn,rst,ack accept":                 `{"match":{"left":{"&":[{"payload":{"field":"flags","protocol":"tcp"}},23]},"op":"==","right":2}}`,
		"fib saddr . iif oif missing drop":                       `{"match":{"left":{"fib":{"flags":["saddr","iif"],"result":"oif"}},"op":"==","right":0}}`,
		"udp sport 67 udp dport 68 accept":                       `"right":`,
		"limit rate 3/minute log prefix \"x\"":                   `{"limit":null},{"log":null}`,
		"ct count over 10 drop":                                  `{"ct count":{"inv":true}},{"drop":null}`,
		"notrack":                                                `{"notrack":null}`,
		"ip saddr . tcp dport { 10.0.0.1 . 22 } accept":          `{"set":[{"concat":["10.0.0.1",22]}]}`,
	}
	for rule, want := range tests {
		t.Run(rule, func(t *testing.T) {
			var answer []byte
			var err error
			path := filepath.Join(t.TempDir(), "rules")
			table := "table ip t {\n chain c {\n type filter hook prerouting priority raw; policy accept;\n " + rule + "\n }\n}\n"
			if err := os.WriteFile(path, []byte(table), 0o600); err != nil {
				t.Fatal(err)
			}
			inOwnNetwork(t, func() {
				tool(t, "nft", "-f", path)
				answer, err = askNFTables(context.Background())
			})
			told := strings.ReplaceAll(string(answer), `\u0026`, "&")
			if err != nil || !strings.Contains(told, want) || strings.Contains(told, "unknown") {
				t.Errorf("%s, %v; want %s", told, err, want)
			}
		})
	}
}

func TestLongSetIsToldInPart(t *testing.T) {
	var elements strings.Builder
	for i := range maxElements + 100 {
		fmt.Fprintf(&elements, "10.%d.%d.%d, ", i/65536, i/256%256, i%256)
	}
	path := filepath.Join(t.TempDir(), "rules")
	rules := "table ip t {\n set s {\n type ipv4_addr\n elements = { " + elements.String() + "}\n }\n chain c {\n type filter hook input priority 0; policy drop;\n ip saddr @s accept\n ip saddr @s drop\n }\n}\n"
	if err := os.WriteFile(path, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	var answer []byte
	var err error
	inOwnNetwork(t, func() {
		tool(t, "nft", "-f", path)
		answer, err = askNFTables(context.Background())
	})
	if err != nil || strings.Count(string(answer), `"partial":true`) != 1 || strings.Count(string(answer), `"@s"`) != 2 {
		t.Errorf("%.300s…, %v", answer, err)
	}
}

func TestNFTablesEndsWithItsContext(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := askNFTables(ended); evidence.ReasonOf(err) != fact.ReasonTimeout {
		t.Errorf("after the end: %v", err)
	}
}

// Without the right to administer the network the kernel refuses, which is no
// empty ruleset.
func TestNFTablesNeedsRights(t *testing.T) {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends here
		head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&head, &none[0]); err != nil {
			done <- err
			return
		}
		data, err := askNFTables(context.Background())
		if err == nil {
			err = errors.New("answered " + string(data))
		}
		done <- err
	}()
	if err := <-done; evidence.ReasonOf(err) != fact.ReasonNeedsPrivilege {
		t.Errorf("without rights: %v", err)
	}
}

func BenchmarkNFTables(b *testing.B) {
	inOwnNetwork(b, func() {
		tool(b, "iptables-nft-restore", rulesetFolder(b)+"/ufw-default/rules.v4")
		for b.Loop() {
			if _, err := askNFTables(context.Background()); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// FuzzNFTMessages takes any bytes for the kernel's answer. The seeds are
// answers about the rulesets sets, odd-fields and ufw-default.
func FuzzNFTMessages(f *testing.F) {
	entries, err := os.ReadDir("testdata/nftables")
	if err != nil || len(entries) == 0 {
		f.Fatalf("no answers, %v", err)
	}
	for _, e := range entries {
		data, err := os.ReadFile("testdata/nftables/" + e.Name())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &nftReader{ctx: context.Background(), sets: map[setID]*nftSet{}}
		for _, step := range []func(uint8, attributes) bool{r.table, r.chain, r.set} {
			_, _ = nftMessages(data, step)
		}
		for _, s := range r.sets {
			s.read = true // nothing is asked of the real kernel
			_, _ = nftMessages(data, func(_ uint8, a attributes) bool {
				a.get(unix.NFTA_SET_ELEM_LIST_ELEMENTS).each(func(_ uint16, e []byte) bool {
					s.elems = append(s.elems, nftElement(e))
					return len(s.elems) < 100
				})
				return len(s.elems) < 100
			})
			if s.interval {
				s.ranges()
			}
		}
		_, _ = nftMessages(data, r.rule)
		out, err := nftDocument(r.list)
		if err != nil && evidence.ReasonOf(err) != fact.ReasonTruncated {
			t.Fatalf("document: %v", err)
		}
		if !json.Valid(out) {
			t.Fatalf("not JSON: %.200s", out)
		}
	})
}
