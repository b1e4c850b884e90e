package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
)

// AddEnrolmentToken implements Enrolment.
func (s *SQLite) AddEnrolmentToken(ctx context.Context, hash, note, scope string, uses int, expires int64) error {
	return s.settle(ctx, "add enrolment token", func(tx *sql.Tx) error {
		if !isHash(hash) {
			return ErrNotHashed
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO enrolment_tokens (hash, note, scope, uses_left, expires)
			VALUES (?, ?, ?, ?, ?)`, hash, note, scope, uses, expires)
		return err
	})
}

// UseEnrolmentToken implements Enrolment.
func (s *SQLite) UseEnrolmentToken(ctx context.Context, hash string, now int64) (scope string, err error) {
	err = s.settle(ctx, "use enrolment token", func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `UPDATE enrolment_tokens SET uses_left = uses_left - 1
			WHERE hash = ? AND uses_left > 0 AND expires > ? RETURNING scope`, hash, now).Scan(&scope)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		var known bool
		err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM enrolment_tokens WHERE hash = ?)`, hash).Scan(&known)
		if err == nil && known {
			return ErrTokenSpent
		}
		return errors.Join(err, ErrNotFound)
	})
	if err != nil {
		return "", err
	}
	return scope, nil
}

// PutGateway implements Fleet.
func (s *SQLite) PutGateway(ctx context.Context, g Gateway) error {
	endpoints, err := json.Marshal(g.Endpoints)
	if err != nil {
		return fmt.Errorf("keep gateway: %w", err)
	}
	return s.change(ctx, "keep gateway", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO gateways (id, device_id, name, public_key, epoch, endpoints, last_seen)
			VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET device_id = excluded.device_id, name = excluded.name,
				public_key = excluded.public_key, epoch = excluded.epoch,
				endpoints = excluded.endpoints, last_seen = excluded.last_seen`,
			g.ID, g.DeviceID, g.Name, g.PublicKey, g.Epoch, string(endpoints), g.LastSeen)
		return err
	})
}

// Gateways implements Fleet.
func (s *SQLite) Gateways(ctx context.Context) ([]Gateway, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT g.id, g.device_id, g.name, g.public_key, g.epoch, g.endpoints, g.last_seen
		FROM gateways g JOIN devices d ON d.id = g.device_id WHERE d.state = ? ORDER BY g.id`, StateActive)
	all, err := list(rows, err, func(row scanner) (Gateway, error) {
		var g Gateway
		var endpoints []byte
		err := row.Scan(&g.ID, &g.DeviceID, &g.Name, &g.PublicKey, &g.Epoch, &endpoints, &g.LastSeen)
		if err == nil {
			err = json.Unmarshal(endpoints, &g.Endpoints)
		}
		return g, err
	})
	if err != nil {
		return nil, fmt.Errorf("list gateways: %w", err)
	}
	return all, nil
}

// AppAddress implements Fleet.
func (s *SQLite) AppAddress(ctx context.Context, appID string) (int64, error) {
	var index int64
	err := s.r.QueryRowContext(ctx, `SELECT idx FROM app_addresses WHERE app_id = ?`, appID).Scan(&index)
	if err == nil {
		return index, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read address of app: %w", err)
	}
	// On the disk before anyone routes to it: no two apps may ever share one.
	err = s.settle(ctx, "give app an address", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO app_addresses (app_id, idx)
			SELECT ?, COALESCE(MAX(idx), 0) + 1 FROM app_addresses WHERE true
			ON CONFLICT (app_id) DO NOTHING`, appID)
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT idx FROM app_addresses WHERE app_id = ?`, appID).Scan(&index)
	})
	if err != nil {
		return 0, err
	}
	return index, nil
}

// NumberObservations implements Store.
func (s *SQLite) NumberObservations(ctx context.Context, digest string, least int64) (int64, error) {
	var version int64
	// On the disk before anyone is told it: a number given out is never given
	// to another content.
	err := s.settle(ctx, "number observations", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO observations (one, digest, version) VALUES (1, ?, ?)
			ON CONFLICT (one) DO UPDATE SET digest = excluded.digest, version = MAX(version + 1, excluded.version)
			WHERE digest <> excluded.digest`, digest, max(least, 1))
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT version FROM observations`).Scan(&version)
	})
	return version, err
}

// Secret implements Store.
func (s *SQLite) Secret(ctx context.Context, name string, make func() ([]byte, error)) ([]byte, error) {
	var held []byte
	err := s.r.QueryRowContext(ctx, `SELECT value FROM secrets WHERE name = ?`, name).Scan(&held)
	if err == nil {
		return held, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("read secret %s: %w", name, err)
	}
	made, err := make()
	if err != nil {
		return nil, fmt.Errorf("make secret %s: %w", name, err)
	}
	if len(made) == 0 {
		return nil, fmt.Errorf("make secret %s: it is empty", name)
	}
	err = s.settle(ctx, "keep secret "+name, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO secrets (name, value) VALUES (?, ?)
			ON CONFLICT (name) DO NOTHING`, name, bytes.Clone(made))
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT value FROM secrets WHERE name = ?`, name).Scan(&held)
	})
	if err != nil {
		return nil, err
	}
	return held, nil
}
