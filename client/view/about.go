package view

import (
	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
)

// actions are what the agent will let this person do now.
func (m *maker) actions() Actions {
	if m.in.Trouble != NoTrouble {
		return Actions{Retry: m.in.Trouble != Connecting, Cancel: m.in.SigningIn}
	}
	s := m.st
	in, level2 := m.signedIn(), s.API >= 2
	return Actions{
		SignIn: !in && !m.in.SigningIn && s.Broker.URL != "", Cancel: m.in.SigningIn,
		SignOut: in, Switch: in && !m.in.SigningIn,
		Check: level2, Pause: in && level2 && s.Pause == nil, Resume: in && level2 && s.Pause != nil,
		Sent: in && level2, Timeline: level2,
	}
}

func (m *maker) about() []Row {
	w, s := m.w.Row, m.st
	var rows []Row
	add := func(id, name, value string) {
		if value != "" {
			rows = append(rows, Row{id, name, value})
		}
	}
	add(RowVersion, w.Version, plain(m.in.Version, maxName))
	if m.in.Trouble != NoTrouble {
		return rows
	}
	if s.Version != "" {
		add(RowAgent, w.Agent, m.scope())
	}
	if m.signedIn() {
		add(RowPerson, w.Person, m.wholePerson(*s.User))
	}
	add(RowBroker, w.Broker, m.broker())
	device := plain(s.Device.ID, maxName)
	if !s.Device.Enrolled || device == "" {
		device = w.NotEnrolled
	}
	add(RowDevice, w.Device, device)
	add(RowKey, w.Key, m.key())
	if why := s.Device.HardwareReason; why != "" {
		text := plain(why, maxSentence)
		if e, ok := m.texts.Lookup(why); ok {
			text = e.Sentence
		}
		add(RowHardware, w.Hardware, text)
	}
	add(RowManaged, w.Managed, plain(s.Managed.By, maxName))
	add(RowSupport, w.Support, plain(s.Managed.Support, maxSentence))
	return rows
}

func (m *maker) scope() string {
	version := plain(m.st.Version, maxName)
	if m.st.Scope == api.ScopeSystem {
		return Fill(m.w.Row.ScopeSystem, "version", version)
	}
	return Fill(m.w.Row.ScopeUser, "version", version)
}

func (m *maker) wholePerson(u localapi.User) string {
	name, mail := plain(u.Name, maxName), plain(u.Email, maxName)
	if name != "" && mail != "" && name != mail {
		return name + " (" + mail + ")"
	}
	return m.person(u)
}

func (m *maker) broker() string {
	switch url := plain(m.st.Broker.URL, maxURL); {
	case url == "":
		return m.w.Head.NoBroker
	case !m.st.Broker.Reachable:
		return Fill(m.w.Row.BrokerAway, "url", url)
	default:
		return url
	}
}

// key says where the device key lives by its own account, and what the broker
// could prove of that.
func (m *maker) key() string {
	w, k := m.w.Row, m.st.Device.Key
	if k.Protection == "" {
		return ""
	}
	where := m.where(k.Protection)
	proof, ok := map[api.KeyAttested]string{
		api.AttestedEKTofu: w.ProvenTofu, api.AttestedEKChain: w.ProvenChain, api.AttestedVerified: w.ProvenVerified,
	}[api.KeyAttested(k.Attested)]
	if !ok {
		return Fill(w.KeyUnproven, "key", where)
	}
	return Fill(w.KeyProven, "key", where, "proof", proof)
}

// where says in words where a key lives by its holder's own account.
func (m *maker) where(protection string) string {
	w := m.w.Row
	switch api.KeyProtection(protection) {
	case api.KeyTPM:
		return w.KeyTPM
	case api.KeySecureEnclave:
		return w.KeyEnclave
	case api.KeyOSKeystore:
		return w.KeyOS
	case api.KeyFile:
		return w.KeyFile
	}
	return plain(protection, maxName)
}

// maxSkew is the difference of clocks that is worth a line, in milliseconds
// (protocol, "Sign in").
const maxSkew = 60_000

func (m *maker) notes() []Row {
	w, s := m.w.Row, m.st
	var rows []Row
	if s.API < localapi.API {
		rows = append(rows, Row{RowOlder, w.Older, Fill(w.OlderAgent, "version", plain(s.Version, maxName))})
	}
	switch skew := s.Broker.ClockSkewMS; {
	case skew > maxSkew:
		rows = append(rows, Row{RowClock, w.Clock, w.ClockAhead.Of(int(skew / 1000))})
	case skew < -maxSkew:
		rows = append(rows, Row{RowClock, w.Clock, w.ClockBehind.Of(int(-(skew / 1000)))})
	}
	if s.State == localapi.StateLimited && m.signedIn() {
		if c := m.count(); len(c.closed) == 0 && c.open == len(m.v.Apps) {
			rows = append(rows, Row{RowAccess, w.Access, m.w.Head.Limited})
		}
	}
	if r := m.in.Reading; r != nil && r.Rights == localapi.RightsUser {
		rows = append(rows, Row{RowRead, w.Read, w.ReadRights})
	}
	return rows
}

// PauseReason is why somebody pauses.
type PauseReason struct {
	ID   string // names the choice
	Told string // what the agent and the organisation's log are told
	Text string // how it is said to the person
}

// PauseReasons are the reasons that a menu offers.
func PauseReasons(language string) []PauseReason {
	w, en := speak(language).Row, english().Row
	return []PauseReason{{"trouble", en.Trouble, w.Trouble}, {"meeting", en.Meeting, w.Meeting}, {"private", en.Private, w.Private}}
}

// pauseReason is a reason in the person's language, or in their own words.
func (m *maker) pauseReason(reason string) string {
	for _, r := range PauseReasons(m.w.Language) {
		if r.Told == reason {
			return r.Text
		}
	}
	return plain(reason, localapi.MaxPauseReason)
}

// ownWish is true of causes that the person at the machine wanted.
func ownWish(code string) bool {
	switch code {
	case "", state.CauseSignedOut, state.CauseSignedIn, state.CausePaused:
		return true
	}
	return false
}
