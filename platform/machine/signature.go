package machine

// signature is the answer to AskSignature.
type signature struct {
	Valid      bool   `json:"valid"`
	Signer     string `json:"signer,omitempty"`     // common name of who signed, or the organisation
	TeamID     string `json:"team_id,omitempty"`    // macOS
	Identifier string `json:"identifier,omitempty"` // macOS: what the signer calls the program
	Error      string `json:"error,omitempty"`      // why it is not valid
}
