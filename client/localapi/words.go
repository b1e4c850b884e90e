package localapi

import "github.com/postern-zt/postern/posture/fact"

// Paths of the local socket. There is no other verb: nothing that arrives here
// can set a signal, an app or a setting.
const (
	PathVersion      = "/v1/version"       // GET: Version
	PathStatus       = "/v1/status"        // GET: Status; ?after=REVISION&wait=MS is a long poll
	PathPosture      = "/v1/posture"       // GET: Reading
	PathSignIn       = "/v1/signin"        // POST SignInRequest: SignIn
	PathSignInFinish = "/v1/signin/finish" // POST Finish: Status
	PathSignInCancel = "/v1/signin/cancel" // POST Cancel: Status
	PathSignOut      = "/v1/signout"       // POST, no body: Status
)

// Parameters of PathStatus. With ParamAfter the answer comes when the revision
// is another than that one, or after ParamWait milliseconds at the latest.
const (
	ParamAfter = "after"
	ParamWait  = "wait"
)

// MaxWaitMS is the longest wait of PathStatus in milliseconds; more is cut.
const MaxWaitMS = 60_000

// Size limits in bytes of what is sent to the agent and of its answers.
const (
	MaxRequest = 64 << 10
	MaxAnswer  = 1 << 20
)

// Version is the answer of PathVersion.
type Version struct {
	Product string `json:"product"`
	Version string `json:"version"`
	Scope   string `json:"scope"` // "system" or "user"
}

// Rights that a machine was read with.
const (
	RightsSystem = "system" // root, LocalSystem, or an administrator's
	RightsUser   = "user"   // an ordinary user's: some signals may be out of reach
)

// Reading is what was read of this machine, and with which rights.
type Reading struct {
	Report fact.Report `json:"report"`
	Rights string      `json:"rights"` // one of the Rights… words
}

// SignInRequest begins a sign-in. The caller listens on RedirectURI already.
type SignInRequest struct {
	RedirectURI string `json:"redirect_uri"` // http://127.0.0.1:port/… or http://[::1]:port/…
}

// SignIn is a sign-in under way. Only the user who began it may finish it.
type SignIn struct {
	ID string `json:"id"`
	// URL is what the person's browser is to open.
	URL string `json:"url"`
	// State is what the redirect must carry. It is not always in the URL
	// (RFC 9126 keeps it out).
	State string `json:"state"`
	// ExpiresInMS is how long the agent will wait for it to be finished.
	ExpiresInMS int64 `json:"expires_in_ms"`
}

// Finish hands over what the redirect carried (RFC 6749 sections 4.1.2 and
// 4.1.2.1, RFC 9207): either Code or Error is set.
type Finish struct {
	ID               string `json:"id"`
	State            string `json:"state"`
	Code             string `json:"code,omitempty"`
	Iss              string `json:"iss,omitempty"`
	Error            string `json:"error,omitempty"`
	ErrorDescription string `json:"error_description,omitempty"`
}

// Cancel gives a sign-in up.
type Cancel struct {
	ID string `json:"id"`
}

// Codes of refusals that the local socket gives itself.
const (
	CodeNotOwner      = "not_owner"          // another user of this machine owns the session
	CodeNoIdentity    = "caller_unknown"     // the system does not say who calls
	CodeBadRequest    = "bad_request"        // not a request of this protocol
	CodeTooLarge      = "too_large"          // the body is above MaxRequest
	CodeNotFound      = "not_found"          // no such path
	CodeBadMethod     = "method_not_allowed" // the path has another method
	CodeFromPage      = "browser_refused"    // the request names a web page as its origin
	CodeInternal      = "internal"           // the agent's log says more
	CodeBadAnswer     = "bad_answer"         // what answered does not speak this protocol
	CodeNoBroker      = "no_broker"          // no broker is configured
	CodeUnreachable   = "broker_unreachable" // the broker, or the provider, cannot be asked now
	CodeSignInUnknown = "signin_unknown"     // no such sign-in is under way, or it expired
	CodeSignInBusy    = "signin_busy"        // another user's sign-in or session is in the way
	CodeSignInRefused = "signin_refused"     // provider or broker said no
	CodeEnrolRefused  = "enrolment_refused"  // the broker does not admit this device
	CodeSignedOut     = "signed_out"         // nobody is signed in
)

// Refused is an answer of no, with a stable code, one sentence and a hint. On
// the wire it is the body of every answer that is not 200.
type Refused struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"` // "" when nothing helps
}

// Error gives the sentence.
func (r *Refused) Error() string { return r.Message }
