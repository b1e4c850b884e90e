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

	Tooltip    string      // {headline}
	App        string      // {app}, {state}
	Open, Copy string      // of an application
	MoreApps   view.Plural // {n}
	NotListed  view.Plural // {n} more, in the details
	Wrong      view.Plural // {n}: what is wrong
	Advice     view.Plural // {n}: what could be better
	Comes      string      // {title}, {when}

	Fix, Details                          string
	Check, Checking, Retry                string
	SignIn, Cancel, SignOut, Switch       string
	SignedInAs                            string // {person}
	Pause, Resume                         string
	QuarterHour, Hour, Tomorrow           string
	SentTitle, Happened, About, Row, Quit string // Row: {name}, {value}
}

func speak(language string) words {
	if language == catalogue.German {
		return german()
	}
	return english()
}

func english() words {
	return words{
		Language: "en", Tooltip: "Postern: {headline}", App: "{app} – {state}", Open: "Open", Copy: "Copy address",
		MoreApps:  view.Plural{One: "{n} more application", Other: "{n} more applications"},
		NotListed: view.Plural{One: "{n} more in the details…", Other: "{n} more in the details…"},
		Wrong:     view.Plural{One: "What is wrong", Other: "What is wrong ({n})"},
		Advice:    view.Plural{One: "What could be better", Other: "What could be better ({n})"},
		Comes:     "{title} {when}",
		Fix:       "Fix…", Details: "Details…", Check: "Check again", Checking: "Reading this computer …", Retry: "Ask the agent again",
		SignIn: "Sign in…", Cancel: "Cancel the sign-in", SignOut: "Sign out", Switch: "Sign in as somebody else…",
		SignedInAs: "Signed in as {person}", Pause: "Pause access", Resume: "Resume now",
		QuarterHour: "For 15 minutes", Hour: "For 1 hour", Tomorrow: "Until tomorrow",
		SentTitle: "What left this computer", Happened: "What happened…", About: "About Postern", Row: "{name}: {value}",
		Quit: "Remove this icon (your access stays as it is)",
	}
}

func german() words {
	return words{
		Language: "de", Tooltip: "Postern: {headline}", App: "{app} – {state}", Open: "Öffnen", Copy: "Adresse kopieren",
		MoreApps:  view.Plural{One: "{n} weitere Anwendung", Other: "{n} weitere Anwendungen"},
		NotListed: view.Plural{One: "{n} weitere in den Details…", Other: "{n} weitere in den Details…"},
		Wrong:     view.Plural{One: "Was nicht stimmt", Other: "Was nicht stimmt ({n})"},
		Advice:    view.Plural{One: "Was besser sein könnte", Other: "Was besser sein könnte ({n})"},
		Comes:     "{title} {when}",
		Fix:       "Beheben…", Details: "Details…", Check: "Neu prüfen", Checking: "Dieser Computer wird gelesen …", Retry: "Agenten erneut fragen",
		SignIn: "Anmelden…", Cancel: "Anmeldung abbrechen", SignOut: "Abmelden", Switch: "Als jemand anderes anmelden…",
		SignedInAs: "Angemeldet als {person}", Pause: "Zugang pausieren", Resume: "Jetzt fortsetzen",
		QuarterHour: "Für 15 Minuten", Hour: "Für 1 Stunde", Tomorrow: "Bis morgen",
		SentTitle: "Was diesen Computer verlassen hat", Happened: "Was geschehen ist…", About: "Über Postern", Row: "{name}: {value}",
		Quit: "Dieses Symbol entfernen (Ihr Zugang bleibt, wie er ist)",
	}
}
