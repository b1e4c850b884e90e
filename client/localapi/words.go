package localapi

// API is the level of this protocol that this package speaks. Level 1 had no
// number and knew sign-in, status and posture; level 2 added PathCheck, Pause,
// Resume, Timeline, Sent and Config. A higher level only ever adds.
const API = 2

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

	// Since level 2.
	PathCheck    = "/v1/check"    // POST, no body: Checked; reads the machine again
	PathPause    = "/v1/pause"    // POST PauseRequest: Status; closes every application
	PathResume   = "/v1/resume"   // POST, no body: Status
	PathTimeline = "/v1/timeline" // GET: Timeline
	PathSent     = "/v1/sent"     // GET: Sent; what last left this machine
	PathConfig   = "/v1/config"   // GET: Config; the effective settings
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
	// API is the agent's level of this protocol; 0 is level 1.
	API int `json:"api,omitempty"`
}

// SignInRequest begins a sign-in. The caller listens on RedirectURI already.
type SignInRequest struct {
	RedirectURI string `json:"redirect_uri"` // http://127.0.0.1:port/… or http://[::1]:port/…
	// FormPost says that the answer may be posted to RedirectURI (OAuth 2.0 Form
	// Post Response Mode), which leaves no code in the browser's history. Without
	// it the answer comes in the address, where a person can copy it.
	FormPost bool `json:"form_post,omitempty"`
	// Switch says that the person may want to be somebody else than the provider
	// remembers: it is to ask who signs in. Whoever is signed in here stays so
	// until that has worked.
	Switch bool `json:"switch,omitempty"`
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

// PauseRequest asks to close every application for a while, at the person's own
// wish.
type PauseRequest struct {
	// Reason is what the person says why, for the organisation's log; at most
	// MaxPauseReason characters, control characters are refused.
	Reason string `json:"reason"`
	// ForMS is how long, in milliseconds, up to MaxPauseMS.
	ForMS int64 `json:"for_ms"`
}

// Limits of a pause.
const (
	MaxPauseReason = 200
	MaxPauseMS     = 24 * 3600 * 1000
)

// Codes of refusals that the local socket gives itself.
const (
	CodeNotOwner      = "not_owner"           // another user of this machine owns the session
	CodeNoIdentity    = "caller_unknown"      // the system does not say who calls
	CodeBadRequest    = "bad_request"         // not a request of this protocol
	CodeTooLarge      = "too_large"           // the body is above MaxRequest
	CodeNotFound      = "not_found"           // no such path
	CodeBadMethod     = "method_not_allowed"  // the path has another method
	CodeFromPage      = "browser_refused"     // the request names a web page as its origin
	CodeInternal      = "internal"            // the agent's log says more
	CodeBadAnswer     = "bad_answer"          // what answered does not speak this protocol
	CodeNoBroker      = "no_broker"           // no broker is configured
	CodeSettings      = "settings_unreadable" // the settings have a mistake; the status says which
	CodeNotAnswering  = "agent_not_answering" // a caller's word: somebody listens, and says nothing
	CodeUnreachable   = "broker_unreachable"  // the broker, or the provider, cannot be asked now
	CodeSignInUnknown = "signin_unknown"      // no such sign-in is under way, or it expired
	CodeSignInBusy    = "signin_busy"         // another user's sign-in or session is in the way
	CodeSignInRefused = "signin_refused"      // provider or broker said no
	CodeEnrolRefused  = "enrolment_refused"   // the broker does not admit this device
	CodeSignedOut     = "signed_out"          // nobody is signed in
	CodeService       = "service_refused"     // the caller is a service account, not a person
	CodeSignInTimeout = "signin_timed_out"    // nobody signed in within the time for it; given by the client
	CodeTooOld        = "agent_too_old"       // the agent is of a level that does not know this; given by the client
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
