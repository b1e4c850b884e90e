package patch

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	releases "github.com/postern-zt/postern/posture/release"
)

// windowsLast sets when an update of Windows itself was last installed, by the
// agent's history. Where that names none, as it keeps a hundred entries and
// definitions alone fill them in a few weeks, the list of installed updates is
// asked for those that are known to bring a build.
func windowsLast(ctx context.Context, r *evidence.Reading, table releases.Table, agent wuAnswer, err error) {
	why := fact.ReasonNotFound
	if err != nil {
		why = evidence.ReasonOf(err)
	}
	var newest time.Time
	patterns := titlePatterns()
	for _, e := range agent.History {
		at := agentTime(e.Date)
		if e.installed() && patterns.isWindows(table, e.Title, e.Categories) && at.After(newest) && !aheadOf(r.Machine(), at) {
			newest = at
		}
	}
	if newest.IsZero() {
		newest = quickFixes(ctx, r, table)
	}
	if newest.IsZero() {
		r.Unknown("last_update_at", "", why)
		return
	}
	r.Observe("last_update_at", "", fact.Time(newest))
}

// installed is true of an installation that succeeded.
func (e wuEntry) installed() bool {
	return e.Operation.is("1", "install", "installation", "uoinstallation") && e.Result.is("2", "succeeded", "orcsucceeded")
}

const maxTitle = 512

// titles are the patterns of titles that are the same in every language.
type titles struct{ kb, build, month, product, feature *regexp.Regexp }

func titlePatterns() titles {
	return titles{
		kb:      regexp.MustCompile(`(?i)\bKB(\d{6,8})\b`),
		build:   regexp.MustCompile(`\(\s*(\d{5})\.\d+\s*\)`), // "(26100.4061)"
		month:   regexp.MustCompile(`^\s*20\d\d-(?:0[1-9]|1[0-2])\b`),
		product: regexp.MustCompile(`(?i)Windows[\s\x{00A0}]*(?:1[0-9]\b|Server)|Microsoft server operating system|Serverbetriebssystem|Server-Betriebssystem`),
		feature: regexp.MustCompile(`(?i)Windows[\s\x{00A0}]*1[0-9],[\s\x{00A0}]*\pL+[\s\x{00A0}]*\d\dH[12]\b`), // "version" is translated
	}
}

// isWindows tells an update of Windows itself by its title, as Microsoft
// names them in every language: with a KB number that brought a known build,
// with a build in brackets, or with year and month before the name of Windows;
// or a feature update by its version. What is none of that, such as drivers,
// definitions, .NET, the removal tool or an app, does not count.
func (p titles) isWindows(table releases.Table, title string, categories []string) bool {
	if len(title) > maxTitle || otherCategory(categories) {
		return false
	}
	lower := strings.ToLower(title)
	for _, other := range []string{".net", "defender", "servicing stack", "wartungsstapel", "dynamic update", "flash player", "malicious software", "driver", "office"} {
		if strings.Contains(lower, other) {
			return false
		}
	}
	number := ""
	if m := p.kb.FindStringSubmatch(title); m != nil {
		number = m[1]
	}
	if slices.Contains(otherUpdates(), number) {
		return false
	}
	if bringsBuild(table, "KB"+number) {
		return true
	}
	if m := p.build.FindStringSubmatch(title); m != nil && number != "" && m[1] >= "10240" {
		return true
	}
	if number == "" {
		return p.feature.MatchString(title)
	}
	return p.month.MatchString(title) && p.product.MatchString(title)
}

func bringsBuild(table releases.Table, code string) bool {
	_, client := table.ByCode(releases.Windows, code)
	_, server := table.ByCode(releases.WindowsServer, code)
	return client || server
}

// otherUpdates are the KB numbers of updates that come again and again and do
// not update Windows: definitions and platform of Defender, its definitions of
// old, the removal tool, the Windows Security app, and the two that prepare a
// feature update.
func otherUpdates() []string {
	return []string{"2267602", "4052623", "2461484", "890830", "5007651", "4023057", "5001716"}
}

