package loopback

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/postern-zt/postern/platform/jws"
)

// maxAnswer bounds what a person pastes, in bytes.
const maxAnswer = maxHeader

// ErrNotAnswer is in the chain when a pasted text is no answer of a sign-in
// page, or only a part of one.
var ErrNotAnswer = errors.New("not the address at which a sign-in ends")

// ErrOtherSignIn is in the chain when an answer belongs to another sign-in
// than the one under way.
var ErrOtherSignIn = errors.New("it belongs to another sign-in")

// Reasons to refuse an answer, wherever it comes from.
var (
	errQuery = errors.New("the query cannot be read")
	errState = errors.New("the state is another")
	errEnds  = errors.New("neither a code nor an error, or both")
)

// ParseAnswer reads what a person pastes when the browser ran on another
// computer and could not reach the receiver: the whole address that the browser
// then shows, with or without "http://", or only its query, "code=…&state=…".
// The state must be exactly the one of the sign-in under way. Quotes, angle
// brackets and white space around the text are taken off, a fragment is
// ignored; an address must be that of a receiver, on literal loopback, though
// perhaps on another port: the state says whose it is.
//
// Errors have ErrNotAnswer or ErrOtherSignIn in their chain and never quote
// the text.
func ParseAnswer(text, state string) (Result, error) {
	refuse := func(why error) (Result, error) { return Result{}, fmt.Errorf("read the pasted answer: %w", why) }
	if len(text) > maxAnswer {
		return refuse(ErrNotAnswer)
	}
	query, ok := answerQuery(strings.Trim(text, " \t\r\n\"'<>`"))
	if !ok {
		return refuse(ErrNotAnswer)
	}
	res, err := parse(query, state)
	switch {
	case errors.Is(err, errState):
		return refuse(ErrOtherSignIn)
	case err != nil:
		return refuse(ErrNotAnswer)
	}
	return res, nil
}

// answerQuery finds the query of a pasted text.
func answerQuery(text string) (string, bool) {
	text, _, _ = strings.Cut(text, "#") // some providers append one
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", false // an address has none of them unescaped
	}
	address, query, found := strings.Cut(text, "?")
	switch {
	case !found && strings.Contains(text, "://"):
		return "", false
	case !found:
		return text, true
	case address == "":
		return query, true
	}
	return query, receivers(address)
}

// receivers reports whether an address without its query may be a receiver's.
// Browsers leave "http://" out of what they show.
func receivers(address string) bool {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" || u.User != nil || u.Port() == "" || u.Path != pathCallback {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return ip != nil && ip.IsLoopback()
}

// parse reads the query of a redirect. A parameter that is there twice is
// refused, as RFC 6749 section 3.1 has it; unknown ones are ignored.
func parse(rawQuery, state string) (Result, error) {
	q, err := url.ParseQuery(rawQuery)
	if err != nil {
		return Result{}, errQuery
	}
	var res Result
	for name, to := range map[string]*string{
		"state": &res.State, "code": &res.Code, "iss": &res.Iss, "error": &res.Error, "error_description": &res.ErrorDescription,
	} {
		values := q[name]
		if len(values) > 1 {
			return Result{}, errQuery
		}
		if len(values) == 1 {
			*to = values[0]
		}
	}
	if res.State == "" && res.Code == "" && res.Error == "" {
		return Result{}, errEnds
	}
	if state == "" || !jws.Equal(res.State, state) {
		return Result{}, errState
	}
	if (res.Code == "") == (res.Error == "") {
		return Result{}, errEnds
	}
	return res, nil
}
