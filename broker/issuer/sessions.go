package issuer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/store"
	"github.com/postern-zt/postern/platform/jws"
)

// SessionLife is how long a sign-in lasts at most.
const SessionLife = 12 * time.Hour

// ErrHandle says that a refresh handle is good for nothing; the person signs
// in again. After a theft the whole family has been revoked.
var ErrHandle = errors.New("the refresh handle is not valid any more")

// SignedIn is what a verified sign-in brings.
type SignedIn struct {
	Person   api.Person
	AuthTime time.Time
	ACR      string
}

// OpenSession begins a session of a person on a device and answers with its
// first tokens.
func (i *Issuer) OpenSession(ctx context.Context, d store.Device, in SignedIn) (api.TokenAnswer, error) {
	handle, now := jws.Random(32), i.Now()
	s := store.Session{
		ID: "ses_" + jws.Random(12), DeviceID: d.ID, JKT: d.JKT, Person: in.Person, ACR: in.ACR, AuthTime: in.AuthTime.UnixMilli(),
		Handle: store.Hash(handle), Started: now.UnixMilli(), LastRefresh: now.UnixMilli(), Ends: now.Add(SessionLife).UnixMilli(),
	}
	if err := i.Store.AddSession(ctx, s); err != nil {
		return api.TokenAnswer{}, fmt.Errorf("keep session: %w", err)
	}
	return i.sessionAnswer(s, handle)
}

func (i *Issuer) sessionAnswer(s store.Session, handle string) (api.TokenAnswer, error) {
	tok, err := i.access(api.AccessClaims{
		Subject: s.Person.Subject, ClientID: s.DeviceID, Scope: api.ScopeAttest, Session: s.ID, AuthTime: s.AuthTime / 1000, ACR: s.ACR,
	}, s.JKT)
	if err != nil {
		return api.TokenAnswer{}, err
	}
	left := time.UnixMilli(s.Ends).Sub(i.Now())
	return api.TokenAnswer{
		AccessToken: tok, TokenType: api.TokenTypeDPoP, ExpiresIn: seconds(AccessTokenLife), IssuedTokenType: api.TypeAccessToken,
		RefreshToken: handle, SessionEndsIn: seconds(left), Person: &s.Person,
	}, nil
}

// Refresh trades a refresh handle for new tokens; jkt is the key that proved
// the call. The previous handle stays good until the new one is first used,
// because an answer may be lost. One that is older means that two parties hold
// the family: it is revoked, and revoked reports its session.
func (i *Issuer) Refresh(ctx context.Context, jkt, handle string) (answer api.TokenAnswer, revoked string, err error) {
	s, gen, err := i.Store.SessionByHandle(ctx, store.Hash(handle))
	if errors.Is(err, store.ErrNotFound) {
		return answer, "", ErrHandle
	}
	if err != nil {
		return answer, "", fmt.Errorf("find session: %w", err)
	}
	if !jws.Equal(s.JKT, jkt) {
		return answer, "", ErrHandle // a stolen handle without the key ends nothing
	}
	now := i.Now().UnixMilli()
	next := jws.Random(32)
	err = store.ErrHandleSpent
	if gen != store.HandleOlder {
		err = i.Store.RotateHandle(ctx, s.ID, store.Hash(handle), store.Hash(next), now)
	}
	switch {
	case errors.Is(err, store.ErrHandleSpent):
		if err := i.Store.RevokeSession(ctx, s.ID, "refresh handle used again", now); err != nil {
			return answer, "", fmt.Errorf("revoke session: %w", err)
		}
		return answer, s.ID, ErrHandle
	case errors.Is(err, store.ErrSessionEnded):
		return answer, "", ErrHandle
	case err != nil:
		return answer, "", fmt.Errorf("rotate refresh handle: %w", err)
	}
	answer, err = i.sessionAnswer(s, next)
	return answer, "", err
}

// LiveSession finds the session of an access token and checks that it lives.
func (i *Issuer) LiveSession(ctx context.Context, id string) (store.Session, error) {
	s, err := i.Store.SessionByID(ctx, id)
	if err != nil {
		return s, err
	}
	if s.Revoked != 0 || s.Ends <= i.Now().UnixMilli() {
		return s, store.ErrSessionEnded
	}
	return s, nil
}

// SessionOf finds the session of a refresh handle for the key it is bound to.
func (i *Issuer) SessionOf(ctx context.Context, jkt, handle string) (id string, found bool, err error) {
	s, _, err := i.Store.SessionByHandle(ctx, store.Hash(handle))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return "", false, nil
	case err != nil:
		return "", false, fmt.Errorf("find session: %w", err)
	}
	return s.ID, jws.Equal(s.JKT, jkt), nil
}
