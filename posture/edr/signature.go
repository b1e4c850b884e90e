package edr

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// signature is the answer to evidence.AskSignature.
type signature struct {
	Valid  *bool  `json:"valid"`
	Signer string `json:"signer"`
	TeamID string `json:"team_id"`
	Error  string `json:"error"`
}

func signatureOf(ctx context.Context, m evidence.Machine, program string) (signature, error) {
	answer, err := m.Ask(ctx, evidence.AskSignature, program)
	if err != nil {
		return signature{}, err
	}
	var s signature
	if err := json.Unmarshal(answer, &s); err != nil {
		return signature{}, &evidence.Error{Reason: fact.ReasonUnreadable, Op: "read the signature of a program", Err: fmt.Errorf("answer: %w", err)}
	}
	return s, nil
}
