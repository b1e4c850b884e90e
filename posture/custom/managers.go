package custom

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// database reads the text file in which a manager keeps what is installed; the
// first one that is there counts.
func (l *looker) database(manager string, parse func(io.Reader) (map[string]string, error), files ...string) inventory {
	for _, file := range files {
		essence, err := l.machine.Distil(l.ctx, file, manager+"-versions-v1", func(r io.Reader) ([]byte, error) {
			versions, err := parse(r)
			if err != nil {
				return nil, err
			}
			return json.Marshal(versions)
		})
		if err != nil {
			if why := evidence.ReasonOf(err); why != fact.ReasonNotFound {
				return inventory{why: why}
			}
			continue
		}
		l.reading.From(file)
		in := inventory{}
		if json.Unmarshal(essence, &in.versions) != nil || len(in.versions) == 0 {
			return inventory{why: fact.ReasonUnreadable} // a system without one package is none of this manager
		}
		return in
	}
	return inventory{why: fact.ReasonNotFound}
}

// parseDpkg reads dpkg's database: paragraphs with Package, Status and Version
// (dpkg-query(1); Debian Policy, chapter 5). What is only known, or left its
// configuration behind, is not installed. Of several architectures of one
// package the first counts.
func parseDpkg(r io.Reader) (map[string]string, error) {
	out := map[string]string{}
	var name, version, status string
	done := func() {
		words := strings.Fields(status)
		if _, twice := out[name]; !twice && name != "" && version != "" && len(words) == 3 && dpkgInstalled(words[2]) {
			out[name] = version
		}
		name, version, status = "", "", ""
	}
	err := eachLine(r, func(line string) {
		if line == "" {
			done()
			return
		}
		field, value, _ := strings.Cut(line, ":")
		switch field {
		case "Package":
			name = strings.TrimSpace(value)
		case "Version":
			version = strings.TrimSpace(value)
		case "Status":
			status = value
		}
	})
	done()
	return out, err
}

// dpkgInstalled tells which states of dpkg(1) mean that a package works.
func dpkgInstalled(state string) bool {
	return state == "installed" || state == "triggers-awaited" || state == "triggers-pending"
}

// parseAPK reads apk's database: paragraphs with "P:name" and "V:version"
// (apk-tools, "Apk spec").
func parseAPK(r io.Reader) (map[string]string, error) {
	out := map[string]string{}
	name := ""
	err := eachLine(r, func(line string) {
		switch {
		case line == "":
			name = ""
		case strings.HasPrefix(line, "P:"):
			name = line[2:]
		case strings.HasPrefix(line, "V:") && name != "" && len(line) > 2:
			out[name] = line[2:]
		}
	})
	return out, err
}

// maxLine is how much of a line is looked at; what is needed is shorter.
const maxLine = 4096

// eachLine gives f the beginning of every line, without its end.
func eachLine(r io.Reader, f func(line string)) error {
	b := bufio.NewReaderSize(r, maxLine)
	for {
		line, more, err := b.ReadLine()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		f(string(line))
		for more {
			if _, more, err = b.ReadLine(); err != nil {
				break
			}
		}
	}
}

// pacman reads the folders of installed packages, whose names carry the
// version: name-version-release.
func (l *looker) pacman() inventory {
	const local = "/var/lib/pacman/local"
	names, err := l.machine.ReadDir(l.ctx, local)
	if err != nil {
		return inventory{why: evidence.ReasonOf(err)}
	}
	l.reading.From(local)
	in := inventory{versions: map[string]string{}}
	for _, entry := range names {
		release := strings.LastIndexByte(entry, '-')
		if release < 0 {
			continue
		}
		if version := strings.LastIndexByte(entry[:release], '-'); version > 0 {
			in.versions[entry[:version]] = entry[version+1:]
		}
	}
	if len(in.versions) == 0 {
		return inventory{why: fact.ReasonUnreadable}
	}
	return in
}

// rpmFormat is read by rpm itself, the backslash too. The command is the one by
// which the times of packages are read, so that one run can serve both.
const rpmFormat = `%{NAME} %{VERSION}-%{RELEASE}.%{ARCH} %{INSTALLTIME}\n`

// rpm lists all packages, where there is a database of rpm's: the name that was
// asked for is never part of a command.
func (l *looker) rpm() inventory {
	if !l.there("/usr/lib/sysimage/rpm") && !l.there("/var/lib/rpm") {
		return inventory{why: fact.ReasonNotFound}
	}
	l.reading.From("rpm -qa")
	out, err := evidence.Text(l.ctx, l.machine, "rpm", "-qa", "--qf", rpmFormat)
	if err != nil {
		return inventory{why: evidence.ReasonOf(err)}
	}
	in := inventory{versions: parseRPM(out)}
	if len(in.versions) == 0 {
		// The tool alone, on a system of another manager, has an empty database.
		in.why = fact.ReasonNotFound
	}
	return in
}

func (l *looker) there(path string) bool {
	_, err := l.machine.Stat(l.ctx, path)
	return err == nil
}

// parseRPM reads lines of name, version-release.architecture and time; of
// several versions of one package the highest counts.
func parseRPM(out []byte) map[string]string {
	versions := map[string]string{}
	for line := range bytes.Lines(out) {
		words := strings.Fields(string(line))
		if len(words) != 3 {
			continue
		}
		version := words[1]
		if dot := strings.LastIndexByte(version, '.'); dot > 0 {
			version = version[:dot]
		}
		if old, there := versions[words[0]]; !there || fact.CompareVersions(version, old) > 0 {
			versions[words[0]] = version
		}
	}
	return versions
}
