package patch

import (
	"strconv"
	"strings"

	"github.com/postern-zt/postern/posture/fact"
)

// aptConf is apt's configuration (apt.conf(5)): values by their full name in
// lower case; lists keep all their elements.
type aptConf map[string][]string

// value is the last one set.
func (c aptConf) value(name string) string {
	all := c[strings.ToLower(name)]
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

func (l *look) aptConf() (aptConf, fact.Reason) {
	c := aptConf{}
	files, why := l.parts("/etc/apt/apt.conf.d", "", ".conf")
	for _, f := range files {
		c.parse(f.text)
	}
	last, missing := l.text("/etc/apt/apt.conf")
	if missing != "" && missing != fact.ReasonNotFound && why == "" {
		why = missing
	}
	c.parse(last)
	return c, why
}

// Bounds on what one file may say; more is damage.
const (
	maxScope  = 1 << 10 // bytes of the names of open braces
	maxClears = 1 << 8
	maxNames  = 1 << 14
)

// parse adds one file: Name "value"; and Name { Inner "value"; }; with // and
// # comments. "Name:: value" adds to a list; #clear empties what it names.
func (c aptConf) parse(text string) {
	var words []string
	scopes, clears := []string{""}, 0 // names of the open braces, each with those around it
	for _, token := range confTokens(text) {
		scope := scopes[len(scopes)-1]
		switch token {
		case "{":
			if len(words) > 0 {
				scope += strings.ToLower(words[0]) + "::"
			}
			if scopes, words = append(scopes, scope), nil; len(scope) > maxScope || len(scopes) > maxScope {
				return
			}
		case "}", ";":
			if len(words) > 1 && words[0] == "#clear" && clears < maxClears {
				clears++
				c.clear(scope + strings.ToLower(words[1]))
			} else {
				c.statement(scope, words)
			}
			words = nil
			if token == "}" && len(scopes) > 1 {
				scopes = scopes[:len(scopes)-1]
			}
		default:
			words = append(words, token)
		}
	}
}

// statement keeps a value; one without a name is an element of the list that
// the scope is.
func (c aptConf) statement(scope string, words []string) {
	name := scope
	switch {
	case len(words) == 0:
		return
	case len(words) > 1:
		name += strings.ToLower(words[0])
	}
	name = strings.TrimSuffix(name, "::")
	if _, there := c[name]; there || len(c) < maxNames {
		c[name] = append(c[name], strings.Trim(words[len(words)-1], `"`))
	}
}

func (c aptConf) clear(name string) {
	for have := range c {
		if have == name || strings.HasPrefix(have, name+"::") {
			delete(c, have)
		}
	}
}

// confTokens splits at spaces, quotes and the characters of the syntax, and
// drops comments.
func confTokens(text string) []string {
	var tokens []string
	for text != "" {
		switch {
		case strings.IndexByte(" \t\r\n", text[0]) >= 0:
			text = text[1:]
		case strings.HasPrefix(text, "/*"):
			_, text, _ = strings.Cut(text[2:], "*/")
		case strings.HasPrefix(text, "//"), text[0] == '#' && !strings.HasPrefix(text, "#clear"):
			_, text, _ = strings.Cut(text, "\n")
		case strings.IndexByte("{};", text[0]) >= 0:
			tokens, text = append(tokens, text[:1]), text[1:]
		case text[0] == '"':
			value, rest, _ := strings.Cut(text[1:], `"`)
			tokens, text = append(tokens, `"`+value+`"`), rest
		default:
			end := strings.IndexAny(text, " \t\r\n{};\"")
			if end < 0 {
				end = len(text)
			}
			tokens, text = append(tokens, text[:end]), text[end:]
		}
	}
	return tokens
}

// aptAuto tells whether unattended-upgrades will run and take security
// updates: the package is there, apt-daily's script is told to refresh and to
// run it, and its timer (or, without systemd, its cron job) is on.
func (l *look) aptAuto(in installed, c aptConf, why fact.Reason) answer {
	if l.there("/var/lib/linuxmint/mintupdate-automatic-upgrades-enabled") {
		return known(true)
	}
	program := known(in.has("unattended-upgrades"))
	if in.digest == "" {
		program = l.is("/usr/bin/unattended-upgrade")
	}
	if program.says(false) {
		return known(false)
	}
	if why != "" {
		return unknown(why)
	}
	if c.value("APT::Periodic::Enable") == "0" || !interval(c.value("APT::Periodic::Unattended-Upgrade")) ||
		!interval(c.value("APT::Periodic::Update-Package-Lists")) || !c.allowsSecurity() {
		return known(false)
	}
	l.r.From("/etc/apt/apt.conf.d")
	return program.and(either(
		l.enabled("apt-daily-upgrade.timer").and(l.enabled("apt-daily.timer")),
		l.is("/run/systemd/system").not().and(l.is("/etc/cron.daily/apt-compat"))))
}

// interval is true of "1", "7", "12h", "always"; "0" and nothing mean never.
func interval(s string) bool {
	if s == "always" {
		return true
	}
	n, err := strconv.Atoi(strings.TrimRight(s, "smhd"))
	return err == nil && n > 0
}

// allowsSecurity is true when unattended-upgrades may take something from a
// security archive.
func (c aptConf) allowsSecurity() bool {
	for _, list := range []string{"unattended-upgrade::allowed-origins", "unattended-upgrade::origins-pattern"} {
		for _, origin := range c[list] {
			origin = strings.ToLower(origin)
			if strings.Contains(origin, "security") || strings.Contains(origin, "*") {
				return true
			}
		}
	}
	return false
}
