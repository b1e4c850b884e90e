package patch

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const dpkgStatus = "/var/lib/dpkg/status"

// installed is what dpkg has unpacked or installed, packages on hold included.
type installed struct {
	Native   string      `json:"native"` // architecture of the system: that of the package dpkg
	Packages [][2]string `json:"packages"`
	digest   string
	versions map[string]string // by name:architecture
}

// has tells whether a package of that name is there, of whatever architecture.
func (in installed) has(name string) bool {
	i, there := slices.BinarySearchFunc(in.Packages, name+":", func(p [2]string, want string) int {
		return cmp.Compare(p[0], want)
	})
	return there || i < len(in.Packages) && strings.HasPrefix(in.Packages[i][0], name+":")
}

// dpkgInstalled reads dpkg's database (dpkg-query(1); Debian Policy, chapter 5).
func (l *look) dpkgInstalled() (installed, fact.Reason) {
	var in installed
	essence, why := l.distil(dpkgStatus, "dpkg-installed-v1", &in, func(r io.Reader) (any, error) { return parseDpkgStatus(r) })
	if why != "" {
		return in, why
	}
	if len(in.Packages) == 0 {
		return in, fact.ReasonUnreadable
	}
	sum := sha256.Sum256(essence)
	in.digest = hex.EncodeToString(sum[:8])
	in.versions = make(map[string]string, len(in.Packages))
	for _, p := range in.Packages {
		in.versions[p[0]] = p[1]
	}
	return in, ""
}

// stanza is what is needed of one paragraph of a control file.
type stanza struct {
	name, version, arch, status, phased, depends []byte
}

// field keeps the value of a line that is needed. The stanza owns its bytes.
func (s *stanza) field(line []byte) {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || len(name) == 0 {
		return
	}
	switch name[0] { // most lines of most files are none of these
	case 'P', 'V', 'A', 'S', 'D':
	default:
		return
	}
	value = bytes.TrimSpace(value)
	switch string(name) {
	case "Package":
		s.name = append(s.name[:0], value...)
	case "Version":
		s.version = append(s.version[:0], value...)
	case "Architecture":
		s.arch = append(s.arch[:0], value...)
	case "Status":
		s.status = append(s.status[:0], value...)
	case "Phased-Update-Percentage":
		s.phased = append(s.phased[:0], value...)
	case "Depends":
		s.depends = append(s.depends[:0], value...)
	}
}

// clear forgets the values, keeping the memory for the next stanza's.
func (s *stanza) clear() {
	s.name, s.version, s.arch = s.name[:0], s.version[:0], s.arch[:0]
	s.status, s.phased, s.depends = s.status[:0], s.phased[:0], s.depends[:0]
}

// eachStanza gives f every paragraph that names a package. A file that ends in
// the middle of a line was cut, and is an error.
func eachStanza(r io.Reader, f func(s *stanza)) error {
	var s stanza
	end := &ending{r: r, last: '\n'}
	done := func() {
		if len(s.name) > 0 {
			f(&s)
		}
		s.clear()
	}
	err := eachLine(end, func(line []byte) {
		switch {
		case len(line) == 0:
			done()
		case line[0] != ' ' && line[0] != '\t':
			s.field(line)
		}
	})
	done()
	if err == nil && end.last != '\n' {
		err = &evidence.Error{Reason: fact.ReasonUnreadable, Op: "read a list of packages", Err: io.ErrUnexpectedEOF}
	}
	return err
}

// ending is a reader that remembers the last byte it gave.
type ending struct {
	r    io.Reader
	last byte
}

// Read passes on what the reader gives.
func (e *ending) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if n > 0 {
		e.last = p[n-1]
	}
	return n, err
}

func parseDpkgStatus(r io.Reader) (installed, error) {
	in := installed{Packages: [][2]string{}}
	var all []string // names of packages for every architecture: apt counts them to the native one
	err := eachStanza(r, func(s *stanza) {
		words := bytes.Fields(s.status)
		if len(words) != 3 || len(s.version) == 0 {
			return
		}
		switch string(words[2]) {
		case "not-installed", "config-files":
			return
		}
		switch name := string(s.name); string(s.arch) {
		case "all", "":
			all = append(all, name, string(s.version))
		default:
			if name == "dpkg" {
				in.Native = string(s.arch)
			}
			in.Packages = append(in.Packages, [2]string{name + ":" + string(s.arch), string(s.version)})
		}
	})
	for i := 0; i < len(all); i += 2 {
		in.Packages = append(in.Packages, [2]string{all[i] + ":" + in.Native, all[i+1]})
	}
	slices.SortFunc(in.Packages, func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	return in, err
}

// offered is what a list of packages (a Packages file) has for what is installed.
type offered struct {
	Same   []string    `json:"same,omitempty"`   // name:architecture of what is offered as it is installed
	Newer  [][3]string `json:"newer,omitempty"`  // name:architecture, version, percentage of a phased update
	Kernel string      `json:"kernel,omitempty"` // release of the newest kernel that an installed kernel package asks for
}

// parsePackages keeps of a list what is installed in that or an older version.
func parsePackages(r io.Reader, in installed) (offered, error) {
	var o offered
	var key []byte
	err := eachStanza(r, func(s *stanza) {
		arch := string(s.arch)
		if arch == "all" {
			arch = in.Native
		}
		key = append(append(append(key[:0], s.name...), ':'), arch...)
		have, there := in.versions[string(key)]
		if !there {
			return
		}
		switch c := debianOrder(string(s.version), have); {
		case c > 0:
			o.Newer = append(o.Newer, [3]string{string(key), string(s.version), string(s.phased)})
		case c == 0:
			o.Same = append(o.Same, string(key))
		}
		if bytes.HasPrefix(s.name, []byte("linux-image-")) {
			o.Kernel = laterKernel(o.Kernel, dependedKernel(string(s.depends)))
		}
	})
	return o, err
}

// dependedKernel finds the release in the "linux-image-6.1.0-55-amd64" that a
// package standing for the newest kernel depends on.
func dependedKernel(depends string) string {
	for _, d := range strings.FieldsFunc(depends, func(r rune) bool { return r == ',' || r == '|' }) {
		name, _, _ := strings.Cut(strings.TrimSpace(d), " ")
		if release, ok := strings.CutPrefix(name, "linux-image-"); ok && release != "" && isDigit(release[0]) {
			return release
		}
	}
	return ""
}
