// Package devidp is the smallest honest OpenID provider for development, on loopback only.
//
// It is for trying things out and for tests, never for an organisation's
// people: its users and their passwords stand in its configuration, it keeps
// everything in memory, it signs in with a password alone, and it serves plain
// HTTP. What it does do it does by the book: OpenID Connect Core 1.0 with the
// authorization code flow for public clients, PKCE with S256 always (RFC 7636),
// loopback redirects with any port (RFC 8252 section 7.3), the iss response
// parameter (RFC 9207), ES256, codes for one use and rotating refresh tokens.
// Its access tokens open nothing: there is no userinfo endpoint.
package devidp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Lifetimes and bounds of what is kept in memory.
const (
	IDTokenLife = 5 * time.Minute
	codeLife    = 60 * time.Second
	loginLife   = 10 * time.Minute
	refreshLife = 12 * time.Hour
	maxKept     = 1000 // of each kind; the one nearest its end makes room
	maxRequest  = 16 << 10
)

// Config says who may sign in, and to what.
type Config struct {
	// Issuer is the address of the provider, such as "http://127.0.0.1:8081":
	// http, a literal loopback address, no path.
	Issuer  string
	Clients []Client
	Users   []User
	// Key signs ID tokens, on curve P-256; one is made when it is nil.
	Key *ecdsa.PrivateKey
	// Clock tells the time; nil is time.Now.
	Clock func() time.Time
}

// Client is a public client (RFC 6749 section 2.1), a program on this machine.
type Client struct {
	ID string
	// RedirectPath is the one path a code is sent to, such as "/callback", at
	// http://127.0.0.1 or http://[::1] with any port.
	RedirectPath string
}

// User is somebody who can sign in. All that is known of a user is in each ID
// token, whatever the scope asked for.
type User struct {
	Username string // unique; what is typed into the form
	Password string
	Subject  string // unique; the sub claim
	Email    string
	Name     string
	Groups   []string
}

// Provider is the OpenID provider, an http.Handler for the root of its issuer.
type Provider struct {
	issuer, host string
	clients      map[string]Client
	users        map[string]User
	key          jose.JSONWebKey // public
	signer       jose.Signer
	clock        func() time.Time
	mux          *http.ServeMux
	memory       memory
}

// New makes a provider; the error says what is wrong with the configuration.
func New(cfg Config) (*Provider, error) {
	p := &Provider{clients: map[string]Client{}, users: map[string]User{}, clock: cfg.Clock, memory: newMemory()}
	if p.clock == nil {
		p.clock = time.Now
	}
	if err := errors.Join(p.setIssuer(cfg.Issuer), p.setClients(cfg.Clients), p.setUsers(cfg.Users), p.setKey(cfg.Key)); err != nil {
		return nil, fmt.Errorf("set up the provider: %w", err)
	}
	p.mux = http.NewServeMux()
	p.mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	p.mux.HandleFunc("GET /jwks", p.jwks)
	p.mux.HandleFunc("GET /authorize", p.authorize)
	p.mux.HandleFunc("POST /authorize", p.authorize) // OpenID Connect Core 3.1.2.1 wants both
	p.mux.HandleFunc("POST /login", p.login)
	p.mux.HandleFunc("POST /token", p.token)
	return p, nil
}

func (p *Provider) setIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	if err != nil {
		return errors.New("the issuer is not an address")
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if err != nil || !isLoopback(addr) || u.Scheme != "http" || issuer != "http://"+u.Host {
		return fmt.Errorf("the issuer %q is not http:// with a literal loopback address and nothing after it", issuer)
	}
	p.issuer, p.host = issuer, u.Host
	return nil
}

func (p *Provider) setClients(clients []Client) error {
	for _, c := range clients {
		u, err := url.Parse(c.RedirectPath)
		if c.ID == "" || err != nil || u.Path != c.RedirectPath || !strings.HasPrefix(c.RedirectPath, "/") || strings.HasPrefix(c.RedirectPath, "//") {
			return fmt.Errorf("client %q needs an id and a redirect path that begins with one slash", c.ID)
		}
		if _, twice := p.clients[c.ID]; twice {
			return fmt.Errorf("client %q is there twice", c.ID)
		}
		p.clients[c.ID] = c
	}
	return nil
}

func (p *Provider) setUsers(users []User) error {
	var subjects []string
	for _, u := range users {
		if u.Username == "" || u.Password == "" || u.Subject == "" {
			return fmt.Errorf("user %q needs a user name, a password and a subject", u.Username)
		}
		if _, twice := p.users[u.Username]; twice || slices.Contains(subjects, u.Subject) {
			return fmt.Errorf("user %q or its subject is there twice", u.Username)
		}
		p.users[u.Username] = u
		subjects = append(subjects, u.Subject)
	}
	return nil
}

func (p *Provider) setKey(key *ecdsa.PrivateKey) (err error) {
	if key == nil {
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return err
		}
	}
	if key.Curve != elliptic.P256() {
		return errors.New("the key is not on curve P-256")
	}
	p.key = jose.JSONWebKey{Key: &key.PublicKey, Algorithm: string(jose.ES256), Use: "sig"}
	thumb, err := p.key.Thumbprint(crypto.SHA256)
	if err != nil {
		return err
	}
	p.key.KeyID = base64.RawURLEncoding.EncodeToString(thumb)
	p.signer, err = jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: p.key.KeyID}},
		(&jose.SignerOptions{}).WithType("JWT"))
	return err
}

// Issuer is the provider's issuer identifier.
func (p *Provider) Issuer() string { return p.issuer }

// ServeHTTP implements http.Handler. It answers programs on this machine that
// ask for it by its own name only: a page of some site whose name was made to
// point to loopback does not.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !isLoopback(peer.Addr()) || r.Host != p.host {
		http.Error(w, "this provider is for this machine only", http.StatusForbidden)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	p.mux.ServeHTTP(w, r)
}

// discovery serves the provider's metadata (OpenID Connect Discovery 1.0
// section 3, RFC 8414, RFC 9207 section 3).
func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{
		"issuer":                                p.issuer,
		"authorization_endpoint":                p.issuer + "/authorize",
		"token_endpoint":                        p.issuer + "/token",
		"jwks_uri":                              p.issuer + "/jwks",
		"response_types_supported":              []string{"code"},
		"response_modes_supported":              []string{"query"},
		"grant_types_supported":                 []string{"authorization_code", "refresh_token"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{string(jose.ES256)},
		"token_endpoint_auth_methods_supported": []string{"none"},
		"code_challenge_methods_supported":      []string{"S256"},
		"scopes_supported":                      []string{"openid", "profile", "email", "groups", "offline_access"},
		"claims_supported": []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "amr",
			"email", "email_verified", "name", "preferred_username", "groups"},
		"claims_parameter_supported":                     false,
		"request_parameter_supported":                    false,
		"request_uri_parameter_supported":                false,
		"authorization_response_iss_parameter_supported": true,
	})
}

func (p *Provider) jwks(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{p.key}})
}

// answer writes v as JSON.
func answer(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body)
}
