package catalogue

import (
	"slices"
	"strings"
	"unicode"
)

// Texts is the catalogue in one language. Codes, facts, pages and what is bad
// are the same in each; what a language lacks is said in English, one by one.
// The zero value is the English one.
type Texts struct{ in *book }

// For gives the catalogue in the first of the languages that there is, and in
// English if there is none. It takes what systems say: BCP 47 tags such as
// "de-AT" (RFC 5646), in a list by commas as in Accept-Language, and locales
// such as "de_DE.UTF-8", in a list by colons as in LANGUAGE (locale(7)). Only
// the language itself counts, and the order of the list.
func For(languages string) Texts {
	tags := strings.FieldsFunc(languages, func(r rune) bool { return r == ',' || r == ':' || unicode.IsSpace(r) })
	for _, tag := range tags {
		if i := strings.IndexAny(tag, "-_.@;"); i >= 0 {
			tag = tag[:i]
		}
		tag = strings.ToLower(tag)
		if b := books().of[tag]; b != nil {
			return Texts{b}
		}
		if tag == "c" || tag == "posix" { // the locale of no language, which programs speak English in
			break
		}
	}
	return Texts{}
}

// Languages lists the languages that the catalogue is written in, as BCP 47
// tags, English first.
func Languages() []string { return []string{English, German} }

// The languages, as BCP 47 tags.
const (
	English = "en"
	German  = "de"
)

// Language is that of the texts, as a BCP 47 tag.
func (t Texts) Language() string { return t.said().language }

// Lookup finds the entry of a code.
func (t Texts) Lookup(code string) (Entry, bool) {
	b := t.said()
	i, ok := b.byCode[code]
	if !ok {
		return Entry{}, false
	}
	return b.entries[i], true
}

// FindingOf finds what is said of a fact; the key of the address may be any.
func (t Texts) FindingOf(address string) (Finding, bool) {
	f, ok := t.finding(address)
	f.Worst = slices.Clone(f.Worst)
	return f, ok
}

// Title is what people call a signal, such as "Disk encryption"; a signal that
// has no title is called by its own name.
func (t Texts) Title(signal string) string {
	if title, ok := t.said().titles[signal]; ok {
		return title
	}
	return signal
}

func (t Texts) said() *book {
	if t.in != nil {
		return t.in
	}
	return books().english
}
