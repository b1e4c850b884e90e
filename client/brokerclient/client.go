// Package brokerclient makes the agent's calls to the broker: enrol, tokens, attestations, events.
package brokerclient

import (
	"context"
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
	"github.com/postern-zt/postern/platform/hwkey"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/platform/secret"
	"github.com/postern-zt/postern/posture/attest"
)

// Config of a Client.
type Config struct {
	API      *apiclient.Client
	Key      hwkey.Key
	Secrets  secret.Store // the session's refresh handle
	State    string       // folder of device.json and the sequence
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
	record Record
	seq    *sequence

	mu      sync.Mutex
	session Session
	access  string
	until   time.Duration // boot time at which access is renewed
	nonce   string        // of the next attestation
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
// another broker starts over with it.
func Open(cfg Config) (*Client, error) {
	c := &Client{cfg: cfg}
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
		c.record = Record{Broker: cfg.API.Base(), UEID: attest.NewUEID()}
		if err := c.saveRecord(); err != nil {
			return nil, err
		}
		if err := cfg.Secrets.Delete(sessionName); err != nil {
			return nil, fmt.Errorf("forget the session of another broker: %w", err)
		}
	}
	if c.seq, err = openSequence(filepath.Join(cfg.State, "sequence")); err != nil {
		return nil, err
	}
	return c, c.loadSession()
}

func (c *Client) saveRecord() error {
	data, err := json.Marshal(c.record)
	if err != nil {
		return err
	}
	if err := files.WriteOwnerOnly(filepath.Join(c.cfg.State, recordFile), data); err != nil {
		return fmt.Errorf("keep device record: %w", err)
	}
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
	r := c.Record()
	if r.DeviceID != "" {
		return nil
	}
	// Discovery first: it brings the broker's time, which the enrolment is stamped with.
	if _, err := c.cfg.API.Discover(ctx); err != nil {
		return err
	}
	e, err := c.cfg.API.Enrol(ctx, api.Enrolment{
		UEID: r.UEID, Name: c.cfg.Name, Scope: c.cfg.Scope, KeyProtection: api.KeyProtection(c.cfg.Key.Protection()), Token: c.cfg.Token, Hardware: c.cfg.Hardware,
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.record.DeviceID, c.record.KeyAttested, c.record.PseudonymKey = e.DeviceID, e.KeyAttested, e.PseudonymKey
	c.record.HardwareID, c.record.HardwareReason = e.HardwareID, e.HardwareReason
	c.nonce = e.AttestationNonce
	return c.saveRecord()
}

// Providers asks the broker with whom people sign in.
func (c *Client) Providers(ctx context.Context) ([]api.Provider, error) {
	d, err := c.cfg.API.Discover(ctx)
	if err != nil {
		return nil, err
	}
	return d.Providers, nil
}
