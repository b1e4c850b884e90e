package issuer

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/posture/observe"
)

// SignedObservations is a document of observations, ready to be given out.
type SignedObservations struct {
	Version int64
	Token   string // compact JWS
}

// SignObservations numbers a document and signs it. The number is that which
// the same content had before, and otherwise above every one before.
func (i *Issuer) SignObservations(ctx context.Context, d observe.Document) (SignedObservations, error) {
	d.Version = 0
	if d.Observations == nil {
		d.Observations = []observe.Observation{}
	}
	if d.EDR == nil {
		d.EDR = []observe.EDRRow{}
	}
	content, err := json.Marshal(d)
	if err != nil {
		return SignedObservations{}, fmt.Errorf("write observations: %w", err)
	}
	if len(content) > observe.MaxDocument {
		return SignedObservations{}, fmt.Errorf("observations: %d bytes, at most %d allowed", len(content), observe.MaxDocument)
	}
	now := i.Now().Unix()
	if d.Version, err = i.Store.NumberObservations(ctx, jws.Hash(content), now); err != nil {
		return SignedObservations{}, fmt.Errorf("number observations: %w", err)
	}
	token, err := jws.Sign(i.policyKey, api.Observations{Issuer: i.Issuer, IssuedAt: now, Document: d}, jws.Options{Type: api.ObservationsType, KID: i.policyKID})
	return SignedObservations{Version: d.Version, Token: token}, err
}
