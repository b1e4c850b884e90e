// Package locale says which language the person reads.
package locale

import (
	"os"
	"strings"
)

// Language is Of the environment of this process.
func Language() string { return Of(os.Getenv) }

// Of is what the person's system says that they read: a BCP 47 tag, a locale
// such as de_DE.UTF-8, or a list of them with colons, the best first; "" when
// it does not say or says "C" or "POSIX".
//
// The environment counts first, as it does everywhere on Unix (POSIX, section
// 8.2: LC_ALL over LC_MESSAGES over LANG; LANGUAGE, a list, is GNU's and counts
// before them unless the locale is C). Windows and macOS have a setting of
// their own, which is asked when the environment is silent.
func Of(getenv func(string) string) string {
	if tag, said := fromEnvironment(getenv); said {
		return tag
	}
	return systemLanguage()
}

// fromEnvironment also tells whether the environment said anything: "C" is an
// answer.
func fromEnvironment(getenv func(string) string) (tag string, said bool) {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		tag = getenv(name)
		if tag == "" {
			continue
		}
		if plain, _, _ := strings.Cut(tag, "."); plain == "C" || plain == "POSIX" {
			return "", true
		}
		if list := getenv("LANGUAGE"); list != "" {
			tag = list
		}
		return tag, true
	}
	return "", false
}
