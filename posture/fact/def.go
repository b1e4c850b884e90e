package fact

import "time"

// Limits of a report (protocol, "Attest").
const (
	MaxString  = 256 // bytes of one string
	MaxEntries = 64  // entries of one list
)

// DefaultValidity is how long the last good value of a fact stands when a
// re-read fails for a transient reason.
const DefaultValidity = 60 * time.Second

// Signal names, as they travel.
const (
	SignalOS       = "os_version"
	SignalPatch    = "patch"
	SignalDisk     = "disk"
	SignalFirewall = "firewall"
	SignalEDR      = "edr"
)

// Order says which of two values of a fact is the worse one.
type Order string

// The orders.
const (
	HigherIsBetter Order = "higher" // versions
	LaterIsBetter  Order = "later"  // timestamps
	TrueIsBetter   Order = "true"
	FalseIsBetter  Order = "false"
	Ranked         Order = "ranked"   // Def.Ranks, worst first
	Identity       Order = "identity" // any change is worse: the thing is another thing now
)

// Def declares one fact: its place, type, order and validity.
type Def struct {
	Signal   string
	Field    string
	Keyed    bool // one per list entry, addressed signal[key].field
	Kind     Kind
	Order    Order
	Ranks    []string // for Enum: the closed list; with Order Ranked, worst first
	Validity time.Duration
	Negative Value // what the attribute reads when the signal or entry is absent
	Meaning  string
}

// Words of the enumerated facts.
const (
	OSLinux   = "DESKTOP_LINUX" // names of Google's access levels, device.os_type
	OSWindows = "DESKTOP_WINDOWS"
	OSMac     = "DESKTOP_MAC"

	Encrypted   = "ENCRYPTED" // names of Google's access levels, device.encryption_status
	Unencrypted = "UNENCRYPTED"
	EncryptNone = "ENCRYPTION_UNSUPPORTED"

	InboundAccept = "accept"
	InboundReject = "reject"
	InboundDrop   = "drop"

	OriginBuiltIn      = "built-in"
	OriginBroker       = "broker"
	OriginManaged      = "managed"
	OriginUserSettings = "user-settings"
)

// Defs lists every fact. A fact that is not here does not exist: the broker
// refuses a report that carries one under a known signal.
func Defs() []Def {
	encryption := []string{Unencrypted, EncryptNone, Encrypted}
	return []Def{
		{Signal: SignalOS, Field: "type", Kind: Enum, Order: Identity, Ranks: []string{OSLinux, OSWindows, OSMac}, Meaning: "kind of desktop system"},
		{Signal: SignalOS, Field: "product", Kind: Text, Order: Identity, Meaning: "product or distribution identifier, as os-release ID"},
		{Signal: SignalOS, Field: "version", Kind: Version, Order: HigherIsBetter, Meaning: "version as the maker writes it"},
		{Signal: SignalOS, Field: "build", Kind: Version, Order: HigherIsBetter, Meaning: "build or running kernel release"},
		{Signal: SignalPatch, Field: "last_update_at", Kind: Timestamp, Order: LaterIsBetter, Meaning: "when an update was last installed"},
		{Signal: SignalPatch, Field: "security_pending", Kind: Boolean, Order: FalseIsBetter, Negative: Bool(false), Meaning: "a known security update waits, by local metadata"},
		{Signal: SignalPatch, Field: "reboot_pending", Kind: Boolean, Order: FalseIsBetter, Negative: Bool(false), Meaning: "an installed update waits for a restart"},
		{Signal: SignalDisk, Field: "system_status", Kind: Enum, Order: Ranked, Ranks: encryption, Negative: Str(Unencrypted), Meaning: "encryption of the volume the system runs from"},
		{Signal: SignalDisk, Field: "status", Keyed: true, Kind: Enum, Order: Ranked, Ranks: encryption, Negative: Str(Unencrypted), Meaning: "encryption of one volume"},
		{Signal: SignalFirewall, Field: "enabled", Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Meaning: "inbound traffic is filtered by default"},
		{Signal: SignalFirewall, Field: "default_inbound", Kind: Enum, Order: Ranked, Ranks: []string{InboundAccept, InboundReject, InboundDrop}, Negative: Str(InboundAccept), Meaning: "what happens to inbound traffic no rule names"},
		{Signal: SignalEDR, Field: "installed", Keyed: true, Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Meaning: "the product's program is there and is the declared one"},
		{Signal: SignalEDR, Field: "running", Keyed: true, Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Meaning: "a process of the product runs"},
		{Signal: SignalEDR, Field: "origin", Keyed: true, Kind: Enum, Order: Identity, Ranks: []string{OriginBuiltIn, OriginBroker, OriginManaged, OriginUserSettings}, Meaning: "who declared the product"},
	}
}

// Lookup finds the declaration of a fact.
func Lookup(signal, field string, keyed bool) (Def, bool) {
	for _, d := range Defs() {
		if d.Signal == signal && d.Field == field && d.Keyed == keyed {
			if d.Validity == 0 {
				d.Validity = DefaultValidity
			}
			return d, true
		}
	}
	return Def{}, false
}

// Clip cuts s to MaxString bytes at a character boundary.
func Clip(s string) string {
	if len(s) <= MaxString {
		return s
	}
	n := MaxString
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}
