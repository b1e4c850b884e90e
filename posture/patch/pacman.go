package patch

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/postern-zt/postern/posture/fact"
)

const (
	pacmanLocal = "/var/lib/pacman/local"
	pacmanSync  = "/var/lib/pacman/sync"
	pacmanLog   = "/var/log/pacman.log"
)

// pacman answers for Arch and what is made from it. Its repositories do not say
// which updates are for security.
func pacman(l *look) updates {
	u := nothing("")
	u.source = pacmanSync
	waits, checked, why := l.pacmanWaiting()
	u.checked = moment{at: checked}
	u.pending = known(waits).unless(answer{yes: why == "", why: why}).unless(l.fresh(checked))
	u.security = securityByPending(u.pending)
	u.last = l.lastByLogs(pacmanLogs())
	u.auto = unknown(fact.ReasonUnsupported)
	u.restart = unknown(fact.ReasonUnsupported)
	return u
}

// securityByPending is for systems that do not tell what an update is for:
// where nothing at all waits, nothing for security does.
func securityByPending(pending answer) answer {
	if pending.says(true) {
		return unknown(fact.ReasonUnsupported)
	}
	return pending
}

// pacmanWaiting compares the folders of installed packages, whose names carry
// the version, with the databases of the repositories in use. The first
// repository that has a package counts (pacman.conf(5)).
func (l *look) pacmanWaiting() (waits bool, checked time.Time, why fact.Reason) {
	names, why := l.list(pacmanLocal)
	if why != "" {
		return false, checked, why
	}
	have := map[string]string{}
	for _, name := range names {
		if pkg, version := cutPacman(name); version != "" {
			have[pkg] = version
		}
	}
	conf, why := l.text("/etc/pacman.conf")
	if why != "" {
		return false, checked, why
	}
	if len(have) == 0 {
		return false, checked, fact.ReasonNotFound
	}
	l.r.From(pacmanLocal)
	what := "pacman-db-v1-" + digestOf(have)
	answered := map[string]bool{}
	for _, s := range parseINI(conf) {
		if s.name == "options" {
			continue
		}
		at := path.Join(pacmanSync, s.name+".db")
		var offers map[string]string
		if _, missing := l.distil(at, what, &offers, func(r io.Reader) (any, error) { return parsePacmanDB(r, have) }); missing != "" {
			why = missing
			continue
		}
		l.r.From(at)
		if t := l.changed(at); t.After(checked) {
			checked = t
		}
		for pkg, version := range offers {
			if !answered[pkg] {
				answered[pkg] = true
				waits = waits || pacmanOrder(version, have[pkg]) > 0
			}
		}
	}
	if len(answered) == 0 && why == "" {
		why = fact.ReasonNotFound
	}
	return waits, checked, why
}

// cutPacman takes name-version-release apart.
func cutPacman(s string) (name, version string) {
	rest, release := cutLast(s, "-")
	name, version = cutLast(rest, "-")
	if name == "" || version == "" || release == "" {
		return "", ""
	}
	return name, version + "-" + release
}

// digestOf stands for a set of installed packages in the name of a reading.
func digestOf(have map[string]string) string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(have)) {
		fmt.Fprintf(sum, "%s %s\n", name, have[name])
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// parsePacmanDB reads what a repository has of the installed packages. Its
// database is a tar file with one folder for each package, named like those of
// installed ones.
func parsePacmanDB(r io.Reader, have map[string]string) (map[string]string, error) {
	offers := map[string]string{}
	return offers, eachTar(r, func(name string, _ io.Reader) error {
		pkg, version := cutPacman(path.Dir(name + "x"))
		if _, installed := have[pkg]; installed && version != "" {
			offers[pkg] = version
		}
		return nil
	})
}

// eachTar gives f every element of a tar file, which may be compressed with
// gzip whatever its name says.
func eachTar(r io.Reader, f func(name string, content io.Reader) error) error {
	plain, err := sniffGzip(r)
	if err != nil {
		return err
	}
	t := tar.NewReader(plain)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f(h.Name, t); err != nil {
			return err
		}
	}
}
