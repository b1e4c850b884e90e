package view

import (
	"strings"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/posture/catalogue"
)

// actions are what the agent will let this person do now.
func (m *maker) actions() Actions {
	if m.in.Trouble != NoTrouble {
		return Actions{Retry: m.in.Trouble != Connecting, Cancel: m.in.SigningIn}
	}
	s := m.st
	in, level2 := m.signedIn(), s.API >= 2
	return Actions{
		SignIn: (!in || m.v.Ends != "") && !m.in.SigningIn && s.Broker.URL != "", Cancel: m.in.SigningIn,
		SignOut: in, Switch: in && !m.in.SigningIn,
		Check: level2 && s.Broker.URL != "", Pause: in && level2 && s.Pause == nil, Resume: in && level2 && s.Pause != nil,
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
	managed := func() []Row {
		who := m.managed()
		add(RowManaged, w.Managed, plain(who.By, maxName))
		add(RowSupport, w.Support, plain(who.Support, maxSentence))
		return rows
	}
	add(RowVersion, w.Version, plain(m.in.Version, maxName))
	if m.in.Trouble != NoTrouble {
		return managed()
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
		add(RowHardware, w.Hardware, m.hardware(plain(why, maxSentence)))
	}
	return managed()
}

// hardware says why the broker does not know the hardware again. Brokers say
// that in English.
func (m *maker) hardware(why string) string {
	if e, ok := m.texts.Lookup(why); ok {
		return e.Sentence
	}
	if strings.HasPrefix(why, tooLittle) || m.w.Language != catalogue.English {
		return m.w.Row.TooLittle
	}
	return why
}

// tooLittle is how a broker begins to say that too little identifies a machine.
const tooLittle = "fewer than two identifiers"

// managed says whom to ask. In trouble the status, if there is one at all, is of
// somebody else's session on the same machine.
func (m *maker) managed() localapi.Managed {
	if now := m.in.Status.Managed; now != (localapi.Managed{}) || m.in.Trouble == NoTrouble {
		return now
	}
	return m.in.LastManaged
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

// codeClock is the code of a clock that is off.
const codeClock = "clock-off"

// clock is the fault of a clock that is off: sign-ins fail for it, and what is
// dated comes at the wrong time.
func (m *maker) clock() (Fault, bool) {
	w, text := m.w.Row, ""
	switch skew := m.st.Broker.ClockSkewMS; {
	case skew > maxSkew:
		text = w.ClockAhead.Of(int(skew / 1000))
	case skew < -maxSkew:
		text = w.ClockBehind.Of(int(-(skew / 1000)))
	default:
		return Fault{}, false
	}
	fix := Fix{Text: w.ClockFix}
	if e, ok := m.texts.Lookup(api.CodeBadProof); ok && e.Fix.For(m.in.System) != "" {
		fix.Text = e.Fix.For(m.in.System)
	}
	return Fault{Code: codeClock, Title: headOf(text), Fix: fix}, true
}

// ownWish is true of causes that the person at the machine wanted.
func ownWish(code string) bool {
	switch code {
	case "", state.CauseSignedOut, state.CauseSignedIn, state.CausePaused:
		return true
	}
	return false
}
