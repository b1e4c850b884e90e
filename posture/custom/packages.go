package custom

import (
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// inventory is what one package manager has installed: versions by name. why
// says that it could not be read, not-found that the manager is not in use.
type inventory struct {
	versions map[string]string
	why      fact.Reason
}

// packaged looks for a package with its manager, or with all that the system
// has.
func (l *looker) packaged(o observe.Observation) {
	managers := []string{o.Manager}
	if o.Manager == "" {
		managers = map[evidence.System][]string{
			evidence.Linux:   {observe.ManagerDpkg, observe.ManagerRPM, observe.ManagerPacman, observe.ManagerAPK},
			evidence.Windows: {observe.ManagerUninstall},
			evidence.MacOS:   {observe.ManagerApp},
		}[l.machine.System()]
	}
	asked, why := false, fact.Reason("")
	for _, m := range managers {
		version, there, reason := l.version(m, o.Name)
		switch {
		case reason == fact.ReasonNotFound: // this manager is not in use here
		case reason != "":
			why = reason
		case there:
			l.here(o)
			l.text(o, "version", version)
			return
		default:
			asked = true
		}
	}
	switch {
	case why != "":
		l.unknown(o, why)
	case !asked:
		l.unknown(o, fact.ReasonUnsupported)
	default:
		l.absent(o)
	}
}

// version asks one manager for one package.
func (l *looker) version(manager, name string) (version string, there bool, why fact.Reason) {
	switch manager {
	case observe.ManagerApp:
		return l.bundle("/Applications/"+name+".app/Contents/Info.plist", "CFBundleShortVersionString", "CFBundleVersion")
	case observe.ManagerReceipt:
		return l.bundle("/var/db/receipts/"+name+".plist", "PackageVersion")
	case observe.ManagerUninstall:
		name = strings.ToLower(name)
	}
	in, ok := l.packages[manager]
	if !ok {
		if l.packages == nil {
			l.packages = map[string]inventory{}
		}
		in = l.inventory(manager)
		l.packages[manager] = in
	}
	version, there = in.versions[name]
	if there {
		return version, true, ""
	}
	return "", false, in.why
}

func (l *looker) inventory(manager string) inventory {
	switch manager {
	case observe.ManagerDpkg:
		return l.database("dpkg", parseDpkg, "/var/lib/dpkg/status")
	case observe.ManagerAPK:
		return l.database("apk", parseAPK, "/lib/apk/db/installed", "/usr/lib/apk/db/installed")
	case observe.ManagerPacman:
		return l.pacman()
	case observe.ManagerRPM:
		return l.rpm()
	}
	return l.uninstall()
}

// uninstall reads what Windows lists as installed for all users, 64 and 32 bit
// (Microsoft Learn, "Uninstall Registry Key"): by the name that people see, and
// by the name of the key.
func (l *looker) uninstall() inventory {
	in := inventory{versions: map[string]string{}, why: fact.ReasonNotFound}
	for _, list := range []string{
		`HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall`,
		`HKLM\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall`,
	} {
		key, err := l.machine.Registry(l.ctx, list)
		if err != nil {
			if why := evidence.ReasonOf(err); why != fact.ReasonNotFound {
				in.why = why
			}
			continue
		}
		l.reading.From(list)
		if in.why == fact.ReasonNotFound {
			in.why = ""
		}
		for _, name := range key.Keys {
			program, err := l.machine.Registry(l.ctx, list+`\`+name)
			if err != nil {
				if why := evidence.ReasonOf(err); why != fact.ReasonNotFound { // it may just have gone
					in.why = why
				}
				continue
			}
			in.add(name, program)
		}
	}
	return in
}

func (in *inventory) add(key string, program evidence.Registry) {
	version, _ := program.Text("DisplayVersion")
	names := []string{key}
	if title, ok := program.Text("DisplayName"); ok {
		names = append(names, title)
	}
	for _, name := range names {
		name = strings.ToLower(name)
		if old, there := in.versions[name]; !there || fact.CompareVersions(version, old) > 0 {
			in.versions[name] = version
		}
	}
}

// bundle reads the version from a property list that is only there with the
// package.
func (l *looker) bundle(file string, keys ...string) (version string, there bool, why fact.Reason) {
	data, err := l.machine.ReadFile(l.ctx, file)
	if err != nil {
		if why := evidence.ReasonOf(err); why != fact.ReasonNotFound {
			return "", false, why
		}
		return "", false, ""
	}
	l.reading.From(file)
	at, err := evidence.ParsePlist(data)
	dict, ok := at.(map[string]any)
	if err != nil || !ok {
		return "", false, fact.ReasonUnreadable
	}
	for _, key := range keys {
		if text, ok := dict[key].(string); ok && text != "" {
			return text, true, ""
		}
	}
	return "", true, ""
}
