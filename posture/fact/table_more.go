package fact

func integrityDefs() []Def {
	s := SignalIntegrity
	yes := func(field, meaning string) Def {
		return Def{Signal: s, Field: field, Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Meaning: meaning}
	}
	no := func(field, meaning string) Def {
		return Def{Signal: s, Field: field, Kind: Boolean, Order: FalseIsBetter, Negative: Bool(true), Meaning: meaning}
	}
	rank := func(field, meaning string, worstFirst ...string) Def {
		return Def{Signal: s, Field: field, Kind: Enum, Order: Ranked, Ranks: worstFirst, Negative: Str(worstFirst[0]), Meaning: meaning}
	}
	return []Def{
		yes("secure_boot", "the firmware starts only signed boot loaders"),
		no("setup_mode", "the firmware's keys can be replaced by anyone (UEFI SetupMode)"),
		rank("boot_policy", "what the start of the system accepts, as Apple's startup security has it", Permissive, Reduced, Full),
		yes("tpm_present", "there is a TPM"),
		yes("tpm_usable", "the TPM answers and makes keys"),
		{Signal: s, Field: "tpm_version", Kind: Version, Order: HigherIsBetter, Meaning: "version of the TPM specification"},
		yes("secure_enclave", "there is a Secure Enclave"),
		rank("sip", "system integrity protection of macOS, by its rows", Disabled, Custom, Enabled),
		yes("sealed_system", "the system volume is sealed and its seal is checked"),
		yes("gatekeeper", "programs are checked before they first run"),
		{Signal: s, Field: "xprotect", Kind: Version, Order: HigherIsBetter, Meaning: "version of XProtect's definitions"},
		rank("vbs", "virtualisation-based security of Windows", Disabled, Configured, Running),
		yes("hvci", "memory integrity (hypervisor-protected code integrity) runs"),
		yes("credential_guard", "Credential Guard runs"),
		rank("lockdown", "kernel lockdown of Linux (kernel_lockdown(7))", LockdownNone, LockdownIntegrity, LockdownConfidentiality),
		rank("access_control", "mandatory access control of Linux", Disabled, Permissive, Enforcing),
		{Signal: s, Field: "access_control_system", Kind: Text, Order: Neutral, Meaning: "which one: selinux, apparmor, …"},
		no("developer_mode", "protections are loosened for developers"),
		no("debug_mode", "the kernel can be debugged, or loads unsigned or test-signed code"),
	}
}

func screenLockDefs() []Def {
	s := SignalScreenLock
	return []Def{
		{Signal: s, Field: "enabled", Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Meaning: "the screen of the person at it locks by itself and asks for a secret"},
		{Signal: s, Field: "idle_delay", Kind: Duration, Order: LowerIsBetter, Meaning: "idle time after which the screen goes dark or locks"},
		{Signal: s, Field: "lock_delay", Kind: Duration, Order: LowerIsBetter, Meaning: "time after that until a secret is asked for"},
		{Signal: s, Field: "managed", Kind: Boolean, Order: Neutral, Meaning: "the organisation set it, the person cannot change it"},
	}
}

func enrolmentDefs() []Def {
	s := SignalEnrolment
	return []Def{
		{Signal: s, Field: "mdm", Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Meaning: "the machine is enrolled in device management"},
		{Signal: s, Field: "mdm_server", Kind: Text, Order: Identity, Meaning: "host name of the management server"},
		{Signal: s, Field: "user_approved", Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Meaning: "a person at the machine approved the enrolment"},
		{Signal: s, Field: "automated", Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Meaning: "it enrolled by the maker's device programme"},
		{Signal: s, Field: "join", Kind: Enum, Order: Ranked, Ranks: []string{JoinNone, JoinRegistered, JoinDomain, JoinCloud, JoinHybrid}, Negative: Str(JoinNone), Meaning: "what the machine belongs to"},
		{Signal: s, Field: "domain", Kind: Text, Order: Identity, Meaning: "name of its domain"},
		{Signal: s, Field: "tenant", Kind: Text, Order: Identity, Meaning: "identifier of its cloud tenant"},
		{Signal: s, Field: "key_in_tpm", Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Meaning: "the key of the join lies in the TPM"},
		{Signal: s, Field: "device_auth", Kind: Boolean, Order: TrueIsBetter, Negative: Bool(false), Meaning: "the join's key works"},
	}
}

func deviceDefs() []Def {
	s := SignalDevice
	return []Def{
		{Signal: s, Field: "serial", Kind: Text, Order: Identity, Validity: slow, Meaning: "serial number of the machine; values that many machines share are refused"},
		{Signal: s, Field: "hardware_uuid", Kind: Text, Order: Identity, Validity: slow, Meaning: "hardware UUID, lower case; values that many machines share are refused"},
		{Signal: s, Field: "vendor", Kind: Text, Order: Neutral, Validity: slow, Meaning: "maker of the machine"},
		{Signal: s, Field: "model", Kind: Text, Order: Neutral, Validity: slow, Meaning: "model of the machine"},
		{Signal: s, Field: "virtual", Kind: Boolean, Order: Neutral, Validity: slow, Meaning: "the machine is a virtual one"},
	}
}

func customDefs() []Def {
	s := SignalCustom
	return []Def{
		{Signal: s, Field: "present", Keyed: true, Kind: Boolean, Order: Identity, Negative: Bool(false), Meaning: "the file, key, certificate or package is there"},
		{Signal: s, Field: "running", Keyed: true, Kind: Boolean, Order: Identity, Negative: Bool(false), Meaning: "a process of the program runs"},
		{Signal: s, Field: "sha256", Keyed: true, Kind: Text, Order: Identity, Meaning: "SHA-256 of the file or certificate, lower-case hex"},
		{Signal: s, Field: "signer", Keyed: true, Kind: Text, Order: Identity, Meaning: "who signed the program: subject of the certificate, or Team ID"},
		{Signal: s, Field: "value", Keyed: true, Kind: Text, Order: Identity, Meaning: "the registry or property list value, as text"},
		{Signal: s, Field: "version", Keyed: true, Kind: Version, Order: HigherIsBetter, Meaning: "version of the package or program"},
		{Signal: s, Field: "issuer", Keyed: true, Kind: Text, Order: Identity, Meaning: "issuer of the certificate"},
		{Signal: s, Field: "expires_at", Keyed: true, Kind: Timestamp, Order: LaterIsBetter, Meaning: "end of the certificate's validity"},
		{Signal: s, Field: "kind", Keyed: true, Kind: Text, Order: Identity, Meaning: "kind of the observation: process, file, registry, plist, certificate, package"},
		{Signal: s, Field: "origin", Keyed: true, Kind: Enum, Order: Identity, Ranks: origins(), Meaning: "who declared the observation"},
	}
}
