package view

import (
	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/posture/catalogue"
)

// words are all sentences of the menu itself in one language; everything else
// in it comes from the view. They are fields, not keys, so that one that is
// missing or misspelt does not build; a test holds the languages against each
// other. {…} stands for what is filled in.
type words struct {
	Language string // BCP 47

	Tooltip              string      // {headline}
	App, AppWhy          string      // {app}, {state}; {app} as App says it, {why}
	Open, Copy           string      // of an application; {address}
	MoreApps, MoreClosed view.Plural // {n}
	Group                string      // {first}, {last}, {n} applications
	NotListed            view.Plural // {n} more, in the details
	Advised              string      // before what could be, among what is wrong
	Closes               string      // {apps}
	Code                 string      // {code}
	Comes                string      // {title}, {when}
	Coming               view.Plural // {n}

	Fix, Details                                string
	Check, Checking, Retry                      string
	Cancel, SignOut, Switch                     string
	SignedInAs                                  string // {person}
	Pause, Resume                               string
	More, SentTitle, Happened, About, Row, Quit string // Row: {name}, {value}
}

func speak(language string) words {
	if language == catalogue.German {
		return german()
	}
	return english()
}

func english() words {
	return words{
		Language: "en", Tooltip: "Postern: {headline}", App: "{app} – {state}", AppWhy: "{app}: {why}",
		Open: "Open", Copy: "Copy address {address}",
		MoreApps:   view.Plural{One: "{n} more application", Other: "{n} more applications"},
		MoreClosed: view.Plural{One: "{n} more application is closed", Other: "{n} more applications are closed"},
		Group:      "{first} – {last} ({n})",
		NotListed:  view.Plural{One: "{n} more in the details…", Other: "{n} more in the details…"},
		Advised:    "Recommended", Closes: "Closed because of this: {apps}", Code: "Code: {code} (for your helpdesk)",
		Comes: "{title} {when}", Coming: view.Plural{One: "Coming up", Other: "Coming up ({n})"},
		Fix: "Fix…", Details: "Details…", Check: "Check again", Checking: "Reading this computer …", Retry: "Ask the agent again",
		Cancel: "Cancel the sign-in", SignOut: "Sign out", Switch: "Sign in as somebody else…",
		SignedInAs: "Signed in as {person}", Pause: "Pause access", Resume: "Resume now",
		More: "More", SentTitle: "What left this computer…", Happened: "What happened…", About: "About Postern", Row: "{name}: {value}",
		Quit: "Remove this icon (your access stays as it is)",
	}
}

func german() words {
	return words{
		Language: "de", Tooltip: "Postern: {headline}", App: "{app} – {state}", AppWhy: "{app}: {why}",
		Open: "Öffnen", Copy: "Adresse {address} kopieren",
		MoreApps:   view.Plural{One: "{n} weitere Anwendung", Other: "{n} weitere Anwendungen"},
		MoreClosed: view.Plural{One: "{n} weitere Anwendung ist geschlossen", Other: "{n} weitere Anwendungen sind geschlossen"},
		Group:      "{first} – {last} ({n})",
		NotListed:  view.Plural{One: "{n} weitere in den Details…", Other: "{n} weitere in den Details…"},
		Advised:    "Empfohlen", Closes: "Deswegen geschlossen: {apps}", Code: "Code: {code} (für Ihren Helpdesk)",
		Comes: "{title} {when}", Coming: view.Plural{One: "Was bevorsteht", Other: "Was bevorsteht ({n})"},
		Fix: "Beheben…", Details: "Details…", Check: "Neu prüfen", Checking: "Dieser Computer wird gelesen …", Retry: "Agenten erneut fragen",
		Cancel: "Anmeldung abbrechen", SignOut: "Abmelden", Switch: "Als jemand anderes anmelden…",
		SignedInAs: "Angemeldet als {person}", Pause: "Zugang pausieren", Resume: "Jetzt fortsetzen",
		More: "Mehr", SentTitle: "Was diesen Computer verlassen hat…", Happened: "Was geschehen ist…", About: "Über Postern", Row: "{name}: {value}",
		Quit: "Dieses Symbol entfernen (Ihr Zugang bleibt, wie er ist)",
	}
}
