package machine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/postern-zt/postern/platform/osexec"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// Commands lists every command that a collector may run, with the absolute
// paths where it may be on this or another system.
func Commands() osexec.List {
	list := osexec.List{}
	for _, part := range []osexec.List{linuxCommands(), macCommands(), windowsCommands(), productCommands()} {
		maps.Copy(list, part)
	}
	return list
}

func linuxCommands() osexec.List {
	return osexec.List{
		"nft":        bin("nft"),
		"mokutil":    bin("mokutil"),
		"sestatus":   bin("sestatus"),
		"zfs":        bin("zfs"),
		"fscrypt":    append(bin("fscrypt"), "/usr/local/bin/fscrypt"),
		"lsblk":      bin("lsblk"),
		"cryptsetup": bin("cryptsetup"),
		"apt-get":    {"/usr/bin/apt-get"},
		"dnf":        {"/usr/bin/dnf"},
		"dnf5":       {"/usr/bin/dnf5"},
		"yum":        {"/usr/bin/yum"},
		"rpm":        bin("rpm"),
		"zypper":     {"/usr/bin/zypper"},
		"rpm-ostree": {"/usr/bin/rpm-ostree"},

		"iptables":              bin("iptables"),
		"ip6tables":             bin("ip6tables"),
		"iptables-save":         bin("iptables-save"),
		"ip6tables-save":        bin("ip6tables-save"),
		"iptables-nft-save":     bin("iptables-nft-save"),
		"ip6tables-nft-save":    bin("ip6tables-nft-save"),
		"iptables-legacy-save":  bin("iptables-legacy-save"),
		"ip6tables-legacy-save": bin("ip6tables-legacy-save"),
	}
}

// bin are the folders for programs of the system, those of NixOS too.
func bin(name string) []string {
	return []string{"/usr/sbin/" + name, "/usr/bin/" + name, "/sbin/" + name, "/bin/" + name, "/run/current-system/sw/bin/" + name}
}

func macCommands() osexec.List {
	return osexec.List{
		"fdesetup":            {"/usr/bin/fdesetup"},
		"socketfilterfw":      {"/usr/libexec/ApplicationFirewall/socketfilterfw"},
		"sw_vers":             {"/usr/bin/sw_vers"},
		"codesign":            {"/usr/bin/codesign"},
		"security":            {"/usr/bin/security"},
		"launchctl":           {"/bin/launchctl"},
		"sysadminctl":         {"/usr/sbin/sysadminctl"},
		"systemextensionsctl": {"/usr/bin/systemextensionsctl"},
		"diskutil":            {"/usr/sbin/diskutil"},
		"csrutil":             {"/usr/bin/csrutil"},
		"profiles":            {"/usr/bin/profiles"},
		"pmset":               {"/usr/bin/pmset"},
		"spctl":               {"/usr/sbin/spctl"},
		"DevToolsSecurity":    {"/usr/sbin/DevToolsSecurity"},
		"ioreg":               {"/usr/sbin/ioreg"},
		"system_profiler":     {"/usr/sbin/system_profiler"},
		"mount":               {"/sbin/mount"},
	}
}

func windowsCommands() osexec.List {
	return osexec.List{
		"sc":         {`C:\Windows\System32\sc.exe`},
		"netsh":      {`C:\Windows\System32\netsh.exe`},
		"manage-bde": {`C:\Windows\System32\manage-bde.exe`},
		"dsregcmd":   {`C:\Windows\System32\dsregcmd.exe`},
	}
}

// productCommands are the tools of security products that tell how they are.
func productCommands() osexec.List {
	return osexec.List{
		"falconctl":     {"/opt/CrowdStrike/falconctl", "/Applications/Falcon.app/Contents/Resources/falconctl"},
		"mdatp":         {"/usr/bin/mdatp", "/usr/local/bin/mdatp", "/opt/microsoft/mdatp/sbin/wdavdaemonclient"},
		"wazuh-control": {"/var/ossec/bin/wazuh-control", "/Library/Ossec/bin/wazuh-control"},
		"sentinelctl":   append([]string{"/opt/sentinelone/bin/sentinelctl", "/Library/Sentinel/sentinel-agent.bundle/Contents/MacOS/sentinelctl"}, sentinelOnWindows()...),
		"elastic-agent": {"/opt/Elastic/Agent/elastic-agent", "/usr/bin/elastic-agent", "/Library/Elastic/Agent/elastic-agent", `C:\Program Files\Elastic\Agent\elastic-agent.exe`},
		"repcli":        {"/opt/carbonblack/psc/bin/repcli", "/Applications/VMware Carbon Black Cloud/repcli.bundle/Contents/MacOS/repcli"},
		"cytool":        {"/opt/traps/bin/cytool", "/Library/Application Support/PaloAltoNetworks/Traps/bin/cytool"},
		"bduitool":      {"/opt/bitdefender-security-tools/bin/bduitool"},
	}
}

