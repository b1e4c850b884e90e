package signin

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/oauth2"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/platform/bounded"
)

// providerClient asks providers: with a deadline, for so many bytes at most,
// and only at the addresses that were checked, wherever an answer points to.
// Each question has a connection of its own: while the person signs in, the one
// before has been idle for about as long as many servers keep them, and the code
// cannot be sent twice when it breaks.
func providerClient() *http.Client {
	fresh := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: providerTimeout,
	}
	return &http.Client{
		Timeout:       providerTimeout,
		Transport:     bounded.Transport{Next: fresh, Limit: maxBody},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// plainRefusal puts the provider's own words last; they are shown, not obeyed.
func plainRefusal(c Callback) string {
	if c.ErrorDescription != "" {
		return fmt.Sprintf("%s (%s)", clip(c.ErrorDescription, 200), clip(c.Error, 60))
	}
	return clip(c.Error, 60)
}

// exchangeError drops the provider's raw body, which may hold anything.
func exchangeError(err error) error {
	var re *oauth2.RetrieveError
	if errors.As(err, &re) && re.ErrorCode != "" { // its own word, RFC 6749 section 5.2
		return &Error{Code: CodeRefused, Text: "the identity provider did not accept the code (" + clip(re.ErrorCode, 60) + ")"}
	}
	if re != nil {
		return &Error{Code: CodeProvider, Text: "the identity provider answered " + clip(re.Response.Status, 60)}
	}
	return &Error{Code: CodeProvider, Text: "the identity provider cannot be asked", Err: brief(err)}
}

// brief keeps of an error what fits into one line: it may quote whatever the
// other side sent. The cause stays for errors.Is.
func brief(err error) error { return briefly{err} }

type briefly struct{ err error }

// Error gives the first 200 characters on one line.
func (b briefly) Error() string { return clip(b.err.Error(), 200) }

// Unwrap gives the cause.
func (b briefly) Unwrap() error { return b.err }

// clip makes one line of at most n characters of a stranger's text, without
// what could play tricks on a terminal.
func clip(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r) || r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, s[:min(len(s), 8*n)])
	if runes := []rune(s); len(runes) > n {
		s = string(runes[:n]) + "…"
	}
	return s
}

// metadata is what a provider says of itself beside its addresses (OpenID
// Connect Discovery 1.0 section 3, RFC 9207 section 3).
type metadata struct {
	JWKS          string   `json:"jwks_uri"`
	IssParam      bool     `json:"authorization_response_iss_parameter_supported"`
	ResponseModes []string `json:"response_modes_supported"`
	Prompts       []string `json:"prompt_values_supported"`
}

// posts reports whether the provider posts its answer when it is asked to.
// Silence means that it does not: the default is query and fragment only.
func (m metadata) posts(p api.Provider) bool {
	return p.ResponseMode != api.ResponseQuery && slices.Contains(m.ResponseModes, api.ResponseFormPost)
}

// Values of prompt (OpenID Connect Core 1.0 section 3.1.2.1).
const (
	promptLogin         = "login"
	promptSelectAccount = "select_account"
)

// whoPrompt is the prompt that has the provider ask who signs in. A list of
// accounts is the friendlier way, but many providers refuse a request for one,
// so it is asked of those alone that announce it (Initiating User Registration
// via OpenID Connect 1.0 section 4.1) or have it in their manual. A new login is
// what every provider must know.
func (m metadata) whoPrompt(issuer string) string {
	if slices.Contains(m.Prompts, promptSelectAccount) || len(m.Prompts) == 0 && listsAccounts(issuer) {
		return promptSelectAccount
	}
	return promptLogin
}

// listsAccounts knows two providers that announce no prompt and document this
// one: Google ("OpenID Connect", authentication URI parameters; login is not
// among them) and Microsoft ("Microsoft identity platform and OAuth 2.0
// authorization code flow").
func listsAccounts(issuer string) bool {
	u, err := url.Parse(issuer)
	return err == nil && (u.Host == "accounts.google.com" || u.Host == "login.microsoftonline.com")
}

// checkRedirect takes only what RFC 8252 section 7.3 allows: a literal
// loopback address with a port.
func checkRedirect(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" || u.Port() == "" || u.User != nil || u.Fragment != "" || !literalLoopback(u.Hostname()) {
		return &Error{Code: CodeMixedUp, Text: "the redirect address is not http on a literal loopback address with a port"}
	}
	return nil
}

// checkIssuer takes https, and http on a literal loopback address for trying
// things out on one machine.
func checkIssuer(raw string) error {
	if !secure(raw) {
		return &Error{Code: CodeProvider, Text: "the identity provider's address is neither https nor on loopback"}
	}
	return nil
}

// secure reports whether what is sent to the address stays between us and it.
func secure(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Hostname() != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && literalLoopback(u.Hostname()))
}

func literalLoopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
