package disk

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"github.com/postern-zt/postern/posture/fact"
)

// truth is a yes or no that may be unknown. The zero value is that nobody said
// anything.
type truth struct {
	said  bool
	value bool
	why   fact.Reason // explains the value; when nothing was said, why not
}

func yes() truth                     { return truth{said: true, value: true} }
func no(why fact.Reason) truth       { return truth{said: true, why: why} }
func unclear(why fact.Reason) truth  { return truth{why: why} }
func (t truth) is(value bool) bool   { return t.said && t.value == value }
func (t truth) not() truth           { t.value = !t.value; return t }
func (t truth) differs(o truth) bool { return t.said && o.said && t.value != o.value }

// refused tells a source that is there and did not tell from one that is not
// there: what it could have contradicted is then not known.
func refused(why fact.Reason) bool {
	switch why {
	case fact.ReasonNeedsPrivilege, fact.ReasonUnreadable, fact.ReasonRefused:
		return true
	}
	return why.Transient()
}

// both is the conjunction: one no decides, and what is unknown is so otherwise.
func both(a, b truth) truth {
	switch {
	case a.is(false):
		return a
	case b.is(false):
		return b
	case !a.said:
		return a
	case !b.said:
		return b
	}
	return a
}

// volume is what is known of one volume.
type volume struct {
	key  string // stable id, fit for a fact's address
	name string // where it is mounted, drive letter or label
	role string
	// system: the running system is on it. data: it is a fixed volume on which a
	// person's data may be.
	system, data bool

	status string      // Encrypted, Unencrypted or EncryptNone; empty: unknown
	why    fact.Reason // why the status is unknown, or what explains it

	protected  truth
	suspended  truth
	conversion string
	method     string
	unlock     string

	clash *clash // two sources say different things of it
}

// clash is a contradiction between two sources about one volume.
type clash struct {
	sourceA, sourceB string
	a, b             verdict
}

// verdict is the part of a volume that sources can disagree about.
type verdict struct {
	status    string
	protected truth
}

// differs tells whether two sources contradict each other. That a volume is not
// encrypted and that it cannot be are no contradiction.
func (v verdict) differs(o verdict) bool {
	one, other := v.status == fact.Encrypted, o.status == fact.Encrypted
	return v.status != "" && o.status != "" && one != other || v.protected.differs(o.protected)
}

func (v volume) verdict() verdict { return verdict{v.status, v.protected} }

// against notes that another source disagrees with the volume, if it does.
func (v *volume) against(source, other string, o verdict) {
	if v.clash == nil && v.verdict().differs(o) {
		v.clash = &clash{sourceA: source, sourceB: other, a: v.verdict(), b: o}
	}
}

// open makes the volume one without any encryption.
func (v *volume) open() {
	v.status, v.why, v.conversion, v.protected = fact.Unencrypted, "", fact.Decrypted, no("")
}

// partly makes the volume one of which a part is still, or again, in the clear.
func (v *volume) partly(conversion string) {
	v.status, v.why, v.conversion = fact.Unencrypted, fact.ReasonConverting, conversion
	v.protected = no(fact.ReasonConverting)
}

// closed makes the volume wholly encrypted; protected says who can open it.
func (v *volume) closed(protected truth) {
	v.status, v.why, v.conversion, v.protected = fact.Encrypted, "", fact.Complete, protected
}

// unknown makes the volume one of which nothing can be told.
func (v *volume) unknown(why fact.Reason) {
	v.status, v.why, v.conversion, v.protected = "", why, "", unclear(why)
}

// importance orders a list that may be cut at its end.
func (v volume) importance() int {
	switch {
	case v.system:
		return 0
	case v.data && (v.protected.is(false) || v.clash != nil):
		return 1
	case v.data && !v.protected.said:
		return 2
	case v.data:
		return 3
	}
	for i, role := range []string{fact.RoleSystem, fact.RoleSwap, fact.RoleBoot, fact.RoleRecovery, fact.RoleRemovable} {
		if v.role == role {
			return 4 + i
		}
	}
	return 9
}

// weakest is the way that asks for the least of those that open a volume; ways
// that are not in the list count for nothing.
func weakest(ways ...string) string {
	for _, way := range []string{
		fact.UnlockNone, fact.UnlockKeyFile, fact.UnlockTPM, fact.UnlockPassword,
		fact.UnlockPerson, fact.UnlockTPMPin, fact.UnlockToken, fact.UnlockRecovery,
	} {
		for _, w := range ways {
			if w == way {
				return way
			}
		}
	}
	return ""
}

// volumeKey makes an id fit for a fact's address: the characters that addresses
// use are percent-encoded, and what is too long or no text is named by its
// digest.
func volumeKey(id string) string {
	key := strings.NewReplacer("%", "%25", "[", "%5B", "]", "%5D", "*", "%2A").Replace(id)
	if len(key) > fact.MaxString || !utf8.ValidString(key) || key == "" {
		sum := sha256.Sum256([]byte(id))
		return "sha256:" + hex.EncodeToString(sum[:])
	}
	return key
}
