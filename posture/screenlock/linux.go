package screenlock

import (
	"context"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// linux knows the lockers of five desktops by the processes of the person.
func linux(ctx context.Context, r *evidence.Reading, who evidence.Session) state {
	m := r.Machine()
	if !strings.HasPrefix(who.Home, "/") {
		return nothingKnown(fact.ReasonNotFound)
	}
	who.Home = strings.TrimRight(who.Home, "/")
	all, err := m.Processes(ctx)
	if err != nil {
		return nothingKnown(evidence.ReasonOf(err))
	}
	running := processes{all: all, owner: who.ID}
	switch {
	case running.has("gnome-shell"):
		if running.foreignLogin() {
			return nothingKnown(fact.ReasonUnsupported)
		}
		return gsettings(ctx, m, who, gnome(), "dconf org.gnome.desktop")
	case running.has("plasmashell"), running.has("ksmserver"):
		return kde(ctx, m, who)
	case running.has("cinnamon"), running.has("cinnamon-session"):
		return gsettings(ctx, m, who, cinnamon(), "dconf org.cinnamon.desktop")
	case running.has("mate-session"):
		return running.locker("mate-screensaver", func() state { return gsettings(ctx, m, who, mate(), "dconf org.mate") })
	case running.has("xfce4-session"):
		return running.locker("xfce4-screensaver", func() state { return xfce(ctx, m, who) })
	}
	return nothingKnown(fact.ReasonUnsupported)
}

func gsettings(ctx context.Context, m evidence.Machine, who evidence.Session, d desktop, source string) state {
	s, err := openSettings(ctx, m, who)
	if err != nil {
		return nothingKnown(evidence.ReasonOf(err))
	}
	return d.read(s, source)
}

// processes are those of one person, and of the system.
type processes struct {
	all   []evidence.Process
	owner string
}

// has looks for a process of the person; the kernel keeps 15 characters of a
// name (proc_pid_comm(5)). Where the owner is not known, the name has to do.
func (p processes) has(name string) bool {
	return slices.ContainsFunc(p.all, func(one evidence.Process) bool {
		return named(one, name) && (one.Owner == p.owner || one.Owner == "")
	})
}

func named(p evidence.Process, name string) bool {
	const kept = 15
	return p.Name == name || len(name) > kept && p.Name == name[:kept]
}

// foreignLogin is true when a login manager other than GDM runs and GDM does
// not. GNOME's shell locks through GDM alone.
func (p processes) foreignLogin() bool {
	runs := func(names ...string) bool {
		return slices.ContainsFunc(p.all, func(one evidence.Process) bool {
			return slices.ContainsFunc(names, func(n string) bool { return named(one, n) })
		})
	}
	return runs("lightdm", "sddm", "lxdm", "xdm", "greetd", "ly-dm") && !runs("gdm", "gdm3", "gdm-session-worker", "gdm-x-session", "gdm-wayland-session")
}

// locker wants the program that locks this desktop to run. When another one
// runs its settings are not known here; when none does, nothing locks.
func (p processes) locker(name string, read func() state) state {
	if p.has(name) {
		return read()
	}
	for _, other := range []string{"light-locker", "xscreensaver", "xscreensaver-systemd", "xss-lock", "i3lock", "xautolock", "gnome-screensaver", "mate-screensaver", "xfce4-screensaver", "cinnamon-screensaver"} {
		if p.has(other) {
			return nothingKnown(fact.ReasonUnsupported)
		}
	}
	s := nothingKnown(fact.ReasonNotRunning)
	s.enabled = yesNo(false, "processes")
	s.enabled.why = fact.ReasonNotRunning
	return s
}
