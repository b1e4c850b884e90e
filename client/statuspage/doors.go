package statuspage

import (
	"slices"
	"sync"
	"time"

	"github.com/postern-zt/postern/platform/jws"
)

const (
	// tokenLife is how long a link works.
	tokenLife = time.Minute
	// maxTokens and maxSessions bound what is remembered: the oldest token
	// goes, and the session that has been silent for longest.
	maxTokens   = 8
	maxSessions = 16
	// secretBytes of randomness are in tokens and sessions.
	secretBytes = 32
)

// doors are the ways in: tokens that work once, and the sessions they became.
// Times are of the monotonic clock that time.Time carries.
type doors struct {
	mu       sync.Mutex
	tokens   []token
	sessions []string // the one that spoke last is the last
}

type token struct {
	secret string
	until  time.Time
}

// token makes a new one.
func (d *doors) token() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := token{jws.Random(secretBytes), time.Now().Add(tokenLife)}
	if d.tokens = append(d.tokens, t); len(d.tokens) > maxTokens {
		d.tokens = d.tokens[1:]
	}
	return t.secret
}

// enter trades a token for a session; false when the token is not good, any more.
func (d *doors) enter(secret string) (session string, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	var keep []token
	for _, t := range d.tokens {
		switch {
		case !now.Before(t.until):
		case secret != "" && jws.Equal(t.secret, secret):
			ok = true
		default:
			keep = append(keep, t)
		}
	}
	d.tokens = keep
	if !ok {
		return "", false
	}
	session = jws.Random(secretBytes)
	if d.sessions = append(d.sessions, session); len(d.sessions) > maxSessions {
		d.sessions = d.sessions[1:]
	}
	return session, true
}

// inside reports whether a session is one of ours.
func (d *doors) inside(session string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := -1
	for i, s := range d.sessions { // all of them, whichever it is
		if jws.Equal(s, session) {
			found = i
		}
	}
	if found < 0 || session == "" {
		return false
	}
	d.sessions = append(slices.Delete(d.sessions, found, found+1), session)
	return true
}
