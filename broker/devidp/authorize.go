package devidp

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// request is an authorization request that may be put before a user.
type request struct {
	client, redirect, state, nonce, scope, challenge, hint string
}

// refusal is why a request was refused. With redirect it is told to the client
// (RFC 6749 section 4.1.2.1), else to the person only: where the client or its
// redirect URI is wrong, nothing may be sent there.
type refusal struct {
	redirect    bool
	code, about string
}

// Limits of what a client may have carried along, in bytes.
const (
	maxState = 2048
	maxNonce = 512
)

// parse checks the parameters of an authorization request. The request it
// returns with a refusal holds only what the refusal may use.
func (p *Provider) parse(q url.Values) (request, *refusal) {
	id, redirect := q["client_id"], q["redirect_uri"]
	if len(id) != 1 || len(redirect) != 1 {
		return request{}, &refusal{about: "The application must say once who it is (client_id) and where it listens (redirect_uri)."}
	}
	client, known := p.clients[id[0]]
	if !known {
		return request{}, &refusal{about: "The application is not known here (client_id)."}
	}
	if !redirectMatches(client, redirect[0]) {
		return request{}, &refusal{about: "The address the application wants the answer at is not one of its own (redirect_uri)."}
	}
	r := request{client: client.ID, redirect: redirect[0]}
	if len(q["state"]) == 1 && len(q.Get("state")) <= maxState {
		r.state = q.Get("state")
	}
	if why := refuse(q); why != nil {
		return r, why
	}
	r.nonce, r.scope, r.challenge, r.hint = q.Get("nonce"), q.Get("scope"), q.Get("code_challenge"), q.Get("login_hint")
	return r, nil
}

// refuse checks what may be answered at the redirect URI.
func refuse(q url.Values) *refusal {
	no := func(code, about string) *refusal { return &refusal{true, code, about} }
	for name, values := range q {
		if len(values) != 1 {
			// Any that is unknown too (RFC 6749 section 3.1), but its name is not repeated.
			if !slices.Contains(parameters, name) {
				name = "an unknown parameter"
			}
			return no("invalid_request", name+" is there more than once")
		}
	}
	prompt := strings.Fields(q.Get("prompt"))
	switch {
	case q.Has("request"):
		return no("request_not_supported", "request objects are not supported")
	case q.Has("request_uri"):
		return no("request_uri_not_supported", "request objects are not supported")
	case q.Get("response_type") == "":
		return no("invalid_request", "response_type is missing")
	case q.Get("response_type") != "code":
		return no("unsupported_response_type", "response_type must be code")
	case q.Has("response_mode") && q.Get("response_mode") != "query":
		return no("invalid_request", "response_mode must be query")
	case !slices.Contains(strings.Fields(q.Get("scope")), "openid"):
		return no("invalid_scope", "scope must contain openid")
	case q.Get("code_challenge_method") != "S256":
		return no("invalid_request", "code_challenge_method must be S256")
	case !isChallenge(q.Get("code_challenge")):
		return no("invalid_request", "code_challenge must be a SHA-256 in base64url")
	case len(q.Get("state")) > maxState || len(q.Get("nonce")) > maxNonce:
		return no("invalid_request", "state or nonce is too long")
	case slices.Contains(prompt, "none") && len(prompt) > 1:
		return no("invalid_request", "prompt none goes with nothing else")
	case slices.Contains(prompt, "none"):
		return no("login_required", "every sign-in here asks for the password")
	}
	if age, err := strconv.Atoi(q.Get("max_age")); q.Has("max_age") && (err != nil || age < 0) {
		return no("invalid_request", "max_age must be a number of seconds")
	}
	return nil
}

// parameters are those this provider knows (OpenID Connect Core 3.1.2.1, RFC 7636).
var parameters = []string{"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce",
	"code_challenge", "code_challenge_method", "prompt", "max_age", "login_hint", "request", "request_uri"}

// redirectMatches compares exactly but for the port, which a program takes as
// it comes (RFC 8252 section 7.3); "localhost" is not loopback (section 8.3).
func redirectMatches(c Client, redirect string) bool {
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		rest, ok := strings.CutPrefix(redirect, "http://"+host+":")
		if !ok {
			continue
		}
		digits, path, _ := strings.Cut(rest, "/")
		port, err := strconv.ParseUint(digits, 10, 16)
		return err == nil && port > 0 && strconv.FormatUint(port, 10) == digits && "/"+path == c.RedirectPath
	}
	return false
}

// isChallenge is for BASE64URL(SHA256(x)) (RFC 7636 section 4.2).
func isChallenge(s string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(b) == 32
}

// authorize is the authorization endpoint: it shows the form, for there is no
// session here that could answer in its place.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if r.Method == http.MethodPost && err == nil {
		err = r.ParseForm()
		q = r.PostForm
	}
	if err != nil || len(r.URL.RawQuery) > maxRequest {
		p.problem(w, http.StatusBadRequest, "The request of the application cannot be read.")
		return
	}
	request, why := p.parse(q)
	switch {
	case why == nil:
		p.show(w, r, request, "", request.hint)
	case why.redirect:
		sendBack(w, request, url.Values{"error": {why.code}, "error_description": {why.about}}, p.issuer)
	default:
		p.problem(w, http.StatusBadRequest, why.about)
	}
}

// sendBack answers the client at its redirect URI, always with state and iss.
// 303 turns the form's POST into a GET, so that no password goes along.
func sendBack(w http.ResponseWriter, r request, answer url.Values, issuer string) {
	if r.state != "" {
		answer.Set("state", r.state)
	}
	answer.Set("iss", issuer)
	w.Header().Set("Location", r.redirect+"?"+answer.Encode())
	w.WriteHeader(http.StatusSeeOther)
}
