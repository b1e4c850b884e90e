package netlab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	leaveOut = "POSTERN_NO_NETNS"      // set to 1: the suite is left out
	within   = "POSTERN_NETLAB_WITHIN" // set in the processes that are a machine: which part of how many
	asReader = "POSTERN_NETLAB_READER" // set in the process that reads without rights
	rounds   = "POSTERN_NETLAB_ROUNDS" // how many rulesets are made up, in place of defaultRounds
	seeds    = "POSTERN_NETLAB_SEED"   // what they are made up from, in place of 1
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(asReader) != "":
		os.Exit(readAs(os.Stdout))
	case os.Getenv(leaveOut) == "1":
		fmt.Println("netlab: left out, since " + leaveOut + "=1")
		os.Exit(0)
	case os.Getenv(within) == "":
		if err := check(); err != nil {
			fmt.Fprintln(os.Stderr, "netlab:", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// check says in one line everything that is missing.
func check() error {
	if os.Geteuid() != 0 {
		return errors.New("namespaces with firewalls need root; set " + leaveOut + "=1 to go without")
	}
	var missing []string
	for _, name := range []string{"ip", "nft", "iptables-nft-restore", "ip6tables-nft-restore", "ufw", "firewalld", "firewall-cmd", "dbus-daemon", "setpriv"} {
		if _, err := find(name); err != nil {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("missing: %s; call netlab_setup of testfixtures/netlab/setup.sh, or set %s=1 to go without", strings.Join(missing, " "), leaveOut)
	}
	probe := exec.Command("/proc/self/exe", "-test.run=^$")
	probe.Env = append(os.Environ(), within+"=0/1")
	probe.SysProcAttr = &unix.SysProcAttr{Cloneflags: namespaces}
	if out, err := probe.CombinedOutput(); err != nil {
		return fmt.Errorf("namespaces cannot be made here: %w %s; set %s=1 to go without", err, out, leaveOut)
	}
	return nil
}

// find looks in sbin too, which is not in everybody's PATH.
func find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", exec.ErrNotFound
}
