package brokerclient

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/platform/files"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/posture/fact"
)

const (
	observationsFile = "observations.json"
	maxObservations  = 2 * api.MaxAnswer // of the file
)

// keptObservations is the last good document as it is on disk: as it was
// signed, with the key that signed it.
type keptObservations struct {
	Broker string          `json:"broker"`
	ETag   string          `json:"etag,omitempty"`
	Key    json.RawMessage `json:"key"`
	Token  string          `json:"token"`
}

// observed is the last good document with what is needed to judge the next.
type observed struct {
	doc    api.Document
	digest string // of doc
	kept   keptObservations
}

// ErrRolledBack says that the broker gave observations that are older than
// those of before, or others under the same number.
var ErrRolledBack = errors.New("the observations are older than those of before, or others under the same number")

// errObservations is the answer about observations that cannot be believed: it
// is no "no", and what was there before stays.
func errObservations(err error) error {
	return &apiclient.Unreachable{Err: fmt.Errorf("observations of the broker: %w", err)}
}

// loadObservations takes up the last good document. One that cannot be believed
// any more is none; the broker gives another.
func (c *Client) loadObservations() error {
	data, err := files.ReadOwnerOnly(filepath.Join(c.cfg.State, observationsFile), maxObservations)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read observations: %w", err)
	}
	var k keptObservations
	if jws.Decode(data, &k) != nil || k.Broker != c.cfg.API.Base() {
		return nil
	}
	key, err := jws.ParseKey(k.Key)
	if err != nil {
		return nil
	}
	if o, err := c.believe(k.Token, key); err == nil {
		o.kept = k
		c.observed = &o
	}
	return nil
}

// KeptObservations is the last good document of this broker, of an earlier run
// too; its version is 0 when there was none yet.
func (c *Client) KeptObservations() api.Document {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.observed == nil {
		return api.Document{}
	}
	return c.observed.doc
}

// Observations asks the broker what to read beyond the built-in signals. It
// needs an enrolled device and no session. The document is signed, its number
// never falls, and it is on disk before it is used; what is against that is an
// error and leaves the last good one in force. changed is false when that is it.
func (c *Client) Observations(ctx context.Context) (doc api.Document, changed bool, err error) {
	release, err := c.asks.take(ctx)
	if err != nil {
		return api.Document{}, false, err
	}
	defer release()
	c.mu.Lock()
	last := c.observed
	c.mu.Unlock()
	etag := ""
	if last != nil {
		etag = last.kept.ETag
	}
	got, err := c.cfg.API.Fetch(ctx, apiclient.Call{Method: http.MethodGet, Path: api.PathObservations, Proof: true}, api.TypeJWT, etag)
	if err != nil {
		return c.KeptObservations(), false, c.heard(err)
	}
	if got.Body == nil {
		return last.doc, false, nil
	}
	next, err := c.verified(ctx, string(got.Body))
	if err == nil && last != nil && (next.doc.Version < last.doc.Version || next.doc.Version == last.doc.Version && next.digest != last.digest) {
		err = errObservations(ErrRolledBack)
	}
	if err != nil {
		return c.KeptObservations(), false, err
	}
	next.kept.ETag = got.ETag
	if err := c.keepObservations(next); err != nil {
		return c.KeptObservations(), false, err
	}
	return next.doc, last == nil || next.digest != last.digest, nil
}

func (c *Client) keepObservations(o observed) error {
	data, err := json.Marshal(o.kept)
	if err != nil {
		return err
	}
	if err := files.WriteOwnerOnly(filepath.Join(c.cfg.State, observationsFile), data); err != nil {
		return fmt.Errorf("keep observations: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.observed = &o
	return nil
}

// verified checks a document against the key that the broker announces for it.
func (c *Client) verified(ctx context.Context, token string) (observed, error) {
	s, err := jws.Parse(token, api.MaxAnswer)
	if err != nil {
		return observed{}, errObservations(err)
	}
	raw, key, err := c.policyKey(ctx, s.Header.KID)
	if err != nil {
		return observed{}, err
	}
	o, err := c.believe(token, key)
	if err != nil {
		return observed{}, errObservations(err)
	}
	o.kept = keptObservations{Broker: c.cfg.API.Base(), Key: raw, Token: token}
	return o, nil
}

// keySet is as much of a key set (RFC 7517) as is needed here.
type keySet struct {
	Keys []json.RawMessage `json:"keys"`
}

// policyKey finds the key of that id in the broker's key set, which must be
// there for observations. The set is read anew each time: a document changes
// seldom, and so a key that was taken back counts for nothing more.
func (c *Client) policyKey(ctx context.Context, kid string) (json.RawMessage, *ecdsa.PublicKey, error) {
	var set keySet
	if _, err := c.cfg.API.Do(ctx, apiclient.Call{Method: http.MethodGet, Path: api.PathJWKS}, &set); err != nil {
		return nil, nil, err
	}
	for _, raw := range set.Keys {
		var k struct {
			KID     string `json:"kid"`
			Purpose string `json:"postern_purpose,omitempty"`
		}
		if jws.Decode(raw, &k) != nil || k.KID != kid || kid == "" || k.Purpose != api.PurposeObservations {
			continue
		}
		key, err := jws.ParseKey(raw)
		if err != nil {
			return nil, nil, errObservations(err)
		}
		return raw, key, nil
	}
	return nil, nil, errObservations(errors.New("the key that signed them is none of the broker's for observations"))
}

// believe verifies a document and everything in it.
func (c *Client) believe(token string, key *ecdsa.PublicKey) (observed, error) {
	s, err := jws.Parse(token, api.MaxAnswer)
	if err != nil {
		return observed{}, err
	}
	var o api.Observations
	if err := s.VerifyInto(key, api.ObservationsType, &o); err != nil {
		return observed{}, err
	}
	switch {
	case o.Issuer != c.cfg.API.Base():
		return observed{}, fmt.Errorf("they are of %q", fact.Clip(o.Issuer))
	case o.Version < 1:
		return observed{}, errors.New("they have no number")
	}
	doc, err := o.Document.From(fact.OriginBroker)
	if err != nil {
		return observed{}, err
	}
	content, err := json.Marshal(doc)
	if err != nil {
		return observed{}, err
	}
	return observed{doc: doc, digest: jws.Hash(content)}, nil
}
