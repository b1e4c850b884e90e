package edr

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

const (
	// extensionDB is the system's own list of system extensions, which anybody
	// may read and nobody but the system may write.
	extensionDB = "/Library/SystemExtensions/db.plist"
	// extensionDir is where the system keeps the extensions themselves.
	extensionDir = "/Library/SystemExtensions/"
	// categoryPrefix begins the name of every category.
	categoryPrefix = "com.apple.system_extension."
	// maxExtensions bounds how many extensions are looked at.
	maxExtensions = 512
)

// extension is one version of a system extension. A state or category that was
// not told is empty.
type extension struct {
	Team       string
	Identifier string
	Version    string   // short version
	State      string   // as in the list: activated_enabled, …
	Categories []string // without categoryPrefix
	Path       string   // where it lies, if that was told
}

// extensions are all of them, or why they are not known.
type extensions struct {
	list   []extension
	failed fact.Reason
}

func (e extension) active() bool { return e.State == "activated_enabled" }

// waiting is an extension that is there and waits for a person's consent or for
// a switch to be turned.
func (e extension) waiting() bool {
	return strings.HasPrefix(e.State, "activated_") && !e.active()
}

// How an extension fits a row.
type match int

const (
	matchNone    match = iota
	matchTeam          // it bears the name and is of another maker
	matchProduct       // it is the product's
)

func (e extension) match(row observe.EDRRow) match {
	named := slices.ContainsFunc(row.Extensions, func(pattern string) bool {
		prefix, any := strings.CutSuffix(pattern, "*")
		return e.Identifier == pattern || any && strings.HasPrefix(e.Identifier, prefix)
	})
	switch {
	case !named:
		return matchNone
	case e.Team != "" && !slices.Contains(row.TeamIDs, e.Team):
		return matchTeam
	case e.Team == "", row.Category != "" && len(e.Categories) > 0 && !slices.Contains(e.Categories, row.Category):
		return matchNone
	}
	return matchProduct
}

// started tells whether a program is the extension's.
func (e extension) started(executable string) bool {
	if e.Path != "" && strings.HasPrefix(executable, e.Path+"/") {
		return true
	}
	rest, ok := strings.CutPrefix(executable, extensionDir)
	parts := strings.Split(rest, "/")
	return ok && len(parts) > 2 && parts[1] == e.Identifier+".systemextension"
}

// listExtensions reads the system's list, or else asks systemextensionsctl(8).
// Neither is there before macOS 10.15, which has no system extensions.
func listExtensions(ctx context.Context, m evidence.Machine, r *evidence.Reading) *extensions {
	data, err := m.ReadFile(ctx, extensionDB)
	if err == nil {
		if list, ok := parseExtensionDB(data); ok {
			r.From(extensionDB)
			return &extensions{list: list}
		}
		err = &evidence.Error{Reason: fact.ReasonUnreadable, Op: "read " + extensionDB}
	}
	why := evidence.ReasonOf(err)
	text, err := evidence.Text(ctx, m, "systemextensionsctl", "list")
	if err == nil {
		if list, ok := parseExtensionList(string(text)); ok {
			r.From("systemextensionsctl")
			return &extensions{list: list}
		}
		return &extensions{failed: fact.ReasonUnreadable}
	}
	switch told := evidence.ReasonOf(err); {
	case why == fact.ReasonNotFound && (told == fact.ReasonToolMissing || told == fact.ReasonNotFound):
		return &extensions{}
	case why == fact.ReasonNotFound:
		return &extensions{failed: told}
	}
	return &extensions{failed: why}
}

// parseExtensionDB walks db.plist: {"extensions": [{"identifier", "teamID",
// "state", "categories", "bundleVersion", "stagedBundleURL"}, …]}. Entries of
// another form are passed over; without a list of them it is not that file.
func parseExtensionDB(data []byte) ([]extension, bool) {
	root, err := evidence.ParsePlist(data)
	if err != nil {
		return nil, false
	}
	top, _ := root.(map[string]any)
	entries, ok := top["extensions"].([]any)
	if !ok {
		return nil, top["extensions"] == nil && top["version"] != nil
	}
	var out []extension
	for _, entry := range entries[:min(len(entries), maxExtensions)] {
		e, _ := entry.(map[string]any)
		x := extension{Team: text(e, "teamID"), Identifier: text(e, "identifier"), State: text(e, "state")}
		bundle, _ := e["bundleVersion"].(map[string]any)
		x.Version = text(bundle, "CFBundleShortVersionString")
		staged, _ := e["stagedBundleURL"].(map[string]any)
		x.Path = localPath(text(staged, "relative"))
		categories, _ := e["categories"].([]any)
		for _, c := range categories {
			if name, ok := c.(string); ok {
				x.Categories = append(x.Categories, strings.TrimPrefix(name, categoryPrefix))
			}
		}
		if x.Identifier != "" && x.State != "" {
			out = append(out, x)
		}
	}
	return out, true
}

func text(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

// localPath is the path of a file URL below the folder of extensions.
func localPath(u string) string {
	parsed, err := url.Parse(u)
	if err != nil || parsed.Scheme != "file" || !strings.HasPrefix(parsed.Path, extensionDir) || strings.Contains(parsed.Path, "/../") {
		return ""
	}
	return strings.TrimRight(parsed.Path, "/")
}

var (
	// extensionLine is one extension: flags, Team ID, identifier, versions in
	// parentheses (which may hold some themselves), name, state in brackets,
	// between tabs or spaces.
	extensionLine = regexp.MustCompile(`^([\s*-]*?)([A-Z0-9]{10})\s+(\S+)\s+\((.*?)\)(\s.*|)$`)
	stateInLine   = regexp.MustCompile(`\[([a-z ]+)\]\s*$`)
	countLine     = regexp.MustCompile(`^[0-9]+ extension\(s\)`)
)

// parseExtensionList reads what `systemextensionsctl list` prints. Without its
// count, its heading or one extension the text is not that list.
func parseExtensionList(text string) ([]extension, bool) {
	var out []extension
	var categories []string
	known := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if rest, ok := strings.CutPrefix(line, "--- "); ok {
			name, _, _ := strings.Cut(rest, " ")
			categories = []string{strings.TrimPrefix(name, categoryPrefix)}
			known = true
			continue
		}
		known = known || countLine.MatchString(line) || strings.HasPrefix(line, "enabled") && strings.Contains(line, "teamID")
		m := extensionLine.FindStringSubmatch(line)
		if m == nil || len(out) >= maxExtensions {
			continue
		}
		e := extension{Team: m[2], Identifier: m[3], Categories: categories}
		e.Version, _, _ = strings.Cut(m[4], "/")
		if s := stateInLine.FindStringSubmatch(m[5]); s != nil {
			e.State = strings.ReplaceAll(s[1], " ", "_")
		} else if strings.Count(m[1], "*") == 2 && !strings.Contains(m[5], "[") { // the columns enabled and active
			e.State = "activated_enabled"
		}
		out = append(out, e)
	}
	return out, known || len(out) > 0
}
