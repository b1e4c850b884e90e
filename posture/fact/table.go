package fact

import "time"

// Signal names, as they travel.
const (
	SignalOS         = "os_version"
	SignalPatch      = "patch"
	SignalDisk       = "disk"
	SignalFirewall   = "firewall"
	SignalEDR        = "edr"
	SignalIntegrity  = "integrity"
	SignalScreenLock = "screen_lock"
	SignalEnrolment  = "enrolment"
	SignalDevice     = "device"
	SignalCustom     = "custom"
)

// Words of the enumerated facts.
const (
	OSLinux   = "DESKTOP_LINUX" // names of Google's access levels, device.os_type
	OSWindows = "DESKTOP_WINDOWS"
	OSMac     = "DESKTOP_MAC"

	Encrypted   = "ENCRYPTED" // names of Google's access levels, device.encryption_status
	Unencrypted = "UNENCRYPTED"
	EncryptNone = "ENCRYPTION_UNSUPPORTED"

	Decrypted  = "decrypted" // how far the conversion of a volume is
	Decrypting = "decrypting"
	Encrypting = "encrypting"
	Complete   = "complete"

	RoleSystem    = "system" // what a volume is for
	RoleData      = "data"
	RoleBoot      = "boot"      // boot loader, kernel, EFI system partition
	RoleRecovery  = "recovery"  // the maker's or the system's own rescue system
	RoleSwap      = "swap"      // memory written to disk
	RoleRemovable = "removable" // sticks, cards, disks on a plug
	RoleOther     = "other"     // images and what no person's data is on

	UnlockNone     = "none" // nothing is needed: a clear key, or a key file on the same disk
	UnlockKeyFile  = "key-file"
	UnlockPassword = "password"
	UnlockRecovery = "recovery-key"
	UnlockTPM      = "tpm"
	UnlockTPMPin   = "tpm-pin"
	UnlockToken    = "token"  // FIDO2, smart card, network
	UnlockPerson   = "person" // the account's own password, as FileVault and systemd-homed do

	InboundAccept = "accept"
	InboundReject = "reject"
	InboundDrop   = "drop"

	ModeOff     = "off"     // protects nothing
	ModePassive = "passive" // watches, blocks nothing
	ModeReduced = "reduced" // runs with less than it should, such as CrowdStrike's reduced functionality mode
	ModeActive  = "active"

	Disabled   = "disabled" // integrity: words of protections with more than two positions
	Configured = "configured"
	Custom     = "custom"
	Permissive = "permissive"
	Reduced    = "reduced"
	Enforcing  = "enforcing"
	Enabled    = "enabled"
	Running    = "running"
	Full       = "full"

	LockdownNone            = "none" // kernel_lockdown(7)
	LockdownIntegrity       = "integrity"
	LockdownConfidentiality = "confidentiality"

	JoinNone       = "none" // what the machine belongs to
	JoinRegistered = "registered"
	JoinDomain     = "domain"
	JoinCloud      = "cloud"
	JoinHybrid     = "hybrid"

	OriginBuiltIn      = "built-in"
	OriginBroker       = "broker"
	OriginManaged      = "managed"
	OriginUserSettings = "user-settings"
)

// slow is the validity of facts that only an installation or a restart moves.
const slow = 10 * time.Minute

func origins() []string {
	return []string{OriginBuiltIn, OriginBroker, OriginManaged, OriginUserSettings}
}

