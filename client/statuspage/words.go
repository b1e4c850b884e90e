package statuspage

import (
	"bytes"
	"html/template"
	"strings"
	"unicode"

	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/posture/catalogue"
)

// words are the page's own texts; all else comes from the view. Some stand in
// the page from the beginning, the others come with each state.
type words struct {
	Language                                         string
	Skip, Asking, Waiting, NeedsScript               string
	Apps, NoApps, Open, Copy, Copied                 string
	Wrong, Required, Advised, Unread, Closes, Fix    string
	Coming, Machine, ReadAt, From, Code              string
	Timeline, NothingYet, Earlier                    string
	Sent, ReadSent, Stays, About                     string
	Good, Note, Unknown, Bad                         string
	Actions, Check, Checking, Proof                  string
	SignOut, Switch, Resume, Hide                    string
	Needs                                            string
	Pause, PauseTitle, PauseFor, PauseWhy            string
	Reason, OtherReason, OwnReason, DoPause, Cancel  string
	SignInOpened, FixOpened, Failed                  string
	LinkUsed, Again, Gone, GoneWhy, NoLink, LinkOnce string
}

func english() words {
	return words{
		Language: "en", Skip: "Skip to the content", Asking: "Asking the agent …", Waiting: "This page looks again by itself.", NeedsScript: "This page needs JavaScript.",
		Apps: "Applications", NoApps: "There are no applications to show.", Open: "Open", Copy: "Copy address", Copied: "Copied:",
		Wrong: "What is wrong", Required: "Required", Advised: "Recommended", Unread: "Could not be read", Closes: "Closed because of this:", Fix: "Fix…", Needs: "What it needs",
		Coming: "Coming up", Machine: "This computer", ReadAt: "Read at", From: "Read from", Code: "Code:",
		Timeline: "What happened", NothingYet: "Nothing has happened yet.", Earlier: "Earlier",
		Sent: "What left this computer", ReadSent: "Read all of it", Stays: "What never leaves it", About: "About",
		Good: "Good", Note: "Note", Unknown: "Not known", Bad: "Problem",
		Actions: "Actions", Check: "Check again", Checking: "Reading this computer again …", Proof: "What was read again",
		SignOut: "Sign out", Switch: "Sign in as somebody else", Resume: "Resume now", Hide: "Close this message",
		Pause: "Pause …", PauseTitle: "Pause your access", PauseFor: "How long", PauseWhy: "Every application closes until then. Your organisation sees the reason in its log.",
		Reason: "Reason", OtherReason: "Something else", OwnReason: "In your own words", DoPause: "Pause", Cancel: "Cancel",
		SignInOpened: "Finish the sign-in in the new tab.", FixOpened: "The settings have been opened.", Failed: "It did not work.",
		LinkUsed: "This link has been used", LinkOnce: "Each link to this page works once, within a minute.",
		NoLink: "This page needs a link",
		Gone:   "This page is no longer connected", GoneWhy: "The program that showed it has ended.",
		Again: "Open the page again from the Postern icon, or with: postern open --status",
	}
}

func german() words {
	return words{
		Language: "de", Skip: "Zum Inhalt", Asking: "Der Agent wird gefragt …", Waiting: "Diese Seite sieht von selbst wieder nach.", NeedsScript: "Diese Seite braucht JavaScript.",
		Apps: "Anwendungen", NoApps: "Es gibt keine Anwendungen zu zeigen.", Open: "Öffnen", Copy: "Adresse kopieren", Copied: "Kopiert:",
		Wrong: "Was nicht stimmt", Required: "Nötig", Advised: "Empfohlen", Unread: "Nicht lesbar", Closes: "Deswegen geschlossen:", Fix: "Beheben…", Needs: "Was dafür nötig ist",
		Coming: "Was bevorsteht", Machine: "Dieser Computer", ReadAt: "Gelesen um", From: "Gelesen aus", Code: "Code:",
		Timeline: "Was geschehen ist", NothingYet: "Noch ist nichts geschehen.", Earlier: "Früher",
		Sent: "Was diesen Computer verlassen hat", ReadSent: "Alles davon lesen", Stays: "Was ihn nie verlässt", About: "Über Postern",
		Good: "Gut", Note: "Hinweis", Unknown: "Nicht bekannt", Bad: "Problem",
		Actions: "Aktionen", Check: "Neu prüfen", Checking: "Dieser Computer wird neu gelesen …", Proof: "Was neu gelesen wurde",
		SignOut: "Abmelden", Switch: "Als jemand anderes anmelden", Resume: "Jetzt fortsetzen", Hide: "Meldung schließen",
		Pause: "Pausieren …", PauseTitle: "Zugang pausieren", PauseFor: "Wie lange", PauseWhy: "Bis dahin ist jede Anwendung geschlossen. Ihre Organisation sieht den Grund in ihrem Protokoll.",
		Reason: "Grund", OtherReason: "Etwas anderes", OwnReason: "In eigenen Worten", DoPause: "Pausieren", Cancel: "Abbrechen",
		SignInOpened: "Schließen Sie die Anmeldung im neuen Tab ab.", FixOpened: "Die Einstellungen wurden geöffnet.", Failed: "Das hat nicht geklappt.",
		LinkUsed: "Dieser Link wurde schon benutzt", LinkOnce: "Jeder Link zu dieser Seite gilt einmal, eine Minute lang.",
		NoLink: "Diese Seite braucht einen Link",
		Gone:   "Diese Seite ist nicht mehr verbunden", GoneWhy: "Das Programm, das sie gezeigt hat, läuft nicht mehr.",
		Again: "Öffnen Sie die Seite neu über das Postern-Symbol oder mit: postern open --status",
	}
}

// wordsFor takes a language in any way that the catalogue understands, so that
// the page and the view are in one.
func wordsFor(language string) words {
	if catalogue.For(language).Language() == catalogue.German {
		return german()
	}
	return english()
}

// indexFor writes the page in a language. It holds nothing of this computer.
func indexFor(language string) ([]byte, error) {
	t, err := template.ParseFS(assets, "assets/index.html")
	if err != nil {
		return nil, err
	}
	w := wordsFor(language)
	var b bytes.Buffer
	err = t.Execute(&b, struct {
		words
		Lengths []view.PauseLength
		Reasons []view.PauseReason
	}{w, view.PauseLengths(w.Language), view.PauseReasons(w.Language)})
	return b.Bytes(), err
}

// plain makes a text of the agent that the view has not been through fit for a
// line: no control or direction characters, which turn a text around, and not
// long.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return view.Cut(s, maxSource)
}
