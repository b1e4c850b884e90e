// Package evidence is the machine being examined: what a collector may read, recorded and replayed.
package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/postern-zt/postern/posture/fact"
)

// System is the kind of operating system under examination.
type System string

// The systems.
const (
	Linux   System = "linux"
	Windows System = "windows"
	MacOS   System = "darwin"
)

// MaxFile is the most bytes of one file or one command's output that a
// collector is given; more is cut and Truncated says so.
const MaxFile = 4 << 20

// Machine is everything a collector may ask. Collectors are pure functions of
// it: the live one is platform/machine, a recorded one comes from Open, and
// Memory is a machine made by hand. Every error is an *Error or wraps one, so
// that its reason reaches the report. What a system has no use for (a registry
// on Linux) answers unsupported-system.
type Machine interface {
	// System tells which collectors' sources exist here.
	System() System
	// Now is the machine's wall clock; a replay tells the time of the recording.
	Now() time.Time
	// ReadFile reads at most MaxFile bytes.
	ReadFile(ctx context.Context, path string) ([]byte, error)
	// ReadDir lists the names in a folder, sorted.
	ReadDir(ctx context.Context, path string) ([]string, error)
	// ReadLink tells where a symbolic link points.
	ReadLink(ctx context.Context, path string) (string, error)
	// Stat tells size, mode, owner and time of change of what path leads to.
	Stat(ctx context.Context, path string) (Info, error)
	// SHA256 is the lower-case hex digest of a regular file.
	SHA256(ctx context.Context, path string) (string, error)
	// Distil reads a file of up to MaxDistilled bytes through f and gives what
	// f made of it. The same what must always stand for the same f, since the
	// live machine keeps the outcome for as long as the file stays the same
	// file, and a recording keeps only the outcome.
	Distil(ctx context.Context, path, what string, f Distiller) ([]byte, error)
	// Run executes a command of the machine's allow-list, by name. That it
	// ended with another code than 0 is no error.
	Run(ctx context.Context, name string, args ...string) (Output, error)
	// Processes lists the running processes this user may see.
	Processes(ctx context.Context) ([]Process, error)
	// Services lists the services of the Windows service control manager.
	Services(ctx context.Context) ([]Service, error)
	// Registry reads one key of the Windows registry: `HKLM\SOFTWARE\…`, the
	// root by its short name (HKLM, HKU, HKCU, HKCR).
	Registry(ctx context.Context, key string) (Registry, error)
	// WMI lists the instances of a class in a namespace such as `root\cimv2`.
	WMI(ctx context.Context, namespace, class string) ([]Row, error)
	// Sysctl reads one value of macOS's sysctl(3), as sysctl(8) prints it.
	Sysctl(ctx context.Context, name string) (string, error)
	// Sessions lists the people who are logged in at this machine.
	Sessions(ctx context.Context) ([]Session, error)
	// Ask puts one of the Question… to the system's own interfaces. The answer
	// is the JSON document that the question's comment describes.
	Ask(ctx context.Context, question Question, args ...string) ([]byte, error)
}

// MaxDistilled is the most bytes of a file that Distil reads, and MaxEssence
// the most that a Distiller may make of it.
const (
	MaxDistilled = 512 << 20
	MaxEssence   = 1 << 20
)

// Distiller makes something small of a large file. It depends on nothing but
// what it reads.
type Distiller func(r io.Reader) ([]byte, error)

// Info is what Stat tells of a file.
type Info struct {
	Size    int64       `json:"size"` // bytes
	Mode    fs.FileMode `json:"mode"`
	ModTime time.Time   `json:"mod_time"`
	Owner   string      `json:"owner,omitempty"` // user id as a decimal number, or SID; empty: not known
}

// Output is what a command wrote, and how it ended.
type Output struct {
	Stdout []byte `json:"stdout,omitempty"`
	Stderr []byte `json:"stderr,omitempty"`
	Code   int    `json:"code"` // exit code
	// At is when the command was really run, where an earlier outcome stands
	// in; the zero time means just now. It is not recorded.
	At time.Time `json:"-"`
}

// Process is one running process.
type Process struct {
	PID        int    `json:"pid"`
	Name       string `json:"name"`                 // short name, as the kernel keeps it
	Executable string `json:"executable,omitempty"` // absolute path, empty when this user may not see it
	Deleted    bool   `json:"deleted,omitempty"`    // the file it was started from is gone or replaced
	Owner      string `json:"owner,omitempty"`      // user id as a decimal number, or SID; empty: not known
	Unit       string `json:"unit,omitempty"`       // systemd unit it belongs to, such as falcon-sensor.service
}

