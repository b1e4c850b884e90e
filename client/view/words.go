package view

import (
	"strconv"
	"strings"

	"github.com/postern-zt/postern/posture/catalogue"
)

// words are all sentences of this room in one language. They are fields, not
// keys, so that a sentence that is missing or misspelt does not build; a test
// holds the languages against each other. {…} stands for what is filled in.
type words struct {
	Language string // BCP 47

	Months    [12]string
	Date      string // "{day} {month}"
	DateYear  string
	Today     string // with {time}, as all three
	Tomorrow  string
	Yesterday string
	DayAfter  string // tomorrow, without a time
	OnDate    string // {date} {time}
	From      string // {when}
	Soon      string

	// Lower are the first words of sentences that begin with a small letter
	// after a colon.
	Lower []string
	// Labels name the facts, by address; [*] stands for any key.
	Labels map[string]string

	Head    headWords
	App     appWords
	Fault   faultWords
	Row     rowWords
	Explain explainWords
	Event   eventWords
	Sent    sentWords
	Notice  noticeWords
}

// Plural is a sentence for one thing and one for {n} of them, none included.
// English and German have no other numbers (Unicode CLDR, plural rules).
type Plural struct{ One, Other string }

type headWords struct {
	NotRunning, NotAnswering, NoAccess, NotOwner, Refused, Connecting string
	BadSettings                                                       string
	SigningIn, FinishSignIn                                           string
	NotSignedIn, NotSignedInWhy, SignInEnded                          string
	HintSignIn, AdviceOnly                                            string
	SignIn, SignInAgain, SignInApps                                   string
	HelpAt                                                            string // {support}
	StartingWhy, StartingFix                                          string
	NoneYet                                                           string
	NoBroker                                                          string
	Paused, PausedWhy                                                 string // {when}, {reason}
	Starting, UnknownState                                            string
	Unreachable, AllClosed                                            string // {rest}
	StayOpen                                                          Plural // {n}, {when}
	NoApps, NoneMine                                                  string
	Open                                                              Plural // {n}
	Healthy, Limited, NotAllMet                                       string
	OpenAnd                                                           string // {open}, {rest}
	AppClosed, AppClosedWhy                                           string // {app}, {why}
	AppsClosed, AppsClosedWhy                                         Plural // {n}, {why}
	EverythingClosed                                                  string // {why}
	More                                                              Plural // {n}
	ConnectingApp                                                     string // {app}
	ConnectingApps, AndConnecting                                     Plural // {n}
	NothingMore, BrokerRefused                                        string
	Ends, EndsNow, EndsNote                                           string // {when}
}

type appWords struct {
	Open, Connecting, Closed, Denied, Paused, NotMine, Unknown string
	ByCode                                                     string // {code}
	Worse                                                      string // {what}
}

type faultWords struct {
	NotMet, NotKnown, WillBe string // {name}
	OfSignal                 string // {signal}, {text}
	NotRead                  string
	Ask, AskCode             string // {support}, {code}
	Helpdesk                 string // in place of {support}
	Wrong, Advice            Plural // {n}
	WrongAnd                 string // {wrong}, {advice}
}

type rowWords struct {
	Person, Version, Agent, Broker, Device, Key, Hardware, Clock, Managed, Support, Older, Access, Read string
	ScopeSystem, ScopeUser                                                                              string // {version}
	BrokerAway                                                                                          string // {url}
	NotEnrolled                                                                                         string
	KeyTPM, KeyEnclave, KeyOS, KeyFile                                                                  string
	KeyProven, KeyUnproven                                                                              string // {key}, {proof}
	ProvenTofu, ProvenChain, ProvenVerified                                                             string
	ClockAhead, ClockBehind                                                                             Plural // {n} seconds
	ClockFix                                                                                            string
	OlderAgent                                                                                          string
	TooLittle                                                                                           string
	ReadRights                                                                                          string
	Trouble, Meeting, Private                                                                           string // reasons of a pause
	Quarter, Hour, Hours4, Tomorrow                                                                     string // lengths of a pause
	Unreadable                                                                                          string
}

