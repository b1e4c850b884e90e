package loopback

import (
	"net/http"
	"strconv"
	"strings"
)

// policy lets a page have the one style sheet below and nothing else: no
// script, no picture, no request, no frame around it (Content Security Policy
// Level 3). The hash is of style; a test compares.
const policy = "default-src 'none'; style-src '" + styleHash + "'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// styleHash is the base64 of style's SHA-256.
const styleHash = "sha256-moa8tXD+3niwR5MqDX7bHY4/8EqlgGwOzJTWjiKdpdU="

// style follows the system's light or dark, and reads well from 320 px on.
const style = `:root{color-scheme:light dark;--paper:#f5f6f8;--card:#fff;--ink:#1b1f27;--edge:#d3d8e0}
@media (prefers-color-scheme:dark){:root{--paper:#12151b;--card:#1c212a;--ink:#e9ecf1;--edge:#38404d}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:flex;align-items:center;justify-content:center;padding:1rem;background:var(--paper);color:var(--ink);font:1.0625rem/1.55 system-ui,sans-serif}
main{max-width:32rem;width:100%;padding:1.5rem;background:var(--card);border:1px solid var(--edge);border-radius:.75rem;overflow-wrap:break-word;hyphens:auto}
h1{margin:0 0 .5rem;font-size:1.375rem;line-height:1.3}
p{margin:0}
`

// what names a page.
type what string

// The pages.
const (
	almostThere   what = "almost there"
	notCompleted  what = "not completed"
	usedAlready   what = "used already"
	anotherSignIn what = "another sign-in"
	nothingHere   what = "nothing here"
)

// text is one page: two constant texts.
type text struct{ title, body string }

// texts are the pages in one language.
type texts struct {
	language string // BCP 47
	pages    func(what) text
}

func english(page what) text {
	switch page {
	case almostThere:
		return text{"Almost there", "You can close this window. Go back to where you began: it says when you are signed in."}
	case notCompleted:
		return text{"Sign-in not completed", "Your organisation's sign-in page did not let the sign-in pass. Close this window and go back to where you began: it says why."}
	case usedAlready:
		return text{"Used already", "This sign-in was answered in another tab or window. Close this one and go back to where you began; begin again there if you need to."}
	case anotherSignIn:
		return text{"Not this sign-in", "This does not belong to the sign-in under way. Close this window, go back to where you began and begin again there."}
	}
	return text{"Not a page", "There is nothing here. You can close this window."}
}

func german(page what) text {
	switch page {
	case almostThere:
		return text{"Fast geschafft", "Sie können dieses Fenster schließen. Gehen Sie dorthin zurück, wo Sie begonnen haben: Dort steht, sobald Sie angemeldet sind."}
	case notCompleted:
		return text{"Anmeldung nicht abgeschlossen", "Die Anmeldeseite Ihrer Organisation hat die Anmeldung nicht zugelassen. Schließen Sie dieses Fenster und gehen Sie dorthin zurück, wo Sie begonnen haben: Dort steht, warum."}
	case usedAlready:
		return text{"Schon verwendet", "Diese Anmeldung wurde in einem anderen Tab oder Fenster beantwortet. Schließen Sie dieses und gehen Sie dorthin zurück, wo Sie begonnen haben; beginnen Sie dort neu, wenn nötig."}
	case anotherSignIn:
		return text{"Nicht diese Anmeldung", "Das gehört nicht zur laufenden Anmeldung. Schließen Sie dieses Fenster, gehen Sie dorthin zurück, wo Sie begonnen haben, und beginnen Sie dort neu."}
	}
	return text{"Keine Seite", "Hier gibt es nichts. Sie können dieses Fenster schließen."}
}

// wordsFor picks the language that a browser prefers (RFC 9110 section
// 12.5.4): German where it wants that more than English, or names it first.
func wordsFor(accept []string) texts {
	best, de := 0.0, false
	for _, item := range strings.Split(strings.Join(accept, ","), ",") {
		tag, q := preference(item)
		isGerman := tag == "de" || strings.HasPrefix(tag, "de-")
		isEnglish := tag == "en" || strings.HasPrefix(tag, "en-")
		if (isGerman || isEnglish) && q > best {
			best, de = q, isGerman
		}
	}
	if de {
		return texts{"de", german}
	}
	return texts{"en", english}
}

// preference reads one item, "de-AT;q=0.8"; a quality that cannot be read is 0.
func preference(item string) (tag string, q float64) {
	tag, params, _ := strings.Cut(item, ";")
	tag = strings.ToLower(strings.TrimSpace(tag))
	name, value, found := strings.Cut(strings.TrimSpace(params), "=")
	if !found {
		return tag, 1
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || !strings.EqualFold(strings.TrimSpace(name), "q") || !(q >= 0 && q <= 1) {
		return tag, 0
	}
	return tag, q
}

// show writes a page: nothing in it comes from the request.
func (t texts) show(w http.ResponseWriter, status int, page what) {
	x := t.pages(page)
	html := `<!doctype html>
<html lang="` + t.language + `">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>` + x.title + ` – Postern</title>
<style>` + style + `</style>
</head>
<body>
<main>
<div role="status">
<h1>` + x.title + `</h1>
<p>` + x.body + `</p>
</div>
</main>
</body>
</html>
`
	head := w.Header()
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Content-Language", t.language)
	head.Set("Content-Length", strconv.Itoa(len(html)))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(html)) // a browser that went away is no error of ours
	flush(w)
}
