package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/platform/files"
)

// Bounds of the file in which it is kept what was told.
const (
	toldVersion = 1
	toldMost    = 16 << 10
	toldRules   = 64
	// toldFor is after when it no longer counts: the first warning of a rule
	// comes a week before the rule.
	toldFor = 8 * 24 * time.Hour
	// aside is how long after a warning there is no other of its kind
	// (client/view), and a moment.
	aside = 61 * time.Second
)

// The kinds of warnings that are dated, by the beginning of their notices' ids
// (client/view).
const (
	kindRule   = "coming:"
	kindSignIn = "sign-in"
)

// told is what the file holds: when a person was warned of rules that begin
// later and of the end of their sign-in, and what was known then.
type told struct {
	Version  int       `json:"version"`
	Person   string    `json:"person"`
	RulesAt  time.Time `json:"rules_at,omitzero"`
	Rules    []string  `json:"rules,omitempty"` // those known at RulesAt
	SignInAt time.Time `json:"sign_in_at,omitzero"`
	Ends     time.Time `json:"ends,omitzero"` // of the sign-in, as known at SignInAt
}

// memory has a tray that starts anew not repeat a dated warning that the one
// before gave. What the tray itself has told it knows (view.Told).
type memory struct {
	path string
	base view.Input
	log  *slog.Logger
	now  func() time.Time

	mu     sync.Mutex
	status localapi.Status // the newest
	before told            // by earlier trays
	all    told            // and by this one
}

// remember reads the file at path. One that is missing, damaged, too large, of
// another version or not this user's alone says nothing.
func remember(path string, base view.Input, log *slog.Logger) *memory {
	m := &memory{path: path, base: base, log: log, now: time.Now}
	data, err := files.ReadOwnerOnly(path, toldMost)
	if err == nil {
		m.before, err = readTold(data)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Info("what was told before is not known", "error", err)
	}
	m.all = m.before
	return m
}

func readTold(data []byte) (told, error) {
	var t told
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil {
		return told{}, fmt.Errorf("read what was told: %w", err)
	}
	if d.More() || t.Version != toldVersion || len(t.Rules) > toldRules {
		return told{}, fmt.Errorf("read what was told: not a file of version %d", toldVersion)
	}
	return t, nil
}

// saw takes each new status.
func (m *memory) saw(st localapi.Status) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status = st
}

// once has tell pass over what an earlier tray has told, and keeps what it
// tells. Where there are no notices there is nothing to keep.
func (m *memory) once(tell func(context.Context, view.Notice) error) func(context.Context, view.Notice) error {
	if tell == nil {
		return nil
	}
	return func(ctx context.Context, n view.Notice) error {
		kind := m.kindOf(n)
		if kind != "" && m.repeats(kind) {
			m.log.Debug("this was told before the tray started", "notice", n.ID)
			return nil
		}
		if err := tell(ctx, n); err != nil {
			return err
		}
		if kind == "" {
			return nil
		}
		return m.keep(kind)
	}
}

// kindOf is the kind of a dated warning, "" for other notices: that a sign-in
// has ended goes by the name of the warnings before.
func (m *memory) kindOf(n view.Notice) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case strings.HasPrefix(n.ID, kindRule):
		return kindRule
	case n.ID == kindSignIn && m.status.User != nil:
		return kindSignIn
	}
	return ""
}

// repeats reports whether an earlier tray warned of all that there is to warn of.
// It asks client/view, which alone knows when something is due: for whoever was
// told then what was due then, is anything due now?
func (m *memory) repeats(kind string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, then := m.before.RulesAt, m.status
	then.Forecast = nil
	for _, f := range m.status.Forecast {
		if slices.Contains(m.before.Rules, ruleOf(f)) {
			then.Forecast = append(then.Forecast, f)
		}
	}
	if kind == kindSignIn {
		at, then.SessionEnds = m.before.SignInAt, m.before.Ends
	}
	now := m.now()
	if at.IsZero() || at.After(now) || now.Sub(at) > toldFor || m.before.Person != personOf(m.status) {
		return false
	}
	if now.Sub(at) < aside {
		now = at.Add(aside)
	}
	in := m.base
	in.Status, in.Now = then, at
	past, _, _ := view.Next(view.Told{}, in, view.New(in))
	in.Status, in.Now = m.status, now
	_, due, _ := view.Next(past, in, view.New(in))
	for _, n := range due {
		if strings.HasPrefix(n.ID, kind) {
			return false
		}
	}
	return true
}

// keep notes that all that there is to warn of has just been told.
func (m *memory) keep(kind string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if who := personOf(m.status); m.all.Person != who {
		m.before, m.all = told{}, told{Person: who}
	}
	m.all.Version = toldVersion
	if kind == kindSignIn {
		m.before.SignInAt, m.all.SignInAt, m.all.Ends = time.Time{}, m.now(), m.status.SessionEnds
	} else {
		m.before.RulesAt, m.all.RulesAt, m.all.Rules = time.Time{}, m.now(), nil
		for _, f := range m.status.Forecast {
			if len(m.all.Rules) < toldRules {
				m.all.Rules = append(m.all.Rules, ruleOf(f))
			}
		}
	}
	data, err := json.Marshal(m.all)
	if err != nil {
		return fmt.Errorf("keep what was told: %w", err)
	}
	if err := files.WriteOwnerOnly(m.path, data); err != nil {
		return fmt.Errorf("keep what was told: %w", err)
	}
	return nil
}

// ruleOf and personOf stand for a rule and for whose session a status is of,
// without naming them.
func ruleOf(f localapi.Forecast) string { return standIn(f.Code, f.From) }

func personOf(st localapi.Status) string {
	if st.User == nil {
		return ""
	}
	return standIn(st.Broker.URL, st.User.Subject)
}

func standIn(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:8])
}
