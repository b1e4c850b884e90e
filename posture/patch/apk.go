package patch

import (
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/fact"
)

// apk answers for Alpine. Its repositories do not say which updates are for
// security; neither does anything on the system say when it was updated.
func apk(l *look) updates {
	u := nothing(fact.ReasonUnsupported)
	u.source = "/var/cache/apk"
	waits, checked, why := l.apkWaiting()
	u.checked = moment{at: checked}
	u.pending = known(waits).unless(answer{yes: why == "", why: why}).unless(l.fresh(checked))
	u.security = securityByPending(u.pending)
	return u
}

// apkWaiting compares what is installed with the indexes in the cache. Those of
// a tagged repository ("@edge …" in /etc/apk/repositories) only concern packages
// that were installed from there, and which index is whose is not told by its
// name: what may come from there is left open.
func (l *look) apkWaiting() (waits bool, checked time.Time, why fact.Reason) {
	have, why := l.apkInstalled()
	if why != "" {
		return false, checked, why
	}
	what, read := "apk-index-v1-"+digestOf(have), 0
	for _, dir := range []string{"/etc/apk/cache", "/var/cache/apk"} {
		names, missing := l.list(dir)
		if missing != "" {
			why = missing
		}
		for _, name := range names {
			at := path.Join(dir, name)
			if !strings.HasPrefix(name, "APKINDEX.") || !strings.HasSuffix(name, ".tar.gz") {
				continue
			}
			var offers map[string]string
			if _, missing := l.distil(at, what, &offers, func(r io.Reader) (any, error) { return parseAPKIndex(r, have) }); missing != "" {
				why = missing
				continue
			}
			read++
			l.r.From(at)
			if t := l.changed(at); t.After(checked) {
				checked = t
			}
			for pkg, version := range offers {
				waits = waits || alpineOrder(version, have[pkg]) > 0
			}
		}
		if read > 0 {
			break // one is a link to the other
		}
	}
	if read == 0 && why == "" {
		why = fact.ReasonNotFound
	}
	if repositories, _ := l.text("/etc/apk/repositories"); waits && hasTag(repositories) {
		return false, checked, fact.ReasonUnsupported
	}
	return waits, checked, why
}

func hasTag(repositories string) bool {
	return slices.ContainsFunc(strings.Split(repositories, "\n"), func(line string) bool {
		return strings.HasPrefix(strings.TrimSpace(line), "@")
	})
}

func (l *look) apkInstalled() (map[string]string, fact.Reason) {
	for _, db := range []string{"/lib/apk/db/installed", "/usr/lib/apk/db/installed"} {
		var have map[string]string
		_, why := l.distil(db, "apk-installed-v1", &have, func(r io.Reader) (any, error) { return parseAPKRecords(r, nil) })
		if why == fact.ReasonNotFound {
			continue
		}
		if why == "" && len(have) == 0 {
			why = fact.ReasonUnreadable
		}
		l.r.From(db)
		return have, why
	}
	return nil, fact.ReasonNotFound
}

// parseAPKIndex reads the file APKINDEX of an index; before it in the same tar
// file lies a signature.
func parseAPKIndex(r io.Reader, have map[string]string) (map[string]string, error) {
	var offers map[string]string
	err := eachTar(r, func(name string, content io.Reader) (err error) {
		if name == "APKINDEX" {
			offers, err = parseAPKRecords(content, have)
		}
		return err
	})
	if err == nil && offers == nil {
		err = errors.New("no APKINDEX inside")
	}
	return offers, err
}

// parseAPKRecords reads paragraphs with "P:name" and "V:version" (apk-tools,
// "Apk spec"): of each name the newest version. Where only is set, other names
// are passed over.
func parseAPKRecords(r io.Reader, only map[string]string) (map[string]string, error) {
	versions := map[string]string{}
	name := ""
	err := eachLine(r, func(line []byte) {
		switch {
		case len(line) == 0:
			name = ""
		case len(line) < 2 || line[1] != ':':
		case line[0] == 'P':
			name = string(line[2:])
			if _, wanted := only[name]; only != nil && !wanted {
				name = ""
			}
		case line[0] == 'V' && name != "":
			old, there := versions[name]
			if version := string(line[2:]); !there || alpineOrder(version, old) > 0 {
				versions[name] = version
			}
		}
	})
	return versions, err
}
