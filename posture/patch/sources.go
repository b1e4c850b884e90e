package patch

import (
	"io"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/fact"
)

const aptLists = "/var/lib/apt/lists"

// aptSource is one suite that sources.list(5) tells apt to use, as the beginning
// that the names of its lists have.
type aptSource string

// aptSources reads which suites are in use. Lists of others may lie around
// until the next refresh.
func (l *look) aptSources() ([]aptSource, fact.Reason) {
	var all []aptSource
	old, why := l.text("/etc/apt/sources.list")
	if why != "" && why != fact.ReasonNotFound {
		return nil, why
	}
	all = append(all, parseSourceLines(old)...)
	more, why := l.parts("/etc/apt/sources.list.d", ".list", ".sources")
	for _, p := range more {
		if strings.HasSuffix(p.path, ".list") {
			all = append(all, parseSourceLines(p.text)...)
		} else {
			all = append(all, parseSourceStanzas(p.text)...)
		}
	}
	return all, why
}

// parseSourceLines reads "deb [option=value …] uri suite component …".
func parseSourceLines(text string) []aptSource {
	var all []aptSource
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "deb")
		if !ok || rest == "" || rest[0] != ' ' && rest[0] != '\t' {
			continue
		}
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, "[") {
			_, rest, _ = strings.Cut(rest, "]")
		}
		if f := strings.Fields(rest); len(f) >= 2 {
			all = appendSource(all, f[0], f[1])
		}
	}
	return all
}

// parseSourceStanzas reads the deb822 form.
func parseSourceStanzas(text string) []aptSource {
	var all []aptSource
	for _, fields := range controlFields(text) {
		if isNo(fields["enabled"]) || !hasWord(fields["types"], "deb") {
			continue
		}
		for _, uri := range strings.Fields(fields["uris"]) {
			for _, suite := range strings.Fields(fields["suites"]) {
				all = appendSource(all, uri, suite)
			}
		}
	}
	return all
}

func hasWord(text, word string) bool {
	for _, w := range strings.Fields(text) {
		if strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}

// isNo knows how apt writes "no".
func isNo(value string) bool {
	switch strings.ToLower(value) {
	case "no", "false", "without", "off", "disable", "0":
		return true
	}
	return false
}

// maxField bounds a field with its continued lines: nothing that is looked at
// is longer.
const maxField = 1 << 14

// controlFields reads paragraphs of "Name: value" with continued lines; names
// are in lower case.
func controlFields(text string) []map[string]string {
	var all []map[string]string
	var value strings.Builder
	fields, name := map[string]string{}, ""
	end := func() { // of a field
		if name != "" {
			fields[name] = value.String()
		}
		name = ""
		value.Reset()
	}
	done := func() { // with a paragraph
		if end(); len(fields) > 0 {
			all, fields = append(all, fields), map[string]string{}
		}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.TrimSpace(line) == "":
			done()
		case line[0] == ' ' || line[0] == '\t':
			if value.Len() < maxField {
				value.WriteString(" " + strings.TrimSpace(line))
			}
		default:
			end()
			if key, rest, ok := strings.Cut(line, ":"); ok {
				name = strings.ToLower(strings.TrimSpace(key))
				value.WriteString(strings.TrimSpace(rest))
			}
		}
	}
	done()
	return all
}

// appendSource adds the beginning of names that apt gives to files from there:
// the URI without its scheme and who logs in, unusual characters encoded, each
// slash an underscore. What is on a disc brings no updates.
func appendSource(all []aptSource, uri, suite string) []aptSource {
	scheme, rest, ok := strings.Cut(uri, ":")
	if !ok || scheme == "cdrom" {
		return all
	}
	if host, found := strings.CutPrefix(rest, "//"); found {
		authority, _, _ := strings.Cut(host, "/")
		if at := strings.LastIndexByte(authority, '@'); at >= 0 {
			host = host[at+1:]
		}
		rest = host
	}
	rest = strings.TrimRight(rest, "/") + "/"
	if strings.HasSuffix(suite, "/") { // a repository without suites
		rest += strings.TrimPrefix(suite, "/")
	} else {
		rest += "dists/" + suite + "/"
	}
	rest, _, _ = strings.Cut(rest, "$(")
	return append(all, aptSource(listName(rest)))
}

func listName(uri string) string {
	var b strings.Builder
	for i := 0; i < len(uri); i++ {
		switch c := uri[i]; {
		case c == '/':
			b.WriteByte('_')
		case c <= ' ' || c >= 0x7f || strings.IndexByte(`\|{}[]<>"^~_=!@#$%&*`, c) >= 0:
			const hex = "0123456789abcdef"
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// aptRelease is the head of an InRelease or Release file.
type aptRelease struct {
	Origin       string    `json:"origin,omitempty"`
	Label        string    `json:"label,omitempty"`
	Suite        string    `json:"suite,omitempty"`
	Codename     string    `json:"codename,omitempty"`
	Version      string    `json:"version,omitempty"`
	Date         time.Time `json:"date"`
	ValidUntil   time.Time `json:"valid_until"`
	NotAutomatic bool      `json:"not_automatic,omitempty"`
	Upgrades     bool      `json:"upgrades,omitempty"` // ButAutomaticUpgrades
}

// security is true of the archives that distributions of the Debian family
// keep for security updates.
func (e aptRelease) security() bool {
	return strings.HasSuffix(strings.ToLower(e.Label), "-security") ||
		strings.HasSuffix(e.Suite, "-security") || strings.HasSuffix(e.Codename, "-security")
}

// hasSecurity is true of a distribution's main archive where there is a
// security archive beside it.
func (e aptRelease) hasSecurity() bool {
	switch e.Origin {
	case "Debian":
		return e.Label == "Debian" && e.Suite != "unstable" && e.Suite != "testing" && e.Suite != "experimental" && e.Codename != "sid"
	case "Ubuntu":
		return e.Label == "Ubuntu"
	}
	return false
}

// parseRelease reads up to the digests of the files, which fill most of it.
func parseRelease(r io.Reader) (aptRelease, error) {
	var head strings.Builder
	inDigests := false
	err := eachLine(r, func(line []byte) {
		if len(line) > 0 && line[0] != ' ' {
			name, _, _ := strings.Cut(string(line), ":")
			inDigests = name == "MD5Sum" || strings.HasPrefix(name, "SHA")
		}
		if !inDigests && len(line) > 0 && head.Len() < 1<<16 {
			head.Write(line)
			head.WriteByte('\n')
		}
	})
	var e aptRelease
	for _, f := range controlFields(head.String()) {
		e = aptRelease{
			Origin: f["origin"], Label: f["label"], Suite: f["suite"], Codename: f["codename"], Version: f["version"],
			Date: releaseTime(f["date"]), ValidUntil: releaseTime(f["valid-until"]),
			NotAutomatic: f["notautomatic"] == "yes", Upgrades: f["butautomaticupgrades"] == "yes",
		}
	}
	return e, err
}

// releaseTime reads "Sat, 16 May 2026 10:19:45 UTC"; older tools write +0000.
func releaseTime(s string) time.Time {
	for _, layout := range []string{"Mon, _2 Jan 2006 15:04:05 MST", "Mon, _2 Jan 2006 15:04:05 -0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