type explainWords struct {
	NoSuchApp           string // {app}
	IsOpen              string // {app}
	IsConnecting        string
	IsClosed, IsWhy     string // {app}, {why}
	IsPaused            string // {app}, {when}
	IsNotMine           string
	Since               string // {when}
	Met, Unmet, Unsure  string
	WhichApply          string
	NextAlone           string
	NextWait, NextAfter string
	NextBroker          string
	NextSignIn          string
	NextPause           string // {when}
	NextRenew           string
	NextAsk             string

	LetThrough, NotJudged   string
	OnlyReported            string
	Later                   string // {when}, {state}
	AsOf, Nothing           string
	NeedKey, NeedSignIn     string
	NeedRecent, NeedOther   string
	OneOf, Together         string // {list}
	Choice                  string // {what}, {state}
	Fact                    string // {signal}, {fact}
	ReadsKey, ReadsHardware string
	ReadsPerson             string
	ReadsNetwork, ReadsTime string
	ReadsOther              string
}

type eventWords struct {
	Started, StartedAgain, SignedIn, SignedOut, SignedOutWhy  string
	Apps                                                      Plural // {n}, in place of names
	Opened, Closed, ClosedWhy, Denied, DeniedWhy              string // {apps}, {why}
	Posture, PostureWorse, Offline, Online, Paused, PausedFor string // {why}
	Resumed, Checked, Other                                   string
	And                                                       string // between the last two of a list
}

type sentWords struct {
	Nothing                                       string
	Accepted, Rejected, Away, Waiting             string // {when}, {to}, {why}
	Renewal                                       string
	DeviceTitle                                   string
	Software, Model, Apps, Serial, UUID, Chip     string
	Hashed, Yes, No, NotKnown, NotThere, TwoWays  string
	StaysFiles, StaysWeb, StaysKeys, StaysUnasked string
	More                                          Plural
	State                                         string
	Again                                         string // {time}, {signals}, {changed}
	Signals, Changed                              Plural
	Seconds, Minutes                              Plural
	Unchanged                                     string
	Before, After, Differs                        string
	Never                                         string
	NotTold                                       string // {why}
}

type noticeWords struct {
	ClosedOne            string // {app}
	ClosedMany           Plural
	Changing             string // {app}
	ChangingBody         string
	Well, WellBody       string // {apps}
	Gone, GoneBody       string
	Ended, EndedBody     string
	EndsTen, EndsTwo     string
	EndsBody             string // {when}
	ComingBody           string // {apps}
	ComingNoApps         string
	Fix, Details, SignIn string
	SignInAgain          string
	Failed, FailedBody   string
	NoTray, NoTrayBody   string
}

// speak finds the words of a language that a system names in any way that the
// catalogue understands, so that its sentences and these are in one.
func speak(language string) *words {
	if catalogue.For(language).Language() == catalogue.German {
		return german()
	}
	return english()
}

// Fill puts values into a sentence: name, value, name, value … What is put in
// is never looked at again.
func Fill(sentence string, pairs ...string) string {
	list := make([]string, 0, len(pairs))
	for i := 0; i+1 < len(pairs); i += 2 {
		list = append(list, "{"+pairs[i]+"}", pairs[i+1])
	}
	return strings.NewReplacer(list...).Replace(sentence)
}

// Of is the sentence for n things; pairs are as for Fill.
func (p Plural) Of(n int, pairs ...string) string {
	sentence := p.Other
	if n == 1 {
		sentence = p.One
	}
	return Fill(sentence, append([]string{"n", strconv.Itoa(n)}, pairs...)...)
}

// list joins names as a sentence does: "a, b and c".
func (w *words) list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " " + w.Event.And + " " + names[last]
}

// fragment is the first sentence of a text as it stands after a colon: without
// its full stop, and small where the language wants it.
func (w *words) fragment(text string) string {
	if i := strings.Index(text, ". "); i >= 0 {
		text = text[:i]
	}
	text = strings.TrimSuffix(text, ".")
	for _, first := range w.Lower {
		if strings.HasPrefix(text, first+" ") {
			return strings.ToLower(text[:1]) + text[1:]
		}
	}
	return text
}
