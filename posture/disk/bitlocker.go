package disk

import (
	"slices"
	"strconv"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// conversionWords are the words of BitLocker's conversion status, in the order
// of their numbers (GetConversionStatus of Win32_EncryptableVolume), as
// PowerShell writes them.
func conversionWords() []string {
	return []string{
		"fullydecrypted", "fullyencrypted", "encryptioninprogress", "decryptioninprogress", "encryptionpaused", "decryptionpaused",
	}
}

// bitlockerState is what one row, or one block of text, says of a volume.
type bitlockerState struct {
	protection int // 0 off, 1 on, 2 unknown; -1: not said
	conversion int // index of conversionWords; -1: not said
	method     int // EncryptionMethod; -1: not said
	protectors []string
	listed     bool // protectors is complete
	suspended  bool // a count of restarts until protection resumes is given
}

// fromWMI reads one instance of Win32_EncryptableVolume. KeyProtectorTypes and
// SuspendCount come from the class's methods and need not be there, nor do the
// properties that Windows 7 does not have.
func fromWMI(row evidence.Row) volume {
	s := bitlockerState{
		protection: code(row, []string{"off", "on", "unknown"}, "ProtectionStatus"),
		conversion: code(row, conversionWords(), "ConversionStatus", "VolumeStatus"),
		method:     code(row, nil, "EncryptionMethod"),
	}
	s.protectors, s.listed = row.List("KeyProtectorTypes")
	if !s.listed {
		s.protectors, s.listed = row.List("KeyProtector")
	}
	if n, ok := row.Number("SuspendCount"); ok {
		s.suspended = n > 0
	}
	v := s.volume()
	letter, _ := row.Text("DriveLetter")
	if letter == "" {
		letter, _ = row.Text("MountPoint")
	}
	id, _ := row.Text("DeviceID")
	v.key = orElse(driveLetter(letter), volumeID(id))
	if word, ok := row.Text("EncryptionMethod"); ok && s.method < 0 && v.method != "" {
		v.method = "bitlocker " + strings.NewReplacer("xtsaes", "xts-aes-", "aes", "aes-").Replace(strings.ToLower(word))
	}
	v.role = roleOf(row, letter != "")
	return v
}

// roleOf maps VolumeType: 0 a system's, 1 a fixed, 2 a portable volume. A fixed
// one without a letter is a maker's or Windows's own rescue system.
func roleOf(row evidence.Row, letter bool) string {
	switch code(row, []string{"operatingsystem", "data", "portable"}, "VolumeType") {
	case 0:
		return fact.RoleSystem
	case 2:
		return fact.RoleRemovable
	}
	if !letter {
		return fact.RoleRecovery
	}
	return ""
}

// code is a property's number, given as such or as a word; -1 when it is not
// there or neither.
func code(row evidence.Row, words []string, names ...string) int {
	for _, name := range names {
		if n, ok := row.Number(name); ok && n >= 0 && n < 1000 {
			return int(n)
		}
		if s, ok := row.Text(name); ok {
			if i := slices.Index(words, strings.ToLower(s)); i >= 0 {
				return i
			}
		}
	}
	return -1
}

// volume interprets the state ("GetProtectionStatus method of the
// Win32_EncryptableVolume class": on means fully encrypted with no clear key,
// off means anything else).
func (s bitlockerState) volume() volume {
	var v volume
	switch {
	case s.conversion == 1 && s.method == 0: // encrypted with no method
		v.unknown(fact.ReasonDisagree)
		return v
	case s.conversion == 0:
		v.open()
		if s.protection == 1 {
			v.clash = &clash{sourceA: "ConversionStatus", sourceB: "ProtectionStatus",
				a: v.verdict(), b: verdict{protected: yes()}}
		}
		return v
	case s.conversion >= 2 && s.conversion < len(conversionWords()):
		v.partly([]string{fact.Encrypting, fact.Decrypting}[s.conversion%2])
	case s.protection == 1 && s.conversion <= 1:
		v.closed(yes())
		v.suspended = no("")
		if s.listed && len(s.protectors) == 0 {
			v.clash = &clash{sourceA: "ProtectionStatus", sourceB: "key protectors",
				a: v.verdict(), b: verdict{status: v.status, protected: no(fact.ReasonClearKey)}}
		}
	case s.conversion == 1 && s.protection == 0:
		v.closed(no(s.offBecause()))
		v.suspended = truth{said: true, value: s.offBecause() == fact.ReasonSuspended}
	case s.conversion == 1 && s.protection < 0:
		v.closed(unclear(fact.ReasonNotFound))
	case s.protection == 0: // nothing, a part, or all of it with a clear key
		v.unknown(fact.ReasonUnreadable)
		v.protected = no("")
		return v
	default: // a locked volume says nothing about itself
		v.unknown(fact.ReasonUnreadable)
		return v
	}
	v.method = orElse(methodNames(s.method), "bitlocker")
	v.unlock = s.unlock(v)
	return v
}

// offBecause tells a volume whose protectors were switched off from one that
// never had any.
func (s bitlockerState) offBecause() fact.Reason {
	if s.listed && len(s.protectors) == 0 && !s.suspended {
		return fact.ReasonClearKey
	}
	return fact.ReasonSuspended
}

func (s bitlockerState) unlock(v volume) string {
	if v.status == fact.Encrypted && v.protected.is(false) || s.listed && len(s.protectors) == 0 {
		return fact.UnlockNone
	}
	var ways []string
	for _, p := range s.protectors {
		ways = append(ways, protectorWay(p))
	}
	return weakest(ways...)
}

// protectorWay maps a key protector's type, a number (GetKeyProtectorType) or
// PowerShell's word.
func protectorWay(p string) string {
	switch strings.ToLower(strings.TrimSpace(p)) {
	case "1", "tpm":
		return fact.UnlockTPM
	case "2", "externalkey":
		return fact.UnlockKeyFile
	case "3", "recoverypassword":
		return fact.UnlockRecovery
	case "4", "tpmpin", "6", "tpmpinstartupkey":
		return fact.UnlockTPMPin
	case "5", "tpmstartupkey", "7", "publickey", "9", "tpmnetworkkey":
		return fact.UnlockToken
	case "8", "password":
		return fact.UnlockPassword
	case "10", "adaccountorgroup", "sid":
		return fact.UnlockPerson
	}
	return ""
}

// methodNames names EncryptionMethod ("GetEncryptionMethod").
func methodNames(n int) string {
	names := []string{
		"", "aes-128-diffuser", "aes-256-diffuser", "aes-128", "aes-256", "hardware", "xts-aes-128", "xts-aes-256",
	}
	switch {
	case n <= 0:
		return ""
	case n < len(names):
		return "bitlocker " + names[n]
	}
	return "bitlocker method " + strconv.Itoa(n)
}

// fromShell reads System.Volume.BitLockerProtection: 1 on, 2 off, 3 encrypting,
// 4 decrypting, 5 suspended, 6 locked, 7 not encryptable, 8 waiting for
// activation (encrypted with a clear key). Others tell nothing.
func fromShell(n int) volume {
	var v volume
	switch n {
	case 1:
		v.closed(yes())
		v.suspended = no("")
	case 2:
		v.open()
		return v
	case 3:
		v.partly(fact.Encrypting)
	case 4:
		v.partly(fact.Decrypting)
	case 5:
		v.closed(no(fact.ReasonSuspended))
		v.suspended, v.unlock = yes(), fact.UnlockNone
	case 7:
		v.open()
		v.status, v.conversion = fact.EncryptNone, ""
		return v
	case 8:
		v.closed(no(fact.ReasonClearKey))
		v.suspended, v.unlock = no(""), fact.UnlockNone
	default:
		v.unknown(fact.ReasonUnreadable)
		return v
	}
	v.method = "bitlocker"
	return v
}