// Service is one service of Windows.
type Service struct {
	Name       string `json:"name"`
	State      string `json:"state"`                // running, stopped, paused, start-pending, stop-pending, …
	Start      string `json:"start,omitempty"`      // auto, manual, disabled, boot, system; empty: not known
	PID        int    `json:"pid,omitempty"`        // 0 when it does not run
	ExitCode   uint32 `json:"exit_code,omitempty"`  // Win32 exit code, such as 1077: never started since the system started
	Executable string `json:"executable,omitempty"` // path without arguments and quotes; empty: not known
	Account    string `json:"account,omitempty"`    // whom it runs as, such as LocalSystem
}

// Session is one person who is logged in.
type Session struct {
	User   string `json:"user"`           // account name
	ID     string `json:"id"`             // user id as a decimal number, or SID
	Home   string `json:"home,omitempty"` // home folder
	Active bool   `json:"active"`         // at the screen now
	Remote bool   `json:"remote,omitempty"`
}

// Question is something only an interface of the system can answer, neither a
// file nor a command.
type Question string

// The questions. Members that the system did not tell are left out.
const (
	// AskPlatform: {"sysname","release","version","machine"}, as uname(2) on
	// Linux and macOS. On Windows {"major","minor","build","product_type",
	// "machine"}: RtlGetVersion, product_type 1 workstation, 2 domain
	// controller, 3 server; machine amd64, arm64 or 386, of the system.
	AskPlatform Question = "platform"
	// AskNFTables (Linux): the ruleset of nftables as netlink tells it, in the
	// form of `nft -j list ruleset` (libnftables-json(5)), cut down to tables,
	// chains and rules; an expression that is not translated is
	// {"unknown":"name"}.
	AskNFTables Question = "nftables"
	// AskFilesystem (path; Linux, macOS): {"type","flags":[…]} of statfs(2).
	AskFilesystem Question = "filesystem"
	// AskFirewallPolicy (Windows): {"current_profiles": bits, "domain":
	// {"enabled","default_inbound_block","block_all","notifications"},
	// "private": …, "public": …} from INetFwPolicy2.
	AskFirewallPolicy Question = "firewall-policy"
	// AskVolumes (Windows): [{"letter":"C:","type":"fixed|removable|…",
	// "filesystem","label","id":"\\\\?\\Volume{…}\\","system":true}].
	AskVolumes Question = "volumes"
	// AskVolumeProtection (drive such as C:; Windows): {"value": n}, the shell
	// property System.Volume.BitLockerProtection, which needs no rights.
	AskVolumeProtection Question = "volume-protection"
	// AskUpdates (Windows): {"reboot_required", "auto_update_enabled",
	// "notification_level", "last_search_at","last_install_at",
	// "history":[{"title","date","result","operation","categories":[…],"id"}],
	// "pending":[{"title","categories":[…],"severity","kb":[…]}]} of the
	// Windows Update Agent, offline, newest 100 of history.
	AskUpdates Question = "updates"
	// AskSecurityProvider (antivirus|firewall; Windows clients): {"health":
	// "good|not-monitored|poor|snooze"} of WscGetSecurityProviderHealth.
	AskSecurityProvider Question = "security-provider"
	// AskJoin (Windows): {"workgroup","domain","azure_ad":{"type","tenant_id",
	// "device_id","mdm_url"},"mdm_registered","mdm_upn_present"}.
	AskJoin Question = "join"
	// AskTPM (Windows): {"present","version":"2.0","makes_keys","error"}.
	AskTPM Question = "tpm"
	// AskSignature (path; Windows, macOS): {"valid","signer","team_id",
	// "identifier","error"}.
	AskSignature Question = "signature"
	// AskCertificates (store; all): [{"subject","issuer","serial",
	// "not_before","not_after","sha256"}] of a certificate store of the system.
	AskCertificates Question = "certificates"
	// AskCSR (macOS): {"config": n} of csr_get_active_config.
	AskCSR Question = "csr"
)

// Error says why something could not be read, in the report's own words.
type Error struct {
	Reason fact.Reason
	Op     string // what was read: "read /etc/os-release"
	Code   string // the system's own code, such as 0x8004100e, for a helpdesk; may be empty
	Err    error  // the cause, for logs
}

// Error reads: what was being done, the reason, the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%s: %s", e.Op, e.Reason)
	}
	return fmt.Sprintf("%s: %s: %v", e.Op, e.Reason, e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Wrap makes an *Error of any error of the operating system, mapping the
// kinds that have a reason of their own.
func Wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	return &Error{Reason: reasonFor(err), Op: op, Err: err}
}

func reasonFor(err error) fact.Reason {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fact.ReasonNotFound
	case errors.Is(err, fs.ErrPermission):
		return fact.ReasonNeedsPrivilege
	case errors.Is(err, context.DeadlineExceeded):
		return fact.ReasonTimeout
	case errors.Is(err, context.Canceled):
		return fact.ReasonTimeout
	}
	return fact.ReasonUnreadable
}

// ReasonOf is the reason inside err, or unreadable-output when it carries none.
func ReasonOf(err error) fact.Reason {
	var known *Error
	if errors.As(err, &known) {
		return known.Reason
	}
	return reasonFor(err)
}
