package bind

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/postern-zt/postern/platform/jws"
)

// ErrUseNonce asks the caller to repeat with the nonce it is given now
// (RFC 9449 section 8). It is no accusation: another replica, or an old minute.
var ErrUseNonce = errors.New("the proof needs this server's current nonce")

const (
	maxSkew     = 60 * time.Second // of "iat" against broker time
	nonceWindow = 2                // minutes a nonce is good for, the current one included
	maxRemember = 1 << 18          // proofs of one minute; above that the server is busy
	maxOfKey    = maxRemember / 4  // of these, proofs of one key: none may silence the others
)

// ErrBusy says that more proofs came in one minute than can be remembered, of
// all keys or of this one.
var ErrBusy = errors.New("too many calls in this minute")

// Checker verifies proofs at one replica of a server. Its nonces name this
// replica and their minute, so only it can have accepted a proof before, and
// its memory of used proofs ends with the nonce.
type Checker struct {
	now     func() time.Time
	replica string
	secret  []byte

	mu   sync.Mutex
	seen map[int64]map[[32]byte]struct{} // minute of the nonce → proofs used
	made map[int64]map[string]int        // the same minutes → how many of each key
}

// NewChecker makes the checker of a new replica.
func NewChecker(now func() time.Time) *Checker {
	secret, _ := jws.UnB64(jws.Random(32))
	return &Checker{now: now, replica: jws.Random(6), secret: secret, seen: map[int64]map[[32]byte]struct{}{}, made: map[int64]map[string]int{}}
}

func (c *Checker) minute() int64 { return c.now().Unix() / 60 }

// Nonce is the value for the DPoP-Nonce header of an answer given now.
func (c *Checker) Nonce() string { return c.nonce(c.minute()) }

func (c *Checker) nonce(minute int64) string {
	m := binary.BigEndian.AppendUint64(nil, uint64(minute))
	h := hmac.New(sha256.New, c.secret)
	h.Write(m)
	return c.replica + "." + jws.B64(h.Sum(nil)[:16])
}

// nonceMinute finds the minute a nonce was made in, if it is one of ours and fresh.
func (c *Checker) nonceMinute(nonce string) (int64, bool) {
	now := c.minute()
	for m := now; m > now-nonceWindow; m-- {
		if jws.Equal(nonce, c.nonce(m)) {
			return m, true
		}
	}
	return 0, false
}

// ProofError says what is wrong with a proof.
type ProofError struct{ Err error }

// Error names the fault.
func (e *ProofError) Error() string { return "check DPoP proof: " + e.Err.Error() }

// Unwrap gives the fault.
func (e *ProofError) Unwrap() error { return e.Err }

// Proven is the key that made a valid proof.
type Proven struct {
	Key *ecdsa.PublicKey
	JKT string
}

// Check verifies the proofs that came with a call (RFC 9449 section 4.3). There
// must be exactly one. ErrUseNonce is returned only for an otherwise good proof.
// admit is asked whether the key may call at all, and only then is the proof
// remembered: strangers, who can make any number of keys, must not be able to
// fill the memory. Its error is returned as it is; what is wrong with the proof
// itself is a *ProofError.
func (c *Checker) Check(proofs []string, r Request, admit func(Proven) error) (Proven, error) {
	p, claims, err := verify(proofs, r)
	if err != nil {
		return Proven{}, &ProofError{err}
	}
	minute, ok := c.nonceMinute(claims.Nonce)
	if !ok {
		return p, ErrUseNonce
	}
	if d := c.now().Sub(time.Unix(claims.IssuedAt, 0)); d > maxSkew || d < -maxSkew {
		return Proven{}, &ProofError{fmt.Errorf("iat is %s away from this server's clock, at most %s allowed", d.Round(time.Second), maxSkew)}
	}
	if err := admit(p); err != nil {
		return Proven{}, err
	}
	if err := c.once(minute, p.JKT, claims.ID); err != nil {
		return Proven{}, &ProofError{err}
	}
	return p, nil
}

func verify(proofs []string, r Request) (Proven, proofClaims, error) {
	var c proofClaims
	if len(proofs) != 1 {
		return Proven{}, c, fmt.Errorf("want exactly one proof, got %d", len(proofs))
	}
	s, err := jws.Parse(proofs[0], maxProof)
	if err != nil {
		return Proven{}, c, err
	}
	if s.Header.Key == nil {
		return Proven{}, c, errors.New("no key in the header")
	}
	if err := s.VerifyInto(s.Header.Key, ProofType, &c); err != nil {
		return Proven{}, c, err
	}
	jkt, err := jws.Thumbprint(s.Header.Key)
	if err != nil {
		return Proven{}, c, err
	}
	want, err := plainURL(r.URL)
	if err != nil {
		return Proven{}, c, err
	}
	switch {
	case c.Method != r.Method:
		return Proven{}, c, errors.New("made for another method")
	case c.URL != want:
		return Proven{}, c, errors.New("made for another address")
	case len(c.ID) < 16:
		return Proven{}, c, errors.New("jti is shorter than 16 characters")
	case r.AccessToken != "" && !jws.Equal(c.Token, jws.Hash([]byte(r.AccessToken))):
		return Proven{}, c, errors.New("made for another access token")
	}
	return Proven{Key: s.Header.Key, JKT: jkt}, c, nil
}

// once remembers a proof and refuses it the second time.
func (c *Checker) once(minute int64, jkt, id string) error {
	h := sha256.Sum256([]byte(jkt + "\x00" + id))
	c.mu.Lock()
	defer c.mu.Unlock()
	for m := range c.seen {
		if m <= c.minute()-nonceWindow {
			delete(c.seen, m)
			delete(c.made, m)
		}
	}
	used := c.seen[minute]
	if used == nil {
		used = map[[32]byte]struct{}{}
		c.seen[minute], c.made[minute] = used, map[string]int{}
	}
	if _, again := used[h]; again {
		return errors.New("the same proof was used before")
	}
	if len(used) >= maxRemember || c.made[minute][jkt] >= maxOfKey {
		return ErrBusy
	}
	used[h] = struct{}{}
	c.made[minute][jkt]++
	return nil
}
