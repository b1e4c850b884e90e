// Package brokerclient makes the agent's calls to the broker: enrol, tokens, observations, attestations, events.
package brokerclient

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/files"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/platform/secret"
	"github.com/postern-zt/postern/posture/attest"
)

// Config of a Client.
type Config struct {
	API      *apiclient.Client
	Key      crypto.Signer     // the device key
	KeyKind  api.KeyProtection // where it lives, stated in every attestation
	Version  string            // of the agent
	Secrets  secret.Store      // the session's refresh handle
	State    string            // folder of device.json and the sequence
	Clock    clock.Clock
	Scope    string // api.ScopeSystem or api.ScopeUser
	Name     string // of the device, for people
	Token    string // enrolment token; needed only the first time
	Hardware attest.Hardware
}

// Client is this device at one broker. It is safe for concurrent use, but the
// agent keeps one attestation in flight at a time.
type Client struct {
	cfg    Config
	seq    *sequence
	enrols turn // one enrolment at a time
	grants turn // one refresh at a time
	asks   turn // one question for observations at a time

	mu      sync.Mutex // never held while the broker is asked
	record  Record
	session Session
	number  int    // of the session; none is ever used twice
	nonce   string // of the next attestation

	observed *observed // what to read beyond the built-in signals; nil: never told
}

// turn lets one caller at a time do what takes long; others wait no longer
// than their context.
type turn chan struct{}

func (t turn) take(ctx context.Context) (release func(), err error) {
	select {
	case t <- struct{}{}:
		return func() { <-t }, nil
	case <-ctx.Done():
		return nil, &apiclient.Unreachable{Err: ctx.Err()}
	}
}

// Record is what this device knows of its enrolment.
type Record struct {
	Broker         string          `json:"broker"`
	UEID           string          `json:"ueid"`
	DeviceID       string          `json:"device_id,omitempty"`
	KeyAttested    api.KeyAttested `json:"key_attested,omitempty"`
	HardwareID     string          `json:"hardware_id,omitempty"`
	HardwareReason string          `json:"hardware_reason,omitempty"`
	PseudonymKey   string          `json:"pseudonym_key,omitempty"`
}

const (
	recordFile = "device.json"
	maxRecord  = 16 << 10
)

// Open reads what is kept of enrolment and session. A device that moves to
// another broker enrols there under the same identity, which goes with its key:
// it may move back.
func Open(cfg Config) (*Client, error) {
	c := &Client{cfg: cfg, enrols: make(turn, 1), grants: make(turn, 1), asks: make(turn, 1)}
	data, err := files.ReadOwnerOnly(filepath.Join(cfg.State, recordFile), maxRecord)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read device record: %w", err)
	default:
		if err := jws.Decode(data, &c.record); err != nil {
			return nil, fmt.Errorf("read device record %s: %w", filepath.Join(cfg.State, recordFile), err)
		}
	}
	if c.record.Broker != cfg.API.Base() {
		// The session first: should we be interrupted, its handle must not
		// meet the new broker.
		if err := cfg.Secrets.Delete(sessionName); err != nil {
			return nil, fmt.Errorf("forget the session of another broker: %w", err)
		}
		fresh := Record{Broker: cfg.API.Base(), UEID: c.record.UEID}
		if fresh.UEID == "" {
			fresh.UEID = attest.NewUEID()
		}
		if err := c.keepRecord(fresh); err != nil {
			return nil, err
		}
	}
	if c.seq, err = openSequence(filepath.Join(cfg.State, "sequence")); err != nil {
		return nil, err
	}
	if err := c.loadObservations(); err != nil {
		return nil, err
	}
	return c, c.loadSession()
}

// keepRecord takes over a record that is on disk. Nobody else may be at it.
func (c *Client) keepRecord(r Record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := files.WriteOwnerOnly(filepath.Join(c.cfg.State, recordFile), data); err != nil {
		return fmt.Errorf("keep device record: %w", err)
	}
	c.record = r
	return nil
}

// Record returns what is known of the enrolment.
func (c *Client) Record() Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.record
}

// Skew is the local wall clock minus the broker's.
func (c *Client) Skew() time.Duration { return c.cfg.API.Skew() }

// Enrol introduces the device to the broker if it has not been yet.
func (c *Client) Enrol(ctx context.Context) error {
	release, err := c.enrols.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	r := c.Record()
	if r.DeviceID != "" {
		return nil
	}
	// Discovery first: it brings the broker's time, which the enrolment is stamped with.
	if _, err := c.cfg.API.Discover(ctx); err != nil {
		return err
	}
	e, err := c.cfg.API.Enrol(ctx, api.Enrolment{
		UEID: r.UEID, Name: c.cfg.Name, Scope: c.cfg.Scope, KeyProtection: c.cfg.KeyKind, Token: c.cfg.Token, Hardware: c.cfg.Hardware,
	})
	if err != nil {
		return err
	}
	if e.DeviceID == "" {
		return &apiclient.Unreachable{Err: errors.New("the broker's enrolment answer lacks device_id")}
	}
	r.DeviceID, r.KeyAttested, r.PseudonymKey = e.DeviceID, e.KeyAttested, e.PseudonymKey
	r.HardwareID, r.HardwareReason = e.HardwareID, e.HardwareReason
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.keepRecord(r); err != nil {
		return err
	}
	c.nonce = e.AttestationNonce
	return nil
}

// heard looks at what the broker said: one that does not know this device (its
// memory was lost) must be introduced anew. It gives err back.
func (c *Client) heard(err error) error {
	var no *apiclient.Rejected
	if !errors.As(err, &no) || no.Code != api.CodeUnknownDevice {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.record.DeviceID == "" {
		return err
	}
	return errors.Join(err, c.keepRecord(Record{Broker: c.record.Broker, UEID: c.record.UEID}))
}

// Providers asks the broker with whom people sign in.
func (c *Client) Providers(ctx context.Context) ([]api.Provider, error) {
	d, err := c.cfg.API.Discover(ctx)
	if err != nil {
		return nil, err
	}
	return d.Providers, nil
}
