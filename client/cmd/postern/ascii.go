package main

import (
	"strings"
	"unicode"
)

// asciiOnly reports whether the environment says that the terminal shows ASCII
// only, or letters of an encoding that is not UTF-8: LC_ALL counts before
// LC_CTYPE before LANG (POSIX, section 8.2). Where nothing is said, as on
// Windows, texts are UTF-8.
func asciiOnly(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		locale := getenv(name)
		if locale == "" {
			continue
		}
		language, rest, named := strings.Cut(locale, ".")
		encoding, _, _ := strings.Cut(rest, "@")
		encoding = strings.ToLower(strings.ReplaceAll(encoding, "-", ""))
		return named && encoding != "utf8" || !named && (language == "C" || language == "POSIX")
	}
	return false
}

// inASCII are the characters of our own sentences, and those of the languages
// that they are in, as people write them without.
var inASCII = map[rune]string{
	'…': "...", '·': "-", '–': "-", '—': "-", '→': "->", '“': `"`, '”': `"`, '„': `"`, '’': "'", '‘': "'", '‚': "'", '\u00a0': " ",
	'ä': "ae", 'ö': "oe", 'ü': "ue", 'ß': "ss", 'Ä': "Ae", 'Ö': "Oe", 'Ü': "Ue",
}

// toASCII writes a text without other characters; what has no such form becomes
// a question mark.
func toASCII(text string) string {
	var b strings.Builder
	runes := []rune(text)
	for i, r := range runes {
		if r <= '~' {
			b.WriteRune(r)
			continue
		}
		own, ok := inASCII[r]
		if !ok {
			own = "?"
		}
		if len(own) == 2 && unicode.IsUpper(r) && i+1 < len(runes) && unicode.IsUpper(runes[i+1]) {
			own = strings.ToUpper(own)
		}
		b.WriteString(own)
	}
	return b.String()
}
