package patch

import (
	"path"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// kernel is what is known of the kernels of a machine.
type kernel struct {
	running, flavour string
	installed        []string // releases, as uname(2) would tell them
	current          answer   // the newest installed one of the running one's kind is running
	why              fact.Reason
}

// kernel compares the running kernel with those that are installed, by their
// images in /boot, or by their modules where images carry no release in their
// name (Arch, Alpine). Only kernels of one kind are compared: a person who runs
// Arch's linux-lts beside linux, or Debian's cloud kernel, has chosen to.
func (l *look) kernel() kernel {
	text, why := l.text("/proc/sys/kernel/osrelease")
	k := kernel{running: strings.TrimSpace(text), why: why}
	if why == "" && k.running == "" {
		k.why = fact.ReasonUnreadable
	}
	if k.why != "" {
		k.current = unknown(k.why)
		return k
	}
	k.flavour = flavour(k.running)
	for _, place := range []struct{ dir, prefix string }{
		{"/boot", "vmlinuz-"}, {"/boot", "vmlinux-"}, {"/boot", "Image-"}, {"/lib/modules", ""}, {"/usr/lib/modules", ""},
	} {
		l.kernelsIn(&k, place.dir, place.prefix)
		if newestKernel(k.installed, k.flavour) != "" {
			l.r.From(place.dir)
			break
		}
	}
	k.compare()
	return k
}

// kernelsIn adds the releases that the names in a folder tell.
func (l *look) kernelsIn(k *kernel, dir, prefix string) {
	names, why := l.list(dir)
	if why != "" && k.why == "" {
		k.why = why
	}
	for _, name := range names {
		release, ok := strings.CutPrefix(name, prefix)
		if !ok || release == "" || !isDigit(release[0]) || release[0] == '0' { // Fedora's rescue image: vmlinuz-0-rescue-…
			continue
		}
		if prefix != "" || l.hasModules(path.Join(dir, name)) {
			k.installed = append(k.installed, release)
		}
	}
}

// compare decides whether the newest kernel runs.
func (k *kernel) compare() {
	switch newest := newestKernel(k.installed, k.flavour); {
	case newest == k.running:
		k.current, k.why = known(true), ""
	case newest != "" && kernelOrder(newest, k.running) > 0:
		k.current, k.why = known(false), ""
	case k.why != "":
		k.current = unknown(k.why)
	default: // it came from elsewhere: a container's host, a virtual machine's loader
		k.why = fact.ReasonNotFound
		k.current = unknown(k.why)
	}
}

// hasModules is false of a folder that an uninstalled kernel left behind, which
// holds only what others built for it.
func (l *look) hasModules(dir string) bool {
	names, err := l.m.ReadDir(l.ctx, dir)
	if err != nil || len(names) == 0 {
		return true // not known otherwise
	}
	for _, sign := range []string{"kernel", "modules.dep", "modules.order", "modules.builtin", "vmlinuz", "pkgbase"} {
		if slices.Contains(names, sign) {
			return true
		}
	}
	return false
}

// flavour is the kind of a kernel: the words at the end of its release that are
// not numbers, such as amd64, generic, lts or rpi-v8; of Fedora's and Red Hat's,
// whose releases end in a number and the architecture, what they add to it.
func flavour(release string) string {
	parts := strings.Split(release, "-")
	end := len(parts)
	for end > 1 && parts[end-1] != "" && !isDigit(parts[end-1][0]) {
		end--
	}
	if end < len(parts) {
		return strings.Join(parts[end:], "-")
	}
	last := parts[len(parts)-1]
	_, added, _ := strings.Cut(last, "+")
	if strings.Contains(last, "uek") { // Oracle's other kernel
		added = "uek" + added
	}
	if i := slices.IndexFunc(parts[1:], func(p string) bool { return strings.HasPrefix(p, "arch") }); i >= 0 {
		added = "arch" + added
	}
	return added
}

// newestKernel is the newest of the releases that are of one kind; empty when
// none is.
func newestKernel(releases []string, kind string) string {
	newest := ""
	for _, release := range releases {
		if release != "" && flavour(release) == kind {
			newest = laterKernel(newest, release)
		}
	}
	return newest
}

func laterKernel(a, b string) string {
	if a == "" || b != "" && kernelOrder(b, a) > 0 {
		return b
	}
	return a
}

// kernelOrder compares releases by their segments, the separators aside.
func kernelOrder(a, b string) int {
	return rpmPart(strings.ReplaceAll(a, "~", "."), strings.ReplaceAll(b, "~", "."))
}

// livepatch looks for a patch that is in force in the running kernel
// (Documentation/ABI/testing/sysfs-kernel-livepatch): loaded, enabled, and with
// every task moved over. Kernels without the folder cannot load any, unless
// with Red Hat's older module, which keeps a folder of its own.
func (l *look) livepatch() answer {
	var all []answer
	for _, dir := range []string{"/sys/kernel/livepatch", "/sys/kernel/kpatch/patches", "/sys/kernel/kpatch"} {
		names, why := l.list(dir)
		if why != "" {
			all = append(all, unknown(why))
		}
		for _, name := range names {
			at := path.Join(dir, name)
			on, why := l.text(path.Join(at, "enabled"))
			if why == fact.ReasonNotFound {
				continue // a folder of something else
			}
			moving, movingWhy := l.text(path.Join(at, "transition"))
			switch moving = strings.TrimSpace(moving); {
			case why == "" && movingWhy != "" && movingWhy != fact.ReasonNotFound: // Red Hat's module has no such file
				all = append(all, unknown(movingWhy))
			case why == "" && moving != "1":
				l.r.From(at)
				all = append(all, known(strings.TrimSpace(on) == "1"))
			default:
				all = append(all, answer{why: why})
			}
		}
	}
	if len(all) == 0 {
		if names, err := l.m.ReadDir(l.ctx, "/sys/kernel"); err != nil {
			return unknown(evidence.ReasonOf(err))
		} else if len(names) == 0 {
			return unknown(fact.ReasonNotFound)
		}
		l.r.From("/sys/kernel")
	}
	return either(all...)
}

// restart tells whether an installed update waits for a restart: by flags, by
// the kernel, and by what the package manager notes. A no needs somebody who
// would have set a flag or, where no such program is known, a kernel that is
// known to be the newest.
func (l *look) restart(k kernel, u updates) answer {
	var flags []answer
	for _, flag := range []string{
		"/run/reboot-required", "/var/run/reboot-required", // Debian and Ubuntu
		"/run/reboot-needed", "/var/run/reboot-needed", // zypper, transactional-update
		"/system-update", // updates that systemd installs at the next start (systemd.offline-updates(7))
	} {
		there := l.is(flag)
		if !there.certain() && flag == "/system-update" {
			continue
		}
		if there.yes {
			l.r.From(flag)
		}
		flags = append(flags, there)
	}
	flags = append(flags, l.nixRestart())
	set, behind := either(flags...), k.current.not()
	switch all := set.or(behind).or(u.restart); {
	case all.certain() || !set.certain():
		return all
	case refused(behind.why) && !u.restart.says(true): // the kernels could have said that one waits
		return behind
	case u.restart.says(false):
		return known(false)
	case u.restart.why != fact.ReasonToolMissing && u.restart.why != fact.ReasonUnsupported:
		return u.restart
	case behind.certain():
		return behind
	}
	return u.restart
}

// refused tells a source that is there and did not tell from one that is not
// there: what it could have contradicted is then not known.
func refused(why fact.Reason) bool {
	return why == fact.ReasonNeedsPrivilege || why == fact.ReasonUnreadable || why == fact.ReasonRefused || why.Transient()
}

// nixRestart compares the kernels of the started and of the present
// configuration of NixOS.
func (l *look) nixRestart() answer {
	started, err := l.m.ReadLink(l.ctx, "/run/booted-system/kernel")
	if err != nil {
		return known(false)
	}
	present, err := l.m.ReadLink(l.ctx, "/run/current-system/kernel")
	if err != nil {
		return unknown(evidence.ReasonOf(err))
	}
	return known(started != present)
}

// debianRestart is a no where a program that would have set the flag is there.
// needrestart is none: it tells the person who upgrades, and sets no flag.
func (l *look) debianRestart(in installed) answer {
	if in.has("update-notifier-common") || in.has("unattended-upgrades") || l.there("/usr/share/update-notifier") {
		l.r.From("/run/reboot-required")
		return known(false)
	}
	return unknown(fact.ReasonToolMissing)
}
