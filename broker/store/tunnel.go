package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
)

// causeExpired is the EndCause of a tunnel whose lease ran out.
const causeExpired = "expired"

const tunnelColumns = `id, device_id, session_id, app_id, gateway_id, public_key, inner,
	lease_id, stands_on, created, lease_ends, ended, end_cause`

func scanTunnel(row scanner) (Tunnel, error) {
	var t Tunnel
	var standsOn []byte
	err := row.Scan(&t.ID, &t.DeviceID, &t.SessionID, &t.AppID, &t.GatewayID, &t.PublicKey, &t.Inner,
		&t.LeaseID, &standsOn, &t.Created, &t.LeaseEnds, &t.Ended, &t.EndCause)
	if err == nil {
		err = json.Unmarshal(standsOn, &t.StandsOn)
	}
	return t, err
}

// LiveTunnel implements Tunnels.
func (s *SQLite) LiveTunnel(ctx context.Context, deviceID, sessionID, appID string) (Tunnel, error) {
	t, err := scanTunnel(s.r.QueryRowContext(ctx, `SELECT `+tunnelColumns+` FROM tunnels
		WHERE device_id = ? AND session_id = ? AND app_id = ? AND ended = 0`, deviceID, sessionID, appID))
	if err != nil {
		return Tunnel{}, fmt.Errorf("read tunnel: %w", explain(err))
	}
	return t, nil
}

// freeInner finds the lowest index from 1 that no tunnel in force holds: the
// first of "1" and "one above each" that is free.
const freeInner = `SELECT CASE
	WHEN NOT EXISTS (SELECT 1 FROM tunnels WHERE ended = 0 AND inner = 1) THEN 1
	ELSE (SELECT t.inner + 1 FROM tunnels t WHERE t.ended = 0
		AND NOT EXISTS (SELECT 1 FROM tunnels u WHERE u.ended = 0 AND u.inner = t.inner + 1)
		ORDER BY t.inner LIMIT 1)
	END`

// OpenTunnel implements Tunnels.
func (s *SQLite) OpenTunnel(ctx context.Context, t Tunnel) (Tunnel, error) {
	standsOn, err := json.Marshal(t.StandsOn)
	if err != nil {
		return Tunnel{}, fmt.Errorf("open tunnel: %w", err)
	}
	t.Ended, t.EndCause = 0, ""
	err = s.change(ctx, "open tunnel", func(tx *sql.Tx) error {
		if err := mayLease(ctx, tx, t.DeviceID, t.SessionID, t.Created); err != nil {
			return err
		}
		var used bool
		err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM tunnels WHERE public_key = ?)`, t.PublicKey).Scan(&used)
		if err != nil {
			return err
		}
		if used {
			return ErrKeyUsed
		}
		if err := tx.QueryRowContext(ctx, freeInner).Scan(&t.Inner); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO tunnels (`+tunnelColumns+`)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '')`,
			t.ID, t.DeviceID, t.SessionID, t.AppID, t.GatewayID, t.PublicKey, t.Inner,
			t.LeaseID, string(standsOn), t.Created, t.LeaseEnds)
		return err
	})
	if err != nil {
		return Tunnel{}, err
	}
	return t, nil
}

// mayLease refuses in the transaction itself: after a revocation has returned,
// no request that was already on its way may open or extend anything.
func mayLease(ctx context.Context, tx *sql.Tx, deviceID, sessionID string, now int64) error {
	var state string
	var ends, revoked int64
	err := tx.QueryRowContext(ctx, `SELECT d.state, s.ends, s.revoked
		FROM sessions s JOIN devices d ON d.id = s.device_id
		WHERE s.id = ? AND d.id = ?`, sessionID, deviceID).Scan(&state, &ends, &revoked)
	switch {
	case err != nil:
		return err
	case state != StateActive:
		return fmt.Errorf("%w: %s", ErrDeviceState, state)
	case revoked != 0 || ends <= now:
		return ErrSessionEnded
	}
	return nil
}

// ExtendLease implements Tunnels.
func (s *SQLite) ExtendLease(ctx context.Context, updates []LeaseUpdate, now int64) error {
	if len(updates) == 0 {
		return nil
	}
	return s.change(ctx, "extend lease", func(tx *sql.Tx) error {
		for _, u := range updates {
			if err := extend(ctx, tx, u, now); err != nil {
				return fmt.Errorf("tunnel %s: %w", u.TunnelID, err)
			}
		}
		return nil
	})
}

func extend(ctx context.Context, tx *sql.Tx, u LeaseUpdate, now int64) error {
	standsOn, err := json.Marshal(u.StandsOn)
	if err != nil {
		return err
	}
	var deviceID, sessionID string
	err = tx.QueryRowContext(ctx, `UPDATE tunnels SET lease_id = ?, lease_ends = ?, stands_on = ?
		WHERE id = ? AND ended = 0 AND lease_ends > ? RETURNING device_id, session_id`,
		u.LeaseID, u.Ends, string(standsOn), u.TunnelID, now).Scan(&deviceID, &sessionID)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrLeaseEnded
	}
	if err != nil {
		return err
	}
	return mayLease(ctx, tx, deviceID, sessionID, now)
}

// EndTunnels implements Tunnels.
func (s *SQLite) EndTunnels(ctx context.Context, ids []string, cause string, now int64) error {
	if len(ids) == 0 {
		return nil
	}
	// Not settle: the gateway is told only after this, and must not wait for a
	// disk. A power cut can bring a tunnel back for the rest of its lease at
	// most, and a gateway that ended it does not open it again.
	return s.change(ctx, "end tunnels", func(tx *sql.Tx) error {
		for _, id := range ids {
			_, err := tx.ExecContext(ctx, `UPDATE tunnels SET ended = ?, end_cause = ? WHERE id = ? AND ended = 0`, now, cause, id)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// LiveTunnels implements Tunnels.
func (s *SQLite) LiveTunnels(ctx context.Context, gatewayID string, now int64) ([]Tunnel, error) {
	query, args := `SELECT `+tunnelColumns+` FROM tunnels WHERE ended = 0 AND lease_ends > ?`, []any{now}
	if gatewayID != "" {
		query, args = query+` AND gateway_id = ?`, append(args, gatewayID)
	}
	rows, err := s.r.QueryContext(ctx, query+` ORDER BY created, id`, args...)
	all, err := list(rows, err, scanTunnel)
	if err != nil {
		return nil, fmt.Errorf("list tunnels: %w", err)
	}
	return all, nil
}

// ExpireTunnels implements Tunnels.
func (s *SQLite) ExpireTunnels(ctx context.Context, now int64) ([]Tunnel, error) {
	var all []Tunnel
	err := s.change(ctx, "expire tunnels", func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `UPDATE tunnels SET ended = lease_ends, end_cause = ?
			WHERE ended = 0 AND lease_ends <= ? RETURNING `+tunnelColumns, causeExpired, now)
		all, err = list(rows, err, scanTunnel)
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}