// sentinelOnWindows are the places of a tool whose folder carries the version
// of its product. Only an administrator can put one there.
func sentinelOnWindows() []string {
	found, err := filepath.Glob(`C:\Program Files\SentinelOne\Sentinel Agent *\SentinelCtl.exe`)
	if err != nil || runtime.GOOS != "windows" {
		return nil
	}
	slices.Reverse(found) // the newest first
	return found
}

// reuse says for how long the outcome of a command stands. Asking again costs
// these commands seconds, or much of a processor.
type reuse struct {
	within time.Duration
	// while are files: when one of them changes, the command runs again.
	while []string
	// proven says that the outcome is as good as new while the files are the
	// same. Otherwise it is as old as it is, and the report says so.
	proven bool
}

func reused() map[string]reuse {
	out := map[string]reuse{
		"cryptsetup":      {within: time.Minute},
		"dsregcmd":        {within: 10 * time.Minute},
		"profiles":        {within: time.Minute},
		"system_profiler": {within: time.Hour, proven: true}, // of hardware, and of how the system was started
		"ioreg":           {within: time.Hour, proven: true},
		"apt-get":         {within: time.Hour, proven: true, while: []string{"/var/lib/dpkg/status", "/var/lib/apt/lists"}},
		"rpm-ostree":      {within: 10 * time.Minute, proven: true, while: []string{"/ostree/deploy", "/sysroot/ostree/deploy"}},
	}
	packages := reuse{within: time.Hour, proven: true, while: []string{
		"/usr/lib/sysimage/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/rpmdb.sqlite-wal", "/usr/lib/sysimage/rpm/Packages.db",
		"/var/lib/rpm/rpmdb.sqlite", "/var/lib/rpm/rpmdb.sqlite-wal", "/var/lib/rpm/Packages.db", "/var/lib/rpm/Packages",
	}}
	out["rpm"] = packages
	// What repositories hold lies in folders within these.
	packages.within = 10 * time.Minute
	packages.while = append(packages.while, "/var/cache/dnf", "/var/cache/libdnf5", "/var/cache/yum", "/var/cache/zypp/raw", "/var/cache/zypp/solv")
	for _, name := range []string{"dnf", "dnf5", "yum", "zypper"} {
		out[name] = packages
	}
	for name := range productCommands() {
		out[name] = reuse{within: productAge}
	}
	return out
}

// productAge is how old the word of a security product about itself may be;
// each asking starts a process. That it runs is never taken from there.
const productAge = 25 * time.Second

// ran is the outcome of a command that may stand for a while.
type ran struct {
	out     evidence.Output
	depends string // identity of the files it depends on
}

// maxRuns bounds how many outcomes are kept.
const maxRuns = 64

func (m *live) Run(ctx context.Context, name string, args ...string) (evidence.Output, error) {
	rule, may := reused()[name]
	if !may {
		return m.run(ctx, name, args)
	}
	command := strings.Join(append([]string{name}, args...), "\x00")
	depends := identityOfAll(rule.while)
	m.mu.Lock()
	old, there := m.runs[command]
	m.mu.Unlock()
	if age := m.Now().Sub(old.out.At); there && old.depends == depends && age >= 0 && age < rule.within {
		if rule.proven {
			old.out.At = m.Now()
		}
		return old.out, nil
	}
	out, err := m.run(ctx, name, args)
	if err != nil {
		return out, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.runs) >= maxRuns {
		clear(m.runs)
	}
	m.runs[command] = ran{out, depends}
	return out, nil
}

func (m *live) run(ctx context.Context, name string, args []string) (evidence.Output, error) {
	op := "run " + name
	at := m.Now()
	name, args, err := m.personal(ctx, name, args)
	if err != nil {
		return evidence.Output{}, err
	}
	out, err := m.cfg.Commands.Run(ctx, name, args...)
	var exit *osexec.ExitError
	switch {
	case errors.As(err, &exit) && exit.Code >= 0:
		return evidence.Output{Stdout: out.Stdout, Stderr: exit.Stderr, Code: exit.Code, At: at}, nil
	case err != nil:
		return evidence.Output{}, &evidence.Error{Reason: commandReason(err), Op: op, Err: err}
	case out.Truncated:
		return evidence.Output{}, &evidence.Error{Reason: fact.ReasonTruncated, Op: op, Err: fmt.Errorf("more than %d bytes of output", osexec.MaxOutput)}
	}
	return evidence.Output{Stdout: out.Stdout, Stderr: out.Stderr, At: at}, nil
}

// commandReason maps how a command failed to the report's words.
func commandReason(err error) fact.Reason {
	var missing *osexec.MissingError
	var late *osexec.TimeoutError
	switch {
	case errors.As(err, &missing):
		return fact.ReasonToolMissing
	case errors.As(err, &late), errors.Is(err, context.Canceled):
		return fact.ReasonTimeout
	case errors.Is(err, osexec.ErrNotAllowed):
		return fact.ReasonUnsupported
	}
	return evidence.ReasonOf(err)
}
