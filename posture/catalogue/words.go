package catalogue

import (
	_ "embed" // the words
	"encoding/json"
	"fmt"
)

//go:embed words.json
var allWords []byte

// vocabulary says what values are called by people: those of some facts, or
// the keys of a signal's list.
type vocabulary struct {
	Facts  []string `json:"facts,omitempty"`   // addresses; [*] stands for the key of a list entry
	KeysOf string   `json:"keys_of,omitempty"` // a signal
	// Words are by value, then by language as a BCP 47 tag; anyLanguage is for
	// names, which have no translation.
	Words map[string]map[string]string `json:"words"`
}

const anyLanguage = "any"

// lexicon are the words of one language.
type lexicon struct {
	values map[place]map[string]string
	keys   map[string]map[string]string // by signal
}

// lexicons reads the words of every language; what a language lacks is said in
// English.
func lexicons(data []byte) (map[string]lexicon, error) {
	out := map[string]lexicon{}
	for _, language := range Languages() {
		out[language] = lexicon{map[place]map[string]string{}, map[string]map[string]string{}}
	}
	var list []vocabulary
	if err := json.Unmarshal(data, &list); err != nil {
		return out, fmt.Errorf("words for values: %w", err)
	}
	for language, l := range out {
		for _, v := range list {
			said := v.in(language)
			for _, address := range v.Facts {
				if at, ok := placeOf(address); ok {
					l.values[at] = said
				}
			}
			if v.KeysOf != "" {
				l.keys[v.KeysOf] = said
			}
		}
	}
	return out, nil
}

func (v vocabulary) in(language string) map[string]string {
	out := make(map[string]string, len(v.Words))
	for value, said := range v.Words {
		out[value] = either(said[language], either(said[anyLanguage], said[English]))
	}
	return out
}

// WordOf is what people call a value of a fact, in words that stand after the
// fact's name and a colon; the key of the address may be any. Every word of a
// closed list has one, and so have some values that are free but come from
// programs, such as "windows-11". Names and numbers have none: they are said as
// they are.
func (t Texts) WordOf(address, value string) (string, bool) {
	at, ok := placeOf(address)
	if !ok {
		return "", false
	}
	word, ok := t.said().values[at][value]
	return word, ok
}

// KeyOf is what people call an entry of a signal's list whose keys are fixed
// words, such as the profiles of a firewall.
func (t Texts) KeyOf(signal, key string) (string, bool) {
	word, ok := t.said().keys[signal][key]
	return word, ok
}
