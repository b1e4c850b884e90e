package view

import (
	"context"
	"errors"

	"github.com/postern-zt/postern/client/localapi"
)

// Whose says that a status is of somebody else's session, which an
// administrator may read: what is shown of it is that, and no more.
func Whose(s localapi.Status) Trouble {
	if s.Foreign {
		return NotOwner
	}
	return NoTrouble
}

// TroubleOf says what an error of the agent's client means for a view: the
// Trouble of an Input, with the Code and Message that go with it. A nil error
// is no trouble.
func TroubleOf(err error) (trouble Trouble, code, message string) {
	var no *localapi.Refused
	switch {
	case err == nil:
		return NoTrouble, "", ""
	case errors.Is(err, localapi.ErrNoAccess):
		return NoAccess, "", ""
	case errors.As(err, &no) && no.Code == localapi.CodeNotOwner:
		return NotOwner, no.Code, no.Message
	case errors.As(err, &no):
		return Refused, no.Code, no.Message
	case errors.Is(err, context.DeadlineExceeded):
		return NotAnswering, "", ""
	}
	// Nobody listens, or whoever did broke off.
	return NotRunning, "", ""
}
