package firewall

import "strings"

// token is one word of a ruleset's text. A line break is the token "\n".
type token struct {
	text   string
	quoted bool
}

// tokens cuts the text of `nft list ruleset` into words. Comments are left
// out: they run from # to the end of the line.
func tokens(text string) []token {
	var out []token
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case c == '\\' && i+1 < len(text) && text[i+1] == '\n':
			i += 2
		case c == '#':
			if end := strings.IndexByte(text[i:], '\n'); end >= 0 {
				i += end
			} else {
				i = len(text)
			}
		case c == '"':
			end := strings.IndexByte(text[i+1:], '"')
			if end < 0 {
				end = len(text) - i - 1
			}
			out = append(out, token{text[i+1 : i+1+end], true})
			i += min(end+2, len(text)-i)
		case strings.IndexByte("\n{};,()", c) >= 0:
			out = append(out, token{text: text[i : i+1]})
			i++
		default:
			end := i + 1
			for end < len(text) && strings.IndexByte(" \t\r\n{};,()\"", text[end]) < 0 {
				end++
			}
			out = append(out, token{text: text[i:end]})
			i = end
		}
	}
	return out
}

// reader goes through tokens.
type reader struct {
	list  []token
	at    int
	chain string // whose rules are read
}

// peek is the next token, empty at the end.
func (r *reader) peek() token {
	if r.at < len(r.list) {
		return r.list[r.at]
	}
	return token{}
}

func (r *reader) ended() bool { return r.at >= len(r.list) }

func (r *reader) next() token {
	t := r.peek()
	r.at++
	return t
}

// is tells whether the next token is this unquoted word.
func (r *reader) is(words ...string) bool {
	t := r.peek()
	if r.ended() || t.quoted {
		return false
	}
	for _, w := range words {
		if t.text == w {
			return true
		}
	}
	return false
}

// take skips the next token if it is this word.
func (r *reader) take(words ...string) bool {
	if r.is(words...) {
		r.at++
		return true
	}
	return false
}

// breaks skips line breaks and semicolons.
func (r *reader) breaks() {
	for r.take("\n", ";") {
	}
}

// endOfRule is true before the end of a rule or of its chain.
func (r *reader) endOfRule() bool { return r.ended() || r.is("\n", ";", "}") }

// block skips what is in braces, whose opening one has been read.
func (r *reader) block() {
	for depth := 1; depth > 0 && !r.ended(); {
		switch {
		case r.is("{"):
			depth++
		case r.is("}"):
			depth--
		}
		r.at++
	}
}
