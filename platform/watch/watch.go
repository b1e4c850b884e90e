// Package watch tells when something of a kind may have changed on this machine.
package watch

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/postern-zt/postern/platform/clock"
)

// The causes of an Event.
const (
	CauseExit     = "exit"     // a watched process has ended
	CauseExec     = "exec"     // a watched executable was opened, as it is when it starts
	CauseReplaced = "replaced" // a watched executable was put there, changed, moved or taken away
	CauseFile     = "file"     // a watched file, or an entry of a watched folder, did
	CauseMount    = "mount"    // a file system or a swap space was added, changed or taken away
	CauseFirewall = "firewall" // rules or settings of the system's firewall were changed
	CauseRegistry = "registry" // a watched key of the registry, or one below it, was changed
	CauseService  = "service"  // a watched service changed its state, or was added or deleted
	CauseDevice   = "device"   // a block device was added, changed or taken away
	CauseSecurity = "security" // the system's list of security products says something else
	CauseLost     = "lost"     // the system dropped notices: anything may have changed
)

// Event says that facts of one kind should be read again. It says when, not
// what is true now.
type Event struct {
	Kind  string        // the fact signal that the caller gave, such as "edr"
	Cause string        // one of the Cause… words
	Path  string        // the path, key or service as the caller gave it, where one is concerned
	PID   int           // the process, where one is concerned
	At    time.Duration // clock.Boot() when the notice was taken from the system; of joined events, of the first
}

// hold is how long a notice waits for others of the same burst. What ends,
// starts or replaces a program never waits; everything else does.
const hold = 20 * time.Millisecond

// Watcher watches what it was told to. Its methods may be called from several
// goroutines. What a system gives no notice of is refused with an error that is
// errors.ErrUnsupported. Call any of the Set methods before reading the facts,
// so that no change falls between. On an error, such as a folder that may not
// be read, the rest is watched all the same.
type Watcher struct {
	out   *outbox
	sys   *system
	close func() error
}

// New starts a Watcher that watches nothing yet. Its goroutines end with Close;
// none of them does anything while nothing happens.
func New(c clock.Clock) (*Watcher, error) {
	w := &Watcher{out: newOutbox(c)}
	sys, err := newSystem(w.out.put)
	if err != nil {
		w.out.end()
		return nil, fmt.Errorf("start watching: %w", err)
	}
	w.sys = sys
	w.close = sync.OnceValue(func() error {
		defer w.out.end()
		return w.sys.close()
	})
	return w, nil
}

// Events is where events arrive. It is closed after Close. A reader that is
// slow gets the events of one kind and cause joined into one, and never none.
func (w *Watcher) Events() <-chan Event { return w.out.events }

// SetExecutables watches the executables of a kind, in place of those it had
// before. The files need not be there. A start is told on Linux only (an
// executable is opened when it starts). Windows tells of starts to WMI and ETW
// alone, macOS to Endpoint Security: there only CauseReplaced comes, and who
// waits for a start also watches the product's service or looks now and then.
func (w *Watcher) SetExecutables(kind string, paths []string) error {
	return w.sys.setExecutables(kind, paths)
}

// SetProcesses watches the processes of a kind for their end, in place of those
// it had before. exe tells what each of them runs, as the system's list of
// processes has it: a process that has ended meanwhile, or whose number belongs
// to something else now, counts as ended at once. An empty or missing path is
// not compared, nor is one that this user may not see.
func (w *Watcher) SetProcesses(kind string, pids []int, exe map[int]string) error {
	return w.sys.setProcesses(kind, pids, exe)
}

// SetFiles watches the files and folders of a kind, in place of those it had
// before: contents, metadata, being put there, replaced or taken away; of a
// folder also its entries, but not what is in folders below it. They need not
// be there. On Linux and macOS each symbolic link on the way is watched too, and
// a mount on top of a path counts as its replacement. Files of /proc and /sys
// give no notices and are passed over. What is written through a memory map is
// told when the writer closes the file on Linux, and may not be told elsewhere.
// Of a network file system only what this machine changes is told. On Windows
// a folder cannot be renamed while one below it is watched.
func (w *Watcher) SetFiles(kind string, paths []string) error { return w.sys.setFiles(kind, paths) }

// SetMounts tells a kind when a file system is mounted, unmounted or mounted
// differently, on Linux also when a swap space is added or taken away.
func (w *Watcher) SetMounts(kind string) error { return w.sys.setMounts(kind) }

// SetFirewall tells a kind when the system's firewall may have been changed: on
// Linux by any change of nftables, also by iptables-nft, and after every run of
// iptables-legacy that takes its lock, one that only lists rules too; on Windows
// by a change of its local or managed settings; on macOS before 15 by a change
// of the application firewall's settings. Linux refuses it without
// CAP_NET_ADMIN (the error is os.ErrPermission). It does not see changes of
// legacy tables by what takes no lock, or that of another mount namespace, nor
// settings of the kernel such as net.ipv6.conf.*.disable_ipv6: sysctls tell
// nobody.
func (w *Watcher) SetFirewall(kind string) error { return w.sys.setFirewall(kind) }

// SetRegistry watches keys of the Windows registry, such as
// HKLM\SOFTWARE\Policies, with all that is below them, in place of those that
// the kind had before. The keys need not be there.
func (w *Watcher) SetRegistry(kind string, keys []string) error {
	return w.sys.setRegistry(kind, keys)
}

// SetServices watches Windows services by name for start, stop, being added
// and being deleted, in place of those that the kind had before.
func (w *Watcher) SetServices(kind string, names []string) error {
	return w.sys.setServices(kind, names)
}

// SetUevents tells a kind when a block device is added, changed or taken away,
// as the kernel of Linux tells it: disks, partitions and what the device mapper
// makes of them.
func (w *Watcher) SetUevents(kind string) error { return w.sys.setUevents(kind) }

// SetSecurityCenter tells a kind when Windows Security Center says something
// else of antivirus or firewall products.
func (w *Watcher) SetSecurityCenter(kind string) error { return w.sys.setSecurityCenter(kind) }

// Close ends the watching and returns when the goroutines have ended.
func (w *Watcher) Close() error {
	if err := w.close(); err != nil {
		return fmt.Errorf("stop watching: %w", err)
	}
	return nil
}

// errClosed answers calls after Close.
var errClosed = errors.New("watch: is closed")

// unsupported says that this system gives no notice of something, and why.
func unsupported(what, why string) error {
	return fmt.Errorf("watch %s on %s: %s: %w", what, runtime.GOOS, why, errors.ErrUnsupported)
}

// tell takes an event from a system's part of this package.
type tell func(kind, cause, path string, pid int)
