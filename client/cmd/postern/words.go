package main

import (
	"strings"

	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/platform/locale"
	"github.com/postern-zt/postern/posture/catalogue"
)

// words are the command line's own words in one language: what stands between
// the sentences of the view and of the catalogue, which come translated. Help
// and manual pages are in English. They are fields, not keys, so that a word
// that is missing or misspelt does not build; a test holds the languages
// against each other. {…} stands for what is filled in.
type words struct {
	Language string // BCP 47
	Status   statusWords
	Posture  postureWords
	Config   configWords
	Session  sessionWords
	Open     openWords
	Version  versionWords
	Fail     failWords
	Usage    usageWords

	// Breaks are long words with a soft hyphen (U+00AD) wherever a narrow
	// column may break them.
	Breaks []string
}

type statusWords struct {
	Required   string
	Advised    string
	Unknown    string
	Fix        string
	Keeps      string
	LastClosed string
	Coming     string
	Back       string
	Stays      string
	Reading    string
	Foreign    string
	CtrlC      string
	SignIn     string
	Resume     string
}

type postureWords struct {
	ByAgent          string
	ByItself         string
	ByReplay         string // {machine}
	Recorded         string // {folder}
	RightsSystem     string // {who}
	RightsUser       string // {who}
	Check            string
	State            string
	Found            string
	Fix              string
	Signal           string
	Value            string
	Reason           string
	LabelFix         string
	LabelReason      string
	Good             string
	Note             string
	Unknown          string
	Advice           string
	Bad              string
	Read             string
	Counts           string // {bad}, {advice}, {unknown}
	NotJudged        string
	AllWell          string
	LastUpdate       string // {when}
	NothingMore      string
	NotAsked         string
	ReadAt           string // {time}
	ReadFrom         string // {source}
	Cut              string
	ReadsItself      string // {why}
	SettingsLeftOut  string // {why}
	NoRecording      string // {path}
	NotRecording     string // {path}, {why}
	RecordHint       string
	RecordExists     string // {path}
	RecordAndMachine string
}

type configWords struct {
	File           string // {path}
	Setting        string
	Value          string
	Origin         string
	Source         string
	LabelOrigin    string
	LabelSource    string
	None           string
	Warning        string
	Managed        string
	FromFile       string
	Default        string
	ReadsItself    string // {why}
	Unreadable     string // {why}
	UnreadableHint string // {path}
}

type sessionWords struct {
	OpeningBrowser  string
	WaitingThere    string
	NoBrowser       string
	OpenLink        string
	Paste           string
	OtherSignIn     string
	NotWhole        string
	Left            string // {time}
	SignedInAs      string // {who}
	Already         string // {who}
	Asking          string
	SignedOut       string
	Cancelled       string
	Why             string
	NothingHappened string
	NothingSent     string
	NothingSentHint string
}

type openWords struct {
	Opened    string // {app}, {url}
	NoBrowser string // {app}
	Yourself  string // {url}
	Many      string // {name}
	NameOne   string // {list}
	NoSuch    string // {name}
	NoApps    string
	SeeAll    string
	Meant     string // {list}
	NoPage    string // {app}
	Connect   string // {address}
	Explain   string // {command}
	EndPause  string // {command}
	PageShown string
	PageLink  string
}

type versionWords struct {
	Command      string // {product}, {version}, {level}
	Agent        string // {product}, {version}, {scope}, {level}
	NoAgent      string
	AgentUnknown string // {why}
	Asked        string // {path}
	Older        string
	Newer        string
}

type failWords struct {
	Agent          string // {path}
	Hint           string // {text}
	Detail         string // {text}
	NotRunning     string
	NotRunningHint string
	BrokeOff       string
	BrokeOffHint   string
	NoAccess       string
	NoAccessHint   string
	Cancelled      string
	TimedOut       string
	TimedOutHint   string
	NotWorked      string // {why}
}

type usageWords struct {
	See            string // {command}
	Meant          string // {list}
	NoCommand      string
	UnknownCommand string // {name}
	NoArgument     string // {word}
	NoApp          string
	OneApp         string
	UnknownFlag    string // {flag}
	NeedsValue     string // {flag}
	BadValue       string // {flag}, {value}
	PauseReason    string
	PauseLength    string
	Shells         string
	ManFolder      string
	OneCommand     string
}

// speak finds the words of a language as a system names it; the choice is the
// catalogue's, so that its sentences and these are in one.
func speak(language string) *words {
	// To ask the catalogue is to read it, which takes longer than most commands;
	// who has no wish, or English as the first one, is answered without.
	first := language
	if i := strings.IndexAny(language, "-_.@;:, "); i >= 0 {
		first = language[:i]
	}
	if language == "" || strings.EqualFold(first, catalogue.English) {
		return english()
	}
	if catalogue.For(language).Language() == catalogue.German {
		return german()
	}
	return english()
}

// said are the words in the person's language.
func (a *app) said() *words {
	if a.words != nil {
		return a.words()
	}
	return speak(locale.Of(a.getenv))
}

// fill puts values into a sentence: name, value, name, value …
func fill(sentence string, pairs ...string) string { return view.Fill(sentence, pairs...) }
