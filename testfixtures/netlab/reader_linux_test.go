package netlab

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/machine"
	"github.com/postern-zt/postern/platform/watch"
	"github.com/postern-zt/postern/posture/collect"
	"github.com/postern-zt/postern/posture/fact"
)

// reading is what a process without rights learns of the firewall.
type reading struct {
	Signal fact.Signal
	Watch  string // why changes are not told to it
}

// readAs is the whole of the process that reads without rights.
func readAs(w io.Writer) int {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c := clock.System()
	r, _ := collect.New(collect.Config{Machine: machine.New(machine.Config{}), Clock: c, Version: "test"}).Reread(ctx, fact.SignalFirewall)
	var out reading
	out.Signal, _ = r.Signal(fact.SignalFirewall)
	watcher, err := watch.New(c)
	if err == nil {
		err = watcher.SetFirewall(fact.SignalFirewall)
		watcher.Close()
	}
	out.Watch = fmt.Sprint(err)
	if err := json.NewEncoder(w).Encode(out); err != nil {
		return 1
	}
	return 0
}

// as reads the firewall in a process of this machine that cmd starts.
func as(t *testing.T, cmd *exec.Cmd) reading {
	t.Helper()
	cmd.Env = append(os.Environ(), asReader+"=1")
	cmd.Stderr = os.Stderr
	data, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var r reading
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return r
}

// TestWithoutRights has the firewall read by an ordinary user, and by root
// without CAP_NET_ADMIN: whatever the rules are, they learn nothing, and say so.
func TestWithoutRights(t *testing.T) {
	t.Parallel()
	_, inside := machines(t, 1)
	if !inside {
		return
	}
	h := newHost(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	setpriv, err := find("setpriv")
	if err != nil {
		t.Fatal(err)
	}
	readers := map[string]func() *exec.Cmd{
		"nobody": func() *exec.Cmd {
			cmd := exec.CommandContext(t.Context(), "/proc/self/exe") // its folder may be closed to others
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			return cmd
		},
		"root without CAP_NET_ADMIN": func() *exec.Cmd {
			return exec.CommandContext(t.Context(), setpriv, "--bounding-set=-net_admin", "--inh-caps=-net_admin", self)
		},
	}
	unread := func(rules string) {
		t.Helper()
		for who, cmd := range readers {
			r := as(t, cmd())
			for _, field := range []string{"enabled", "default_inbound"} {
				for _, key := range []string{"", "ipv4", "ipv6"} {
					if got := show(r.Signal, field, key); got != "?needs-privilege" && (key == "" || got != "-") {
						t.Errorf("%s, %s: %s[%s] is %s (from %s)", who, rules, field, key, got, r.Signal.Source)
					}
				}
			}
			if !strings.Contains(r.Watch, "CAP_NET_ADMIN") {
				t.Errorf("%s may watch: %s", who, r.Watch)
			}
		}
	}
	unread("no rules")
	h.change("closed", func() { do(t, closed, "nft", "-f", "-") })
	h.expect("closed", "true drop true drop")
	unread("closed")
	if _, err := try(t.Context(), input("DROP"), "iptables-legacy-restore"); err == nil {
		unread("closed, with legacy tables")
	}
}