func osDefs() []Def {
	s := SignalOS
	return []Def{
		{Signal: s, Field: "type", Kind: Enum, Order: Identity, Ranks: []string{OSLinux, OSWindows, OSMac}, Validity: slow, Meaning: "kind of desktop system"},
		{Signal: s, Field: "product", Kind: Text, Order: Identity, Validity: slow, Meaning: "product or distribution identifier, as os-release ID; windows-10, windows-11, windows-server; macos"},
		{Signal: s, Field: "family", Kind: Text, Order: Identity, Validity: slow, Meaning: "what the distribution is made from, as the first known word of os-release ID_LIKE, or the product"},
		{Signal: s, Field: "version", Kind: Version, Order: HigherIsBetter, Validity: slow, Meaning: "version as the maker writes it"},
		{Signal: s, Field: "release", Kind: Text, Order: Neutral, Validity: slow, Meaning: "name of the release, such as 24H2, bookworm or Sequoia"},
		{Signal: s, Field: "build", Kind: Version, Order: HigherIsBetter, Validity: slow, Meaning: "build, with revision; on Linux the running kernel's release"},
		{Signal: s, Field: "revision", Kind: Text, Order: Neutral, Validity: slow, Meaning: "what an update between versions adds: UBR, ProductVersionExtra, BUILD_ID"},
		{Signal: s, Field: "edition", Kind: Text, Order: Neutral, Validity: slow, Meaning: "edition or variant"},
		{Signal: s, Field: "kernel", Kind: Version, Order: HigherIsBetter, Validity: slow, Meaning: "running kernel's release"},
		{Signal: s, Field: "architecture", Kind: Text, Order: Identity, Validity: slow, Meaning: "processor architecture of the system: amd64, arm64, 386, …"},
		{Signal: s, Field: "rolling", Kind: Boolean, Order: Neutral, Validity: slow, Meaning: "the distribution has no releases and so no end of support"},
		{Signal: s, Field: "release_known", Kind: Boolean, Order: Neutral, Validity: slow, Meaning: "the release is in the table of releases"},
		{Signal: s, Field: "support_end", Kind: Timestamp, Order: LaterIsBetter, Validity: slow, Meaning: "first moment without the maker's free security updates, by the table of releases"},
		{Signal: s, Field: "extended_support_end", Kind: Timestamp, Order: LaterIsBetter, Validity: slow, Meaning: "first moment without the maker's paid security updates, by the table of releases"},
	}
}

func patchDefs() []Def {
	s := SignalPatch
	return []Def{
		{Signal: s, Field: "last_update_at", Kind: Timestamp, Order: LaterIsBetter, Validity: slow, Meaning: "when an update of the system, not of a driver or of definitions, was last installed"},
		{Signal: s, Field: "build_released_at", Kind: Timestamp, Order: LaterIsBetter, Validity: slow, Meaning: "when the maker published the installed build, by the table of releases"},
		{Signal: s, Field: "newest_known", Kind: Version, Order: Neutral, Validity: slow, Meaning: "newest build of the installed release that the table of releases knows"},
		{Signal: s, Field: "current", Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Validity: slow, Meaning: "the installed build is at least the newest known one"},
		{Signal: s, Field: "pending", Kind: Boolean, Order: FalseIsBetter, Negative: Bool(true), Validity: slow, Meaning: "any known update waits, by local metadata"},
		{Signal: s, Field: "security_pending", Kind: Boolean, Order: FalseIsBetter, Negative: Bool(true), Validity: slow, Meaning: "a known security update waits, by local metadata"},
		{Signal: s, Field: "checked_at", Kind: Timestamp, Order: LaterIsBetter, Validity: slow, Meaning: "when the system last asked successfully which updates there are"},
		{Signal: s, Field: "reboot_pending", Kind: Boolean, Order: FalseIsBetter, Negative: Bool(true), Validity: slow, Meaning: "an installed update waits for a restart"},
		{Signal: s, Field: "kernel_current", Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Validity: slow, Meaning: "the newest installed kernel is the running one"},
		{Signal: s, Field: "livepatch", Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Validity: slow, Meaning: "a live patch is loaded into the running kernel"},
		{Signal: s, Field: "auto_update", Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Validity: slow, Meaning: "security updates are installed without a person"},
	}
}