// otherCategory is true where the agent names a class of updates that is not of
// Windows. Its names are translated, so none of them proves anything.
func otherCategory(categories []string) bool {
	for _, c := range categories {
		switch classOf(c) {
		case "drivers", "definition updates", "applications", "tools":
			return true
		}
		if strings.Contains(strings.ToLower(c), "defender") {
			return true
		}
	}
	return false
}

// classOf is a class of updates by its English name in lower case; the agent
// may give its identifier instead (Microsoft, "WSUS classification GUIDs").
func classOf(category string) string {
	name := strings.ToLower(strings.Trim(strings.TrimSpace(category), "{}"))
	switch name {
	case "0fa1201d-4330-4fa8-8ae9-b877473b6441":
		return "security updates"
	case "e6cf1350-c01b-414d-a61f-263d14d133b4":
		return "critical updates"
	case "e0789628-ce08-4437-be74-2495b842f43b":
		return "definition updates"
	case "cd5ffd1e-e932-4e3a-bf74-18bf0b1bbd83":
		return "updates"
	case "28bc880e-0592-4cbf-8f95-c79b17911d5f":
		return "update rollups"
	case "b54e7d24-7add-428f-8b75-90a396fa584f":
		return "feature packs"
	case "68c5b0a3-d1a6-4553-ae49-01d3a7827828":
		return "service packs"
	case "b4832bd8-e735-4761-8daf-37f882276dab":
		return "tools"
	case "ebfc1fc5-71a4-4f7b-9aca-3b9a503104a0":
		return "drivers"
	case "3689bdc8-b205-4af4-8d4a-a63924c5e9d5":
		return "upgrades"
	}
	return name
}

// securityAmong tells whether one of the updates that wait is a security
// update; ok is false when none is known to be one and one of them is of a
// class that is not known, as in another language.
func securityAmong(waiting []wuUpdate) (security, ok bool) {
	ok = true
	for _, u := range waiting {
		known := false
		for _, c := range u.Categories {
			switch classOf(c) {
			case "security updates", "critical updates":
				return true, true
			case "definition updates", "updates", "update rollups", "feature packs", "service packs", "tools", "drivers", "upgrades", "applications":
				known = true
			}
		}
		if s := strings.ToLower(strings.TrimSpace(u.Severity)); s != "" && s != "unspecified" {
			return true, true
		}
		ok = ok && known
	}
	return false, ok
}

// quickFixes finds the newest of the installed updates that are known to bring
// a build (Win32_QuickFixEngineering, whose list holds others too); zero when
// there is none. Its InstalledOn is a day as Americans write it, whatever the
// language, or a FILETIME in hexadecimal.
func quickFixes(ctx context.Context, r *evidence.Reading, table releases.Table) time.Time {
	const class = "Win32_QuickFixEngineering"
	rows, err := r.Machine().WMI(ctx, `root\cimv2`, class)
	if err != nil {
		return time.Time{}
	}
	var newest time.Time
	for _, row := range rows {
		code, _ := row.Text("HotFixID")
		text, _ := row.Text("InstalledOn")
		at := parseInstalledOn(text, r.Machine().Now().Location())
		if bringsBuild(table, strings.ToUpper(code)) && at.After(newest) && !aheadOf(r.Machine(), at) {
			newest = at
		}
	}
	if !newest.IsZero() {
		r.From(class)
	}
	return newest
}

func parseInstalledOn(s string, zone *time.Location) time.Time {
	s, _, _ = strings.Cut(strings.TrimSpace(s), " ") // "6/5/2017 12:00:00 AM"
	if len(s) == 16 && !strings.Contains(s, "/") {
		n, err := strconv.ParseUint(s, 16, 64)
		const sinceUnix = 116444736000000000 // hundreds of nanoseconds from 1601 to 1970
		if err != nil || n < sinceUnix || n > sinceUnix+4e16 {
			return time.Time{}
		}
		return time.Unix(int64(n-sinceUnix)/1e7, 0).UTC()
	}
	for _, form := range []string{"1/2/2006", "20060102", "2006-01-02"} {
		if at, err := time.ParseInLocation(form, s, zone); err == nil && at.Year() >= 2000 {
			return at
		}
	}
	return time.Time{}
}
