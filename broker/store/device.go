package store

import (
	"context"
	"database/sql"
	"fmt"
)

const deviceColumns = `id, jkt, public_jwk, ueid, name, platform, agent_version, scope,
	key_protection, key_attested, hardware_id, hardware_reason, state,
	seq, nonce_gen, report_digest, report_at, enrolled_at, last_seen_at, `

func scanDevice(row scanner) (Device, error) {
	var d Device
	err := row.Scan(&d.ID, &d.JKT, &d.PublicJWK, &d.UEID, &d.Name, &d.Platform, &d.AgentVersion, &d.Scope,
		&d.KeyProtection, &d.KeyAttested, &d.HardwareID, &d.HardwareReason, &d.State,
		&d.Seq, &d.NonceGen, &d.ReportDigest, &d.ReportAt, &d.EnrolledAt, &d.LastSeenAt, &d.Report)
	return d, err
}

// AddDevice implements Devices.
func (s *SQLite) AddDevice(ctx context.Context, d Device) error {
	return s.settle(ctx, "add device", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO devices (`+deviceColumns+`report)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			d.ID, d.JKT, d.PublicJWK, d.UEID, d.Name, d.Platform, d.AgentVersion, d.Scope,
			d.KeyProtection, d.KeyAttested, d.HardwareID, d.HardwareReason, d.State,
			d.Seq, d.NonceGen, d.ReportDigest, d.ReportAt, d.EnrolledAt, d.LastSeenAt, blob(d.Report))
		return err
	})
}

// blob gives NULL for no bytes, which the database would keep as bytes.
func blob(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// DeviceByID implements Devices.
func (s *SQLite) DeviceByID(ctx context.Context, id string) (Device, error) {
	return s.device(ctx, `SELECT `+deviceColumns+`report FROM devices WHERE id = ?`, id)
}

// DeviceByJKT implements Devices.
func (s *SQLite) DeviceByJKT(ctx context.Context, jkt string) (Device, error) {
	return s.device(ctx, `SELECT `+deviceColumns+`report FROM devices WHERE jkt = ?`, jkt)
}

func (s *SQLite) device(ctx context.Context, query, key string) (Device, error) {
	d, err := scanDevice(s.r.QueryRowContext(ctx, query, key))
	if err != nil {
		return Device{}, fmt.Errorf("read device: %w", explain(err))
	}
	return d, nil
}

// ListDevices implements Devices.
func (s *SQLite) ListDevices(ctx context.Context) ([]Device, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT `+deviceColumns+`NULL FROM devices ORDER BY enrolled_at, id`)
	all, err := list(rows, err, scanDevice)
	if err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	return all, nil
}

// acceptSQL is the compare-and-swap: what is compared and what is written is
// one statement, so no two attestations can pass on one nonce.
const acceptSQL = `UPDATE devices SET
	nonce_gen = @nonce, seq = @seq, report_digest = @digest, report = COALESCE(@report, report),
	report_at = @report_at, last_seen_at = @now,
	agent_version = CASE WHEN @version = '' THEN agent_version ELSE @version END
WHERE id = @id AND state = 'active' AND nonce_gen < @nonce AND seq < @seq
	AND (@report IS NOT NULL OR (report IS NOT NULL AND report_digest = @digest))`

// AcceptAttestation implements Devices.
func (s *SQLite) AcceptAttestation(ctx context.Context, a Accept) error {
	result, err := s.accept.ExecContext(ctx,
		sql.Named("nonce", a.NonceGen), sql.Named("seq", a.Seq), sql.Named("digest", a.ReportDigest),
		sql.Named("report", blob(a.Report)), sql.Named("report_at", a.ReportAt), sql.Named("now", a.Now),
		sql.Named("version", a.AgentVersion), sql.Named("id", a.DeviceID))
	if err != nil {
		return fmt.Errorf("accept attestation: %w", err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("accept attestation: %w", err)
	}
	if n == 1 {
		return nil
	}
	return fmt.Errorf("accept attestation: %w", s.whyRefused(ctx, a))
}

// whyRefused looks for the reason after the fact. Counters only rise and so
// still tell; only the state can have come back since, hence the last line.
func (s *SQLite) whyRefused(ctx context.Context, a Accept) error {
	d, err := s.DeviceByID(ctx, a.DeviceID)
	switch {
	case err != nil:
		return err
	case d.State != StateActive:
		return fmt.Errorf("%w: %s", ErrDeviceState, d.State)
	case d.NonceGen >= a.NonceGen:
		return ErrNonceSpent
	case d.Seq >= a.Seq:
		return ErrSeqRegressed
	case len(a.Report) == 0 && (d.Report == nil || d.ReportDigest != a.ReportDigest):
		return ErrReportUnknown
	}
	return ErrDeviceState
}

// SetDeviceState implements Devices.
func (s *SQLite) SetDeviceState(ctx context.Context, id, state string) error {
	return s.settle(ctx, "set state of device", func(tx *sql.Tx) error {
		if !knownState(state) {
			return fmt.Errorf("%w: %q is no state", ErrDeviceState, state)
		}
		var held string
		if err := tx.QueryRowContext(ctx, `SELECT state FROM devices WHERE id = ?`, id).Scan(&held); err != nil {
			return err
		}
		if held == StateRevoked && state != StateRevoked {
			return fmt.Errorf("%w: it is revoked", ErrDeviceState)
		}
		return one(tx.ExecContext(ctx, `UPDATE devices SET state = ? WHERE id = ?`, state, id))
	})
}
