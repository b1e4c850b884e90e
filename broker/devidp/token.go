package devidp

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
)

// claims is the payload of an ID token (OpenID Connect Core section 2).
type claims struct {
	Issuer        string   `json:"iss"`
	Subject       string   `json:"sub"`
	Audience      string   `json:"aud"`
	Expires       int64    `json:"exp"`
	IssuedAt      int64    `json:"iat"`
	AuthTime      int64    `json:"auth_time"`
	Nonce         string   `json:"nonce,omitempty"` // after a refresh too, the same
	AMR           []string `json:"amr"`             // RFC 8176
	Email         string   `json:"email,omitempty"`
	EmailVerified bool     `json:"email_verified,omitempty"`
	Name          string   `json:"name,omitempty"`
	Username      string   `json:"preferred_username"`
	Groups        []string `json:"groups,omitempty"`
}

// tokens is the success answer of the token endpoint (RFC 6749 section 5.1).
type tokens struct {
	AccessToken  string `json:"access_token"` // opens nothing
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	Scope        string `json:"scope"`
}

// oauthError is the error answer of the token endpoint (RFC 6749 section 5.2).
type oauthError struct {
	Error string `json:"error"`
	About string `json:"error_description,omitempty"`
}

// token is the token endpoint.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code, about string) { answer(w, status, oauthError{code, about}) }
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" || r.ParseForm() != nil {
		refuse(http.StatusBadRequest, "invalid_request", "the body must be a form")
		return
	}
	for _, values := range r.PostForm {
		if len(values) != 1 {
			refuse(http.StatusBadRequest, "invalid_request", "a parameter is there more than once")
			return
		}
	}
	if r.Header.Get("Authorization") != "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="no client has a secret here"`)
		refuse(http.StatusUnauthorized, "invalid_client", "public clients send client_id and nothing else")
		return
	}
	form := r.PostForm
	if _, known := p.clients[form.Get("client_id")]; !known {
		refuse(http.StatusUnauthorized, "invalid_client", "client_id is not known")
		return
	}
	var granted grant
	var refresh string
	ok := false
	switch form.Get("grant_type") {
	case "authorization_code":
		granted, refresh, ok = p.useCode(form)
	case "refresh_token":
		granted, refresh, ok = p.useRefresh(form)
	default:
		refuse(http.StatusBadRequest, "unsupported_grant_type", "")
		return
	}
	if !ok {
		refuse(http.StatusBadRequest, "invalid_grant", "it is spent, too old or was not given to this client")
		return
	}
	id, err := p.idToken(granted)
	if err != nil {
		refuse(http.StatusInternalServerError, "server_error", "")
		return
	}
	answer(w, http.StatusOK, tokens{
		AccessToken: random(), TokenType: "Bearer", ExpiresIn: int64(IDTokenLife / time.Second),
		RefreshToken: refresh, IDToken: id, Scope: granted.scope,
	})
}

// useCode spends a code. A wrong redirect URI or verifier spends it too, and a
// spent one takes back what it was traded for (RFC 6749 section 4.1.2).
func (p *Provider) useCode(form url.Values) (grant, string, bool) {
	code, now := form.Get("code"), p.clock()
	p.memory.Lock()
	defer p.memory.Unlock()
	c, until, ok := p.memory.codes.get(code, now)
	if !ok {
		return grant{}, "", false
	}
	if c.spent {
		p.memory.families.drop(c.family)
		return grant{}, "", false
	}
	c.spent, c.family = true, random()
	p.memory.codes.put(code, c, now, until)
	if c.client != form.Get("client_id") || c.redirect != form.Get("redirect_uri") || !verifies(c.challenge, form.Get("code_verifier")) {
		return grant{}, "", false
	}
	secret := random()
	p.memory.families.put(c.family, family{c.grant, hash(secret)}, now, now.Add(refreshLife))
	return c.grant, c.family + "." + secret, true
}

// verifies is PKCE with S256 (RFC 7636 sections 4.1 and 4.6).
func verifies(challenge, verifier string) bool {
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	made := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(made), []byte(challenge)) == 1
}

// useRefresh trades a refresh token for the next. One that was traded before
// ends the whole family: somebody has a copy (RFC 9700 section 4.14.2).
func (p *Provider) useRefresh(form url.Values) (grant, string, bool) {
	id, secret, _ := strings.Cut(form.Get("refresh_token"), ".")
	now := p.clock()
	p.memory.Lock()
	defer p.memory.Unlock()
	f, until, ok := p.memory.families.get(id, now)
	if !ok || f.client != form.Get("client_id") {
		return grant{}, "", false
	}
	given := hash(secret)
	if subtle.ConstantTimeCompare(given[:], f.current[:]) != 1 {
		p.memory.families.drop(id)
		return grant{}, "", false
	}
	next := random()
	f.current = hash(next)
	p.memory.families.put(id, f, now, until)
	return f.grant, id + "." + next, true
}

func (p *Provider) idToken(g grant) (string, error) {
	u, now := p.users[g.user], p.clock()
	return jwt.Signed(p.signer).Claims(claims{
		Issuer: p.issuer, Subject: u.Subject, Audience: g.client,
		Expires: now.Add(IDTokenLife).Unix(), IssuedAt: now.Unix(), AuthTime: g.authTime.Unix(),
		Nonce: g.nonce, AMR: []string{"pwd"},
		Email: u.Email, EmailVerified: u.Email != "", Name: u.Name, Username: u.Username, Groups: u.Groups,
	}).Serialize()
}
