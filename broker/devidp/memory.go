package devidp

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"
)

// memory is all that the provider knows for a while. It keeps hashes of what
// it gave out: a lookup takes the same time however near a guess is.
type memory struct {
	*sync.Mutex
	logins   kept[loginPage]
	codes    kept[grantedCode]
	families kept[family]
}

func newMemory() memory {
	return memory{new(sync.Mutex), kept[loginPage]{}, kept[grantedCode]{}, kept[family]{}}
}

// loginPage is a form that was shown and not yet sent.
type loginPage struct {
	request request
	browser [sha256.Size]byte // of the cookie
}

// grantedCode is an authorization code, spent or not.
type grantedCode struct {
	grant
	redirect, challenge string
	spent               bool
	family              string // of the tokens it was traded for
}

// grant is what a user agreed to.
type grant struct {
	client, user, nonce, scope string
	authTime                   time.Time
}

// family is the line of refresh tokens of one sign-in.
type family struct {
	grant
	current [sha256.Size]byte // hash of the one that is good
}

// kept holds values by the hash of a secret until their time is over.
type kept[T any] map[[sha256.Size]byte]keptValue[T]

type keptValue[T any] struct {
	value T
	until time.Time
}

// put keeps a value; when there are too many, what ends first goes.
func (k kept[T]) put(secret string, value T, now, until time.Time) {
	key := hash(secret)
	if _, there := k[key]; !there && len(k) >= maxKept {
		k.makeRoom(now)
	}
	k[key] = keptValue[T]{value, until}
}

func (k kept[T]) makeRoom(now time.Time) {
	var first [sha256.Size]byte
	var ends time.Time
	for key, v := range k {
		if !now.Before(v.until) {
			delete(k, key)
			continue
		}
		if ends.IsZero() || v.until.Before(ends) {
			first, ends = key, v.until
		}
	}
	if len(k) >= maxKept {
		delete(k, first)
	}
}

// get finds a value whose time is not over, and that time.
func (k kept[T]) get(secret string, now time.Time) (value T, until time.Time, ok bool) {
	v, there := k[hash(secret)]
	if !there || !now.Before(v.until) {
		return value, until, false
	}
	return v.value, v.until, true
}

func (k kept[T]) drop(secret string) { delete(k, hash(secret)) }

func hash(s string) [sha256.Size]byte { return sha256.Sum256([]byte(s)) }

// random is a new secret of 256 bits.
func random() string {
	var b [32]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}