func diskDefs() []Def {
	s := SignalDisk
	encryption := []string{Unencrypted, EncryptNone, Encrypted}
	unlock := []string{UnlockNone, UnlockKeyFile, UnlockPassword, UnlockRecovery, UnlockTPM, UnlockTPMPin, UnlockToken, UnlockPerson}
	roles := []string{RoleSystem, RoleData, RoleBoot, RoleRecovery, RoleSwap, RoleRemovable, RoleOther}
	return []Def{
		{Signal: s, Field: "system_status", Kind: Enum, Order: Ranked, Ranks: encryption, Negative: Str(Unencrypted), Meaning: "encryption of the volume the system runs from"},
		{Signal: s, Field: "system_protected", Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Meaning: "that volume is wholly encrypted, and nobody opens it without a secret: not suspended, no clear key"},
		{Signal: s, Field: "data_protected", Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Meaning: "every fixed volume for data is protected in that sense"},
		{Signal: s, Field: "swap_clear", Kind: Boolean, Order: FalseIsBetter, Negative: Bool(true), Meaning: "memory is written to a disk without encryption"},
		{Signal: s, Field: "status", Keyed: true, Kind: Enum, Order: Ranked, Ranks: encryption, Negative: Str(Unencrypted), Meaning: "encryption of one volume"},
		{Signal: s, Field: "protected", Keyed: true, Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Meaning: "the volume is wholly encrypted, and nobody opens it without a secret"},
		{Signal: s, Field: "conversion", Keyed: true, Kind: Enum, Order: Ranked, Ranks: []string{Decrypted, Decrypting, Encrypting, Complete}, Meaning: "how far encryption of the volume is"},
		{Signal: s, Field: "suspended", Keyed: true, Kind: Boolean, Order: FalseIsBetter, Meaning: "protection is switched off for a while, the key lies in the clear"},
		{Signal: s, Field: "method", Keyed: true, Kind: Text, Order: Neutral, Meaning: "how it is encrypted: bitlocker, filevault, luks2, zfs, with the cipher where it is known"},
		{Signal: s, Field: "unlock", Keyed: true, Kind: Enum, Order: Neutral, Ranks: unlock, Meaning: "the weakest way that opens the volume"},
		{Signal: s, Field: "role", Keyed: true, Kind: Enum, Order: Neutral, Ranks: roles, Meaning: "what the volume is for"},
		{Signal: s, Field: "name", Keyed: true, Kind: Text, Order: Neutral, Meaning: "where it is mounted, or its drive letter or label"},
	}
}

func firewallDefs() []Def {
	s := SignalFirewall
	inbound := []string{InboundAccept, InboundReject, InboundDrop}
	return []Def{
		{Signal: s, Field: "enabled", Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Meaning: "inbound traffic is filtered by default, in every profile and for both IP versions"},
		{Signal: s, Field: "default_inbound", Kind: Enum, Order: Ranked, Ranks: inbound, Negative: Str(InboundAccept), Meaning: "what happens to inbound traffic no rule names; the weakest of all profiles"},
		{Signal: s, Field: "stealth", Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Meaning: "the machine does not answer probes"},
		{Signal: s, Field: "block_all", Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Meaning: "all inbound traffic is blocked, exceptions too"},
		{Signal: s, Field: "manager", Kind: Text, Order: Neutral, Meaning: "who sets the rules: ufw, firewalld, nftables, iptables, local, group-policy, mdm, or a product's name"},
		{Signal: s, Field: "enabled", Keyed: true, Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Meaning: "one profile (domain, private, public) or IP version (ipv4, ipv6) is filtered"},
		{Signal: s, Field: "default_inbound", Keyed: true, Kind: Enum, Order: Ranked, Ranks: inbound, Negative: Str(InboundAccept), Meaning: "the same for one profile or IP version"},
		{Signal: s, Field: "active", Keyed: true, Kind: Boolean, Order: Neutral, Meaning: "a network of this profile is connected now"},
	}
}

func edrDefs() []Def {
	s := SignalEDR
	return []Def{
		{Signal: s, Field: "installed", Keyed: true, Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Meaning: "the product's program is there and is the declared one"},
		{Signal: s, Field: "running", Keyed: true, Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Meaning: "a process of the product runs, with the system's rights where the product has them"},
		{Signal: s, Field: "healthy", Keyed: true, Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Meaning: "the product itself says that it protects; unknown where it cannot be asked"},
		{Signal: s, Field: "mode", Keyed: true, Kind: Enum, Order: Ranked, Ranks: []string{ModeOff, ModePassive, ModeReduced, ModeActive}, Negative: Str(ModeOff), Meaning: "how much the product does"},
		{Signal: s, Field: "registered", Keyed: true, Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Meaning: "the product knows its organisation: onboarded, agent id set"},
		{Signal: s, Field: "tamper_protected", Keyed: true, Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Meaning: "the product defends itself against being switched off"},
		{Signal: s, Field: "version", Keyed: true, Kind: Version, Order: HigherIsBetter, Meaning: "version of the product"},
		{Signal: s, Field: "signatures_at", Keyed: true, Kind: Timestamp, Order: LaterIsBetter, Meaning: "when its definitions were made or last updated"},
		{Signal: s, Field: "name", Keyed: true, Kind: Text, Order: Neutral, Meaning: "name of the product for people"},
		{Signal: s, Field: "origin", Keyed: true, Kind: Enum, Order: Identity, Ranks: origins(), Meaning: "who declared the product"},
	}
}
